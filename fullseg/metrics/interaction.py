"""Metrics of an interaction: quality against effort.

Effort is a number of scribbles. The extreme points do not count. Arrays of one image are (R + 1, N): row 0 is the state
after the extreme points, row r the state after round r; a column is a region.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TARGETS = (0.85, 0.90)  # values of IoU that are to be reached


class Effort(NamedTuple):
    """The effort to bring the regions of all images to a target IoU."""

    noc: float  # scribbles until a region reaches the target, mean over the regions
    nci: float  # scribbles per region until all regions of an image reach the target, mean over the images
    failed_regions: float  # part of the regions that never reach it, in [0, 1]
    failed_images: float  # part of the images with a region that never reaches it, in [0, 1]
    failed_regions_by_round: list[float]  # R + 1 values: part of the regions that have not reached it until then
    failed_images_by_round: list[float]  # likewise


def effort(iou: list[Floats], scribbles: list[NDArray[np.int64]], target: float, budget: int) -> Effort:
    """Count the scribbles until regions, and whole images, reach a target IoU.

    ``noc`` is the number of clicks of Sofiiuk et al. (RITM, ICIP 2022, Sec. 4), for scribbles: those that a region has
    when it first reaches the target. ``nci`` is the normalised clicks per image of Rana et al. (DynaMITe, ICCV 2023,
    Sec. 4), for scribbles: those on the whole image when all its regions have reached the target, divided by the number
    of regions. A region or image that fails counts with the budget, or with its scribbles if those are more.

    Args:
        iou: of each image (R + 1, N), in [0, 1]. A region with NaN is left out.
        scribbles: of each image (R + 1, N), the number of scribbles that each region has so far.
        target: IoU in (0, 1].
        budget: R, scribbles per region before the annotator gives up.

    Returns:
        The means; NaN if no region is scored.
    """
    regions, reached, images, finished = [], [], [], []  # of each image; reached: (R + 1, n), finished: (R + 1,)
    for quality, given in zip(iou, scribbles, strict=True):
        scored = ~np.isnan(quality[0])
        if not scored.any():
            continue
        good = quality[:, scored] >= target  # (R + 1, n)
        hit = good.any(axis=0)
        own = given[:, scored]
        at_first = own[good.argmax(axis=0), np.arange(own.shape[1])]
        regions.append(np.where(hit, at_first, np.maximum(budget, own[-1])))
        reached.append(np.logical_or.accumulate(good))
        last = good.argmax(axis=0).max() if hit.all() else -1
        per_region = given[last].sum() / given.shape[1]
        images.append(per_region if hit.all() else max(budget, per_region))
        finished.append(reached[-1].all(axis=1))
    if not images:
        return Effort(np.nan, np.nan, np.nan, np.nan, [], [])
    failed_regions = 1 - np.concatenate(reached, axis=1).mean(axis=1)
    failed_images = 1 - np.mean(finished, axis=0)
    return Effort(
        float(np.concatenate(regions).mean()),
        float(np.mean(images)),
        float(failed_regions[-1]),
        float(failed_images[-1]),
        failed_regions.tolist(),
        failed_images.tolist(),
    )


def area_under_curve(scribbles_per_region: Floats, quality: Floats, budget: float) -> float:
    """Return the mean quality over [0, budget] scribbles per region.

    Args:
        scribbles_per_region: (R + 1,), rising from 0.
        quality: (R + 1,), at these numbers of scribbles; linear in between. The last value holds up to the budget.
        budget: scribbles per region; what comes after it does not count.
    """
    before = scribbles_per_region < budget
    x = np.append(scribbles_per_region[before], budget)
    y = np.append(quality[before], np.interp(budget, scribbles_per_region, quality))
    return float(np.trapezoid(y, x) / budget) if budget else float(y[-1])


def scribbles_to(scribbles_per_region: Floats, quality: Floats, target: float) -> float | None:
    """Return the scribbles per region at which a curve first reaches a target; None if it never does.

    Args:
        scribbles_per_region: (R + 1,), rising from 0.
        quality: (R + 1,), at these numbers of scribbles; linear in between.
        target: quality to reach.
    """
    good = quality >= target
    if not good.any():
        return None
    after = int(good.argmax())
    if after == 0:
        return float(scribbles_per_region[0])
    (x0, x1), (y0, y1) = scribbles_per_region[after - 1 : after + 1], quality[after - 1 : after + 1]
    return float(x0 + (x1 - x0) * (target - y0) / (y1 - y0))


def bootstrap_band(sums: Floats, counts: NDArray[np.int64], resamplings: int, rng: np.random.Generator) -> Floats:
    """Return 95 % confidence intervals of the mean over all regions, by resampling the images (Efron 1979).

    Args:
        sums: (I, R + 1), sum over the regions of each image.
        counts: (I,), number of regions of each image.
        resamplings: B, of the I images with replacement.
        rng: source of all randomness.

    Returns:
        (R + 1, 2), the 2.5 % and the 97.5 % percentile.
    """
    # How often each resampling draws each image.
    times = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=resamplings)  # (B, I)
    means = (times @ sums) / (times @ counts)[:, None]  # (B, R + 1)
    return np.asarray(np.quantile(means, (0.025, 0.975), axis=0).T, np.float64)
