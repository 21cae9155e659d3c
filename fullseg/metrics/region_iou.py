"""Region IoU at full resolution (paper, Sec. 5)."""

from typing import TYPE_CHECKING, overload

import numpy as np
from numpy.typing import NDArray

from fullseg.types import BACKGROUND, VOID

if TYPE_CHECKING:
    from torch import Tensor

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}  # in square pixels, as in COCO


@overload
def region_iou(prediction: "Tensor", truth: "Tensor", num_regions: int) -> "Tensor": ...


@overload
def region_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]: ...


def region_iou(
    prediction: "Tensor | NDArray[np.int64]", truth: "Tensor | NDArray[np.int64]", num_regions: int
) -> "Tensor | NDArray[np.float64]":
    """Return the intersection over union of every region of one image.

    Pixels that are VOID in the truth are not scored. A pixel that is VOID in the prediction belongs to no region, which
    is right if the truth is BACKGROUND.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID; a numpy array or a tensor.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND; of the same type.
        num_regions: N.

    Returns:
        (N,) float64 in [0, 1], an array or a tensor as the arguments; NaN for a region that has a scored pixel in
        neither map.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    import torch  # not above: commands that compare files start seconds faster without it

    if tuple(prediction.shape) != tuple(truth.shape):
        raise ValueError(f"prediction is {tuple(prediction.shape)}, truth is {tuple(truth.shape)}")
    given, wanted = torch.as_tensor(prediction).flatten().long(), torch.as_tensor(truth).flatten().long()
    for name, regions, least in (("prediction", given, VOID), ("truth", wanted, BACKGROUND)):
        if len(regions) and not (int(regions.min()) >= least and int(regions.max()) < num_regions):
            raise ValueError(f"{name} holds regions {int(regions.min())} to {int(regions.max())} of {num_regions}")
    # Pixels by prediction (rows) and truth (columns); column 0 is BACKGROUND, column 1 is VOID.
    pairs = (given - VOID) * (num_regions + 2) + (wanted - BACKGROUND)
    counts = torch.bincount(pairs, minlength=(num_regions + 1) * (num_regions + 2)).view(num_regions + 1, -1)
    iou = iou_of_counts(torch.cat([counts[:, :1], counts[:, 2:]], dim=1))
    return iou if isinstance(prediction, torch.Tensor) else iou.numpy()


def iou_of_counts(counts: "Tensor") -> "Tensor":
    """Return the intersection over union of N regions.

    Args:
        counts: (N + 1, N + 1) int64, number of scored pixels by prediction (rows; row 0 is VOID) and by truth (columns;
            column 0 is BACKGROUND).

    Returns:
        (N,) float64 in [0, 1]; NaN for a region without a pixel.
    """
    intersection = counts[1:, 1:].diagonal()
    union = counts[1:].sum(dim=1) + counts[:, 1:].sum(dim=0) - intersection
    return intersection.double() / union.double()


def independent_iou(masks: "Tensor", truth: "Tensor") -> "Tensor":
    """Return the IoU of each region's mask by itself, no matter which other masks cover the same pixels.

    Args:
        masks: (N, H, W) bool, the pixels that each region claims.
        truth: (H, W) int64, region in [0, N), VOID or BACKGROUND. VOID pixels are not scored.

    Returns:
        (N,) float64 in [0, 1]; NaN for a region that has a scored pixel neither in its mask nor in the truth.
    """
    import torch

    scored = truth != VOID
    mask = masks & scored
    wanted = truth == torch.arange(len(masks), device=truth.device)[:, None, None]
    return (mask & wanted).sum(dim=(1, 2)).double() / (mask | wanted).sum(dim=(1, 2)).double()
