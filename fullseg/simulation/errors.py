"""Error regions: where a prediction is wrong, and what putting each right is worth (paper, Sec. 4)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.runs import Runs, bounding_boxes, connect, find_runs
from fullseg.types import VOID


class ErrorRegion(NamedTuple):
    """A connected group of pixels of one true region that the prediction gives to others, or to none."""

    region: int  # its true region, in [0, N)
    gain: float  # in mean IoU of the image if all its pixels were given to their true region, in [0, 1]
    area: int  # square pixels
    box: tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels, x1 and y1 exclusive
    mask: NDArray[np.bool_]  # (y1 - y0, x1 - x0), its pixels within the box


def error_regions(truth: NDArray[np.int64], prediction: NDArray[np.int64], num_regions: int) -> list[ErrorRegion]:
    """Find all error regions, the most important first.

    Importance is the gain in the image's mean IoU, in closed form. Given back its ``area`` pixels, the true region r
    gains ``area / U_r``; each region p loses the n_p false positives that the error gave it and gains
    ``I_p / (U_p - n_p) - I_p / U_p`` (I, U: intersection and union). The mean is over the regions with true pixels.

    Args:
        truth: (H, W) int, region in [0, N) or VOID. VOID pixels are never wrong.
        prediction: (H, W) int, likewise. A VOID prediction belongs to no region.
        num_regions: N.

    Returns:
        Error regions (8-connected), by falling gain; those that gain the same in reading order.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    check_maps(truth, prediction, num_regions)
    wrong = (truth != prediction) & (truth != VOID)
    pixels = np.flatnonzero(wrong)  # (P,)
    if len(pixels) == 0:
        return []
    runs, true_area = _wrong_runs(truth, wrong, num_regions)  # R runs
    number, count = connect(runs, truth.shape[1])  # (R,) error region of every run, K in all
    region = runs.value[np.unique(number, return_index=True)[1]]  # (K,)
    number_at = number.repeat(runs.stop - runs.start)  # (P,)
    pairs = number_at * (num_regions + 1) + prediction.ravel()[pixels] - VOID  # (P,)
    lost = np.bincount(pairs, minlength=count * (num_regions + 1)).reshape(count, -1)  # (K, 1 + N) to none, to each
    area = lost.sum(axis=1)
    gain = _gains(true_area, region, area, lost[:, 1:])
    labels = np.full(truth.shape, -1, np.int32)
    labels.ravel()[pixels] = number_at
    order = np.argsort(-gain, kind="stable")
    columns = (order, region[order], gain[order], area[order], bounding_boxes(runs, number, count)[:, order].T)
    return [
        ErrorRegion(r, g, a, (x0, y0, x1, y1), labels[y0:y1, x0:x1] == k)
        for k, r, g, a, (x0, y0, x1, y1) in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _wrong_runs(
    truth: NDArray[np.int64], wrong: NDArray[np.bool_], num_regions: int
) -> tuple[Runs, NDArray[np.float64]]:
    """Return the runs of wrong pixels (H, W) of one true region, and the number of pixels of every region (N,)."""
    # Odd where wrong, even where right: one look at all pixels tells both. int32 is half the bytes to read.
    runs = find_runs(2 * truth.astype(np.int32) + wrong, 0, 2 * num_regions)
    lengths = (runs.stop - runs.start).astype(np.float64)
    area = np.bincount(runs.value // 2, weights=lengths, minlength=num_regions)
    runs = runs.select(runs.value % 2 == 1)
    return runs._replace(value=runs.value // 2), np.asarray(area, np.float64)


def check_maps(truth: NDArray[np.int64], prediction: NDArray[np.int64], num_regions: int) -> None:
    """Raise ValueError unless both maps have one shape and hold only VOID and regions in [0, N)."""
    if truth.shape != prediction.shape:
        raise ValueError(f"prediction is {prediction.shape}, truth is {truth.shape}")
    for name, regions in (("prediction", prediction), ("truth", truth)):
        if regions.size and not (regions.min() >= VOID and regions.max() < num_regions):
            raise ValueError(f"{name} holds regions {regions.min()} to {regions.max()} of {num_regions}")


def _gains(
    true_area: NDArray[np.float64], region: NDArray[np.int64], area: NDArray[np.int64], stolen: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the gains (K,) of all K errors of an image.

    Args:
        true_area: (N,) pixels of every region.
        region: (K,) true region of every error.
        area: (K,) pixels of every error.
        stolen: (K, N) pixels that every error gave to every region.
    """
    # What a region has and no error took is right; what errors gave to it widens its union.
    intersection = true_area - np.bincount(region, weights=area, minlength=len(true_area))  # (N,) float64, whole
    union = true_area + stolen.sum(axis=0)
    error, thief = np.nonzero(stolen)
    kept = intersection[thief]
    fewer = union[thief] - stolen[error, thief]
    theirs = np.divide(kept, fewer, out=np.zeros(len(kept)), where=kept > 0) - kept / union[thief]
    gain = area / union[region] + np.bincount(error, weights=theirs, minlength=len(area))
    return np.asarray(gain / np.count_nonzero(true_area), np.float64)
