"""Error regions: where a prediction is wrong, and what it is worth to correct each error (paper, Sec. 4)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.run_lengths import Runs, bounding_boxes, connect, find_runs, touching
from fullseg.types import BACKGROUND, VOID


class ErrorPixels(NamedTuple):
    """The pixels of all K errors of an image. Runs have the number of the error as ``value``, in rising order."""

    all: Runs  # all pixels of the errors
    border: Runs  # of these the pixels beside a correctly labelled pixel of the error's true region; maybe none
    given: NDArray[np.int64]  # (K, N), number of pixels that each error gives to each region: its false positives


class ErrorRegion(NamedTuple):
    """A connected group of pixels of one true region that the prediction gives to others, or to none."""

    region: int  # its true region, in [0, N)
    gain: float  # its importance: gain in the image's mean IoU if all its pixels were corrected, in [0, 1]
    area: int  # in square pixels
    box: tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels, x1 and y1 exclusive
    number: int  # its number in ``pixels``
    pixels: ErrorPixels  # of all errors of the image, which share this object

    @property
    def mask(self) -> NDArray[np.bool_]:
        """The pixels of the error within its box, (y1 - y0, x1 - x0) bool."""
        x0, y0, x1, y1 = self.box
        mine = self.pixels.all.select(self.pixels.all.value == self.number)
        column = np.arange(x0, x1)
        inside = (mine.start[:, None] <= column) & (column < mine.stop[:, None])  # (R, x1 - x0)
        mask = np.zeros((y1 - y0, x1 - x0), bool)
        np.logical_or.at(mask, mine.row - y0, inside)
        return mask


def pixels_of(errors: Sequence[ErrorRegion], width: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels of some errors of one image.

    Args:
        errors: E errors from one call of ``error_regions``, each once.
        width: of the image in pixels.

    Returns:
        Pixels (P,), y * width + x, each once; and the error (P,) in [0, E) that each belongs to.
    """
    if not errors:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    runs = errors[0].pixels.all
    place = np.full(runs.value[-1] + 1, -1)
    place[[error.number for error in errors]] = np.arange(len(errors))
    runs = runs.select(place[runs.value] >= 0)
    lengths = runs.stop - runs.start
    ends = np.cumsum(lengths)
    pixels = np.arange(ends[-1]) + (runs.row * width + runs.stop - ends).repeat(lengths)
    return pixels, place[runs.value].repeat(lengths)


def error_regions(truth: NDArray[np.integer], prediction: NDArray[np.integer], num_regions: int) -> list[ErrorRegion]:
    """Find all error regions, by falling importance.

    The importance of an error is the gain in the image's mean IoU if it were corrected. Let I and U be the intersection
    and the union of a region. The true region r gets ``area`` pixels back and gains ``area / U_r``. Each other region p
    loses the n_p false positives that the error gave it, and gains ``I_p / (U_p - n_p) - I_p / U_p``. The mean is over
    the regions with true pixels. A BACKGROUND pixel that is given to a region belongs to its union, but to no error
    region, as no region's scribble could correct it.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND. A VOID pixel is never wrong.
        prediction: (H, W) int, region in [0, N), or VOID for a pixel of no region.
        num_regions: N.

    Returns:
        Error regions, 8-connected, by falling gain; those of equal gain in reading order of their first pixels.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    runs, given = _runs_of_both(truth, prediction, num_regions)  # all that follows is computed from runs, not pixels
    wrong = (runs.value != given) & (runs.value >= 0)  # (R,)
    if not wrong.any():
        return []
    pairs = touching(runs, truth.shape[1])
    error, count = _connect_wrong(wrong, pairs)  # (R,) of K errors
    border = _border(runs, error, pairs, truth.shape)
    number = np.flatnonzero(wrong)
    number = number[np.argsort(error[number], kind="stable")]
    mistakes, error = runs.select(number), error[number]  # error by error
    lost = np.zeros((count, num_regions + 1), np.int64)  # pixels that each error gave to none (0) and to each region
    np.add.at(lost, (error, given[number] - VOID), mistakes.stop - mistakes.start)
    region, area = mistakes.value[np.searchsorted(error, np.arange(count))], lost.sum(axis=1)  # (K,)
    pixels_of = runs.stop - runs.start  # (R,)
    true_area = np.bincount(runs.value - BACKGROUND, pixels_of, num_regions + 2)[2:]  # (N,)
    outside = np.bincount(given - VOID, pixels_of * (runs.value == BACKGROUND), num_regions + 1)[1:]  # (N,)
    gain = _gains(np.asarray(true_area, np.float64), np.asarray(outside, np.float64), region, area, lost[:, 1:])
    boxes = bounding_boxes(mistakes, error, count).T
    pixels = ErrorPixels(mistakes._replace(value=error), border, lost[:, 1:])
    order = np.argsort(-gain, kind="stable")
    columns = (order, region[order], gain[order], area[order], boxes[order])
    return [
        ErrorRegion(r, g, a, (x0, y0, x1, y1), k, pixels)
        for k, r, g, a, (x0, y0, x1, y1) in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _runs_of_both(
    truth: NDArray[np.integer], prediction: NDArray[np.integer], num_regions: int
) -> tuple[Runs, NDArray[np.int64]]:
    """Cut both maps into runs of one true and one predicted region.

    Returns:
        R runs, whose ``value`` is the true region, and the predicted region (R,) of each.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    if truth.shape != prediction.shape:
        raise ValueError(f"prediction is {prediction.shape}, truth is {truth.shape}")
    runs = find_runs(truth, prediction)
    given = prediction[runs.row, runs.start].astype(np.int64)
    for name, regions, least in (("prediction", given, VOID), ("truth", runs.value, BACKGROUND)):
        if len(regions) and not (regions.min() >= least and regions.max() < num_regions):
            raise ValueError(f"{name} holds regions {regions.min()} to {regions.max()} of {num_regions}")
    return runs, given


def _connect_wrong(wrong: NDArray[np.bool_], pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Connect wrong runs to errors.

    Args:
        wrong: (R,), whether each run is wrong.
        pairs: (2, P), numbers of touching runs of one true region.

    Returns:
        The error (R,) in [0, K) of each run, -1 for a run that is right; and K.
    """
    number = np.cumsum(wrong) - 1  # number of each wrong run among the wrong ones
    error = np.full(len(wrong), -1)
    error[wrong], count = connect(
        int(number[-1]) + 1, number[pairs.compress(wrong[pairs[0]] & wrong[pairs[1]], axis=1)]
    )
    return error, count


def _border(runs: Runs, error: NDArray[np.int64], pairs: NDArray[np.int64], size: tuple[int, ...]) -> Runs:
    """Return the pixels of errors that touch a run that is right.

    Args:
        runs: R of an image.
        error: (R,), the error of each run, or -1.
        pairs: (2, P), numbers of touching runs of one true region.
        size: (H, W) of the image in pixels.

    Returns:
        Runs whose ``value`` is the error, in rising order; some may have no pixel.
    """
    wrong = error[pairs] >= 0
    facing = pairs.compress(wrong[0] != wrong[1], axis=1)  # (2, B)
    mistake, right = np.where(error[facing[0]] >= 0, facing, facing[::-1])
    start = np.maximum(runs.start[mistake], runs.start[right] - 1)
    stop = np.minimum(runs.stop[mistake], runs.stop[right] + 1)
    line = error[mistake] * size[0] + runs.row[mistake]  # row in a stack of images, one per error
    order = np.argsort(line * size[1] + start, kind="stable")
    line, start, stop = line[order], start[order], stop[order]
    # A pixel beside several runs must come once: each part starts where all parts before it have ended.
    ended = np.maximum.accumulate(line * size[1] + stop)
    start[1:] = np.maximum(start[1:], ended[:-1] - line[1:] * size[1])
    return Runs(line // size[0], line % size[0], start, np.maximum(start, stop))


def _gains(
    true_area: NDArray[np.float64],
    outside: NDArray[np.float64],
    region: NDArray[np.int64],
    area: NDArray[np.int64],
    stolen: NDArray[np.int64],
) -> NDArray[np.float64]:
    """Return the gains (K,) of all K errors of an image.

    Args:
        true_area: (N,), number of true pixels of every region.
        outside: (N,), number of BACKGROUND pixels that the prediction gives to every region.
        region: (K,), true region of every error.
        area: (K,), number of pixels of every error.
        stolen: (K, N), number of pixels that every error gives to every region.
    """
    # A region's true pixels that are in no error are right. The pixels that errors give it belong to its union.
    intersection = true_area - np.bincount(region, weights=area, minlength=len(true_area))  # (N,), whole numbers
    union = true_area + outside + stolen.sum(axis=0)
    error, thief = np.nonzero(stolen)
    kept = intersection[thief]
    fewer = union[thief] - stolen[error, thief]
    theirs = np.divide(kept, fewer, out=np.zeros(len(kept)), where=kept > 0) - kept / union[thief]
    gain = area / union[region] + np.bincount(error, weights=theirs, minlength=len(area))
    return np.asarray(gain / np.count_nonzero(true_area), np.float64)
