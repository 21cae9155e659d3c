"""Regions that are annotated each by itself, as single objects: a mask per region, and no competition for pixels.

To its annotator the image has one region, and everything else is BACKGROUND (paper, Sec. 5.3: the single-region
baseline). A scribble tells the region's mask what it lacks. Nothing can tell it what it has too much: the network of
this baseline sees no annotation of another region. So a region whose mask lacks nothing gets no scribble.
"""

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.errors import ErrorRegion, error_regions
from fullseg.simulation.scribbles import simulate_scribbles
from fullseg.types import BACKGROUND, VOID, Scribble

ALONE = "alone"  # beside the allocations of allocation.py


def truth_alone(truth: NDArray[np.integer], region: int) -> NDArray[np.int64]:
    """Return the truth (H, W) as the annotator of one region sees it: 0 in the region, else BACKGROUND or VOID."""
    return np.where(truth == region, 0, np.where(truth == VOID, VOID, BACKGROUND))


def mask_alone(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a mask (H, W) as a region map of one region: 0 in the mask, else VOID."""
    return np.where(mask, 0, VOID)


def correct_alone(
    truth: NDArray[np.integer], masks: NDArray[np.bool_], rng: np.random.Generator
) -> tuple[list[Scribble], list[ErrorRegion]]:
    """Draw one round of scribbles: one for every region whose mask lacks pixels, on its most important error.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        masks: (N, H, W) bool, which may overlap. VOID pixels of the truth do not count.
        rng: source of all randomness.

    Returns:
        The scribbles, and the error that each was drawn for. An error's gain is in the IoU of its own region. Its
        pixels are numbered among the errors of this region alone.
    """
    scribbles: list[Scribble] = []
    errors: list[ErrorRegion] = []
    for region, mask in enumerate(masks):
        own = truth_alone(truth, region)
        for error in error_regions(own, mask_alone(mask), 1)[:1]:
            [scribble] = simulate_scribbles(own, [error], rng)
            scribbles.append(scribble._replace(region=region))
            errors.append(error._replace(region=region))
    return scribbles, errors
