"""Where a prediction is wrong: beside the boundaries of the true regions, or inside the regions."""

from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.metrics.region_iou import iou_of_counts
from fullseg.types import BACKGROUND, VOID

REACH = 2  # px from a pixel's centre to that of a pixel of another region
_DISC = np.add.outer(np.arange(-REACH, REACH + 1) ** 2, np.arange(-REACH, REACH + 1) ** 2) <= REACH**2


class ErrorParts(NamedTuple):
    """The wrong pixels of one image of N regions, beside the boundaries and inside."""

    scored: int  # pixels that are not VOID in the truth
    at_boundary: int  # wrong pixels in the boundary band
    inside: int  # all other wrong pixels
    iou_if_boundary_mended: NDArray[np.float64]  # (N,) in [0, 1], if the wrong pixels of the band became right
    iou_if_inside_mended: NDArray[np.float64]  # (N,) in [0, 1], if all other wrong pixels became right


def boundary_band(truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the pixels within ``REACH`` px of a true boundary.

    These are the pixels that have a pixel of another region, or of BACKGROUND, at most 2 px away from centre to centre.
    So the band is two pixels wide on each side of a boundary. Neither the border of the image nor VOID is a boundary.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.

    Returns:
        (H, W) bool; of no meaning where the truth is VOID.
    """
    label, void = (truth - BACKGROUND).astype(np.float32), truth == VOID
    highest = cv2.dilate(np.where(void, np.float32(-1), label), _DISC.view(np.uint8))
    lowest = cv2.erode(np.where(void, np.float32(np.inf), label), _DISC.view(np.uint8))
    band: NDArray[np.bool_] = highest > lowest
    return band


def error_parts(
    prediction: NDArray[np.int64], truth: NDArray[np.int64], band: NDArray[np.bool_], num_regions: int
) -> ErrorParts:
    """Count the wrong pixels in the boundary band and outside of it, and what each kind costs.

    A pixel is wrong if its region differs from the true one. In the BACKGROUND of the truth VOID is right.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND. VOID pixels are not scored.
        band: (H, W) bool, of ``boundary_band(truth)``.
        num_regions: N.
    """
    # Pixels by place, prediction and truth as in ``iou_of_counts``; the truth's column 1, VOID, is dropped.
    rows, columns = num_regions + 1, num_regions + 2
    triples = (band * rows + prediction - VOID) * columns + truth - BACKGROUND
    counts = np.bincount(triples.ravel(), minlength=2 * rows * columns).reshape(2, rows, columns)
    counts = np.delete(counts, VOID - BACKGROUND, axis=2)
    wrong = counts * ~np.eye(rows, dtype=bool)
    inside, at_boundary = wrong.sum(axis=(1, 2)).tolist()
    # The wrong pixels of a part become right: they move to the diagonal, within their column.
    mended = [counts.sum(axis=0) - part + np.diag(part.sum(axis=0)) for part in wrong]
    if_inside, if_boundary = (iou_of_counts(torch.from_numpy(part)).numpy() for part in mended)
    return ErrorParts(int(counts.sum()), at_boundary, inside, if_boundary, if_inside)
