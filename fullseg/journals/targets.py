"""Which error a person's scribble was drawn for."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Strokes
from fullseg.simulation.errors import ErrorRegion, pixels_of
from fullseg.types import Scribble

NO_ERROR = -1


def targets(scribbles: Sequence[Scribble], errors: Sequence[ErrorRegion], size: tuple[int, int]) -> list[int | None]:
    """Find the error that each scribble was drawn for: of its region's errors, the one with most of its pixels.

    Args:
        scribbles: S scribbles.
        errors: of the prediction that the person saw, from one call of ``error_regions``.
        size: (H, W) of the image.

    Returns:
        S positions in ``errors``; None for a scribble that lies on no error of its region.
    """
    if not scribbles or not errors:
        return [None] * len(scribbles)
    at, error = pixels_of(errors, size[1])
    there = np.full(size[0] * size[1], NO_ERROR)
    there[at] = error
    region_of = np.array([one.region for one in errors])
    return [
        _met(there[own], region_of, scribble.region)
        for scribble, own in zip(scribbles, lines(scribbles, size), strict=True)
    ]


def lines(scribbles: Sequence[Scribble], size: tuple[int, int]) -> list[NDArray[np.int64]]:
    """Return the pixels, y * W + x, each once, on the line of each scribble in an image of ``size`` (H, W)."""
    strokes = Strokes.pack(list(scribbles))
    pixels, stroke = (part.numpy() for part in line_pixels(strokes.points, strokes.lengths, size))
    return [np.unique(pixels[stroke == number]) for number in range(len(scribbles))]


def _met(crossed: NDArray[np.int64], region_of: NDArray[np.int64], region: int) -> int | None:
    crossed = crossed[crossed != NO_ERROR]
    own = crossed[region_of[crossed] == region]
    return int(np.bincount(own).argmax()) if len(own) else None
