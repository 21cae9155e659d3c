"""What an interaction is worth: quality against effort.

Effort is counted in scribbles; the extreme points are given before the first. Arrays of one image are (R + 1, N): state
after every round, 0 being the extreme points alone, of every region.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
TARGETS = (0.85, 0.90)  # IoU


class Effort(NamedTuple):
    """What it takes to bring the regions of all images to a target IoU."""

    noc: float  # number of scribbles to the target: mean over regions
    nci: float  # normalised scribbles per image: mean over images
    failed_regions: float  # share that never reaches it
    failed_images: float  # share with a region that never reaches it


def effort(iou: list[Floats], scribbles: list[NDArray[np.int64]], target: float, budget: int) -> Effort:
    """Count the scribbles until regions, and whole images, reach a target IoU.

    ``noc``: as the number of clicks of Sofiiuk et al. (RITM, ICIP 2022, Sec. 4), for scribbles: how many a region got
    until it first reached the target; one that never does counts as the budget, or what it got if that is more.
    ``nci``: as the normalised clicks per image of Rana et al. (DynaMITe, ICCV 2023, Sec. 4): scribbles on the whole
    image until all its regions have reached the target, divided by their number; a failed image counts as the budget,
    or what it got if that is more.

    Args:
        iou: of every image (R + 1, N) in [0, 1]; regions with NaN are left out.
        scribbles: likewise, the number that each region has got so far.
        target: IoU in (0, 1].
        budget: scribbles per region that are given before giving up: R.

    Returns:
        Means and shares; NaN where there is nothing to count.
    """
    regions, reached, images, finished = [], [], [], []
    for quality, given in zip(iou, scribbles, strict=True):
        scored = ~np.isnan(quality[0])
        if not scored.any():
            continue
        good = quality[:, scored] >= target  # (R + 1, n)
        hit = good.any(axis=0)
        own = given[:, scored]
        at_first = own[good.argmax(axis=0), np.arange(own.shape[1])]
        regions.append(np.where(hit, at_first, np.maximum(budget, own[-1])))
        reached.append(hit)
        last = good.argmax(axis=0).max() if hit.all() else -1
        per_region = given[last].sum() / given.shape[1]
        images.append(per_region if hit.all() else max(budget, per_region))
        finished.append(hit.all())
    if not images:
        return Effort(*4 * [float("nan")])
    every, all_reached = np.concatenate(regions), np.concatenate(reached)
    return Effort(
        float(every.mean()), float(np.mean(images)), float(1 - all_reached.mean()), float(1 - np.mean(finished))
    )


def area_under_curve(scribbles_per_region: Floats, quality: Floats, budget: float) -> float:
    """Return the mean height of a curve (R + 1,) over [0, budget] scribbles per region, its last value held."""
    x, y = np.append(scribbles_per_region, max(budget, scribbles_per_region[-1])), np.append(quality, quality[-1])
    return float(np.trapezoid(y, x) / x[-1]) if x[-1] else float(y[-1])


def scribbles_to(scribbles_per_region: Floats, quality: Floats, target: float) -> float | None:
    """Return where a curve (R + 1,), linear between rounds, first reaches a target; None if it never does."""
    good = quality >= target
    if not good.any():
        return None
    after = int(good.argmax())
    if after == 0:
        return float(scribbles_per_region[0])
    (x0, x1), (y0, y1) = scribbles_per_region[after - 1 : after + 1], quality[after - 1 : after + 1]
    return float(x0 + (x1 - x0) * (target - y0) / (y1 - y0))


def bootstrap_band(sums: Floats, counts: NDArray[np.int64], resamplings: int, rng: np.random.Generator) -> Floats:
    """Return the 95 % percentile interval of the mean over regions, images being resampled (Efron 1979).

    Args:
        sums: (I, R + 1) sum over each image's regions.
        counts: (I,) number of regions of each image.
        resamplings: of the images, with replacement.
        rng: source of all randomness.

    Returns:
        (R + 1, 2) lower and upper end.
    """
    draws = rng.multinomial(len(counts), np.full(len(counts), 1 / len(counts)), size=resamplings)  # (B, I)
    means = (draws @ sums) / (draws @ counts)[:, None]  # (B, R + 1)
    return np.asarray(np.quantile(means, (0.025, 0.975), axis=0).T, np.float64)
