"""Boundary IoU (Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021)."""

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects

from fullseg.types import VOID

BOUNDARY_WIDTH = 0.02  # of a band, as a part of the image's diagonal (Cheng et al., Sec. 5)


def boundary_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]:
    """Return the boundary IoU of every region: the IoU of two bands, along the predicted and the true contour.

    A band lies inside its mask. It holds the pixels that d erosions by a 3 x 3 square remove, where d is 2 % of the
    image's diagonal. The border of the image counts as contour. VOID pixels of the truth are not scored.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        num_regions: N.

    Returns:
        (N,) float64 in [0, 1]; NaN for a region without a scored pixel in either band.
    """
    reach = max(1, round(BOUNDARY_WIDTH * float(np.hypot(*truth.shape))))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    boxes = (find_objects(regions + 1, max_label=num_regions) for regions in (prediction, truth))
    iou = np.full(num_regions, np.nan)
    for region, pair in enumerate(zip(*boxes, strict=True)):
        found = [box for box in pair if box is not None]
        if not found:
            continue
        frame = tuple(
            slice(min(box[axis].start for box in found), max(box[axis].stop for box in found)) for axis in (0, 1)
        )
        scored = truth[frame] != VOID
        mine, wanted = (_band(regions[frame] == region, kernel) & scored for regions in (prediction, truth))
        union = np.count_nonzero(mine | wanted)
        if union:
            iou[region] = np.count_nonzero(mine & wanted) / union
    return iou


def _band(mask: NDArray[np.bool_], kernel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels of a mask that erosion removes. Outside the array there is no mask."""
    core = cv2.erode(mask.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    band: NDArray[np.bool_] = mask & (core == 0)
    return band
