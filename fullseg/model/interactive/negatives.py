"""Scribbles of no region: what they go over is of none of the regions (not in the paper, where all are annotated)."""

import numpy as np
from numpy.typing import NDArray

from fullseg.types import BACKGROUND, Annotations, Scribble

AROUND = 3.0  # px: so far beyond its scribble lie the extreme points of a helper


def with_helpers(annotations: Annotations, size: tuple[int, int]) -> Annotations:
    """Make a region of its own of every scribble of no region: a helper, which competes with the others.

    The labels of a helper are to be VOID. Its extreme points are those of its scribble, so it claims little beyond it,
    but kriging also lowers the other regions' logits where the image looks alike.

    Args:
        annotations: checked, of N regions.
        size: (H, W) of the image in pixels.

    Returns:
        Of N regions and H helpers: annotations whose scribbles all are of one of them, in the same order.
    """
    quads, scribbles = list(annotations.extreme_points), []
    for scribble in annotations.scribbles:
        region = scribble.region
        if region == BACKGROUND:
            region = len(quads)
            quads.append(_quad(scribble.points, size))
        scribbles.append(Scribble(region, scribble.points))
    return Annotations(np.array(quads, np.float32).reshape(-1, 4, 2), scribbles)


def _quad(path: NDArray[np.float32], size: tuple[int, int]) -> NDArray[np.float32]:
    """Return the extreme points (4, 2) of a scribble (K, 2), a little beyond it."""
    x, y = path.T
    ends = path[[x.argmin(), y.argmin(), x.argmax(), y.argmax()]]
    beyond = ends + AROUND * np.array([[-1, 0], [0, -1], [1, 0], [0, 1]], np.float32)
    quad: NDArray[np.float32] = beyond.clip(0, (size[1] - 1, size[0] - 1)).astype(np.float32)
    return quad
