"""Error regions: where a prediction is wrong, and what putting each right is worth (paper, Sec. 4)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from skimage.measure import label

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
    labels: NDArray[np.int64] = label(np.where(wrong, truth + 1, 0), background=0, connectivity=2)  # type: ignore[no-untyped-call]
    pixels = np.flatnonzero(wrong)
    if len(pixels) == 0:
        return []
    number = labels.ravel()[pixels] - 1  # (P,) error region of every wrong pixel, K in all
    given = prediction.ravel()[pixels]  # (P,)
    count = int(number.max()) + 1
    stolen = np.bincount(number * (num_regions + 1) + given - VOID, minlength=count * (num_regions + 1))
    stolen = stolen.reshape(count, num_regions + 1)[:, 1:]  # (K, N) pixels that each error gave to each region
    area = np.bincount(number, minlength=count)
    region = np.empty(count, np.int64)
    region[number] = truth.ravel()[pixels]
    gain = _gains(truth, prediction, num_regions, region, area, stolen)
    boxes = find_objects(labels)
    errors = []
    for k in np.argsort(-gain, kind="stable").tolist():
        rows, columns = boxes[k]
        box = (columns.start, rows.start, columns.stop, rows.stop)
        errors.append(ErrorRegion(int(region[k]), float(gain[k]), int(area[k]), box, labels[rows, columns] == k + 1))
    return errors


def check_maps(truth: NDArray[np.int64], prediction: NDArray[np.int64], num_regions: int) -> None:
    """Raise ValueError unless both maps have one shape and hold only VOID and regions in [0, N)."""
    if truth.shape != prediction.shape:
        raise ValueError(f"prediction is {prediction.shape}, truth is {truth.shape}")
    for name, regions in (("prediction", prediction), ("truth", truth)):
        if regions.size and not (regions.min() >= VOID and regions.max() < num_regions):
            raise ValueError(f"{name} holds regions {regions.min()} to {regions.max()} of {num_regions}")


def _gains(
    truth: NDArray[np.int64],
    prediction: NDArray[np.int64],
    num_regions: int,
    region: NDArray[np.int64],
    area: NDArray[np.int64],
    stolen: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Gain (K,) of K errors of true regions (K,), with areas (K,) and pixels given to each region (K, N)."""
    pairs = (truth - VOID) * (num_regions + 1) + prediction - VOID
    counts = np.bincount(pairs.ravel(), minlength=(num_regions + 1) ** 2).reshape(num_regions + 1, -1)[1:]
    intersection = counts[:, 1:].diagonal().astype(np.float64)  # (N,)
    union = counts.sum(axis=1) + counts[:, 1:].sum(axis=0) - intersection
    error, thief = np.nonzero(stolen)
    kept = intersection[thief]
    fewer = union[thief] - stolen[error, thief]
    theirs = np.divide(kept, fewer, out=np.zeros(len(kept)), where=kept > 0) - kept / union[thief]
    gain = area / union[region] + np.bincount(error, weights=theirs, minlength=len(area))
    present = np.count_nonzero(counts.sum(axis=1))
    return np.asarray(gain / present, np.float64)
