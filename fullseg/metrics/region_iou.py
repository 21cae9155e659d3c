"""What a segmentation is worth at full resolution: region IoU (paper, Sec. 5), boundary IoU, panoptic quality."""

from typing import Any, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics import Metric

from fullseg.types import BACKGROUND, VOID

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}  # px^2, as COCO


@overload
def region_iou(prediction: Tensor, truth: Tensor, num_regions: int) -> Tensor: ...


@overload
def region_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]: ...


def region_iou(
    prediction: Tensor | NDArray[np.int64], truth: Tensor | NDArray[np.int64], num_regions: int
) -> Tensor | NDArray[np.float64]:
    """Return the intersection over union of every region of one image.

    Pixels that are VOID in the truth are not scored; a VOID prediction elsewhere belongs to no region, which is right
    where the truth is BACKGROUND.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID; a numpy array or a tensor.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        num_regions: N.

    Returns:
        (N,) float64 in [0, 1], of the arguments' kind; NaN for a region without a scored pixel in either map.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    if tuple(prediction.shape) != tuple(truth.shape):
        raise ValueError(f"prediction is {tuple(prediction.shape)}, truth is {tuple(truth.shape)}")
    given, wanted = torch.as_tensor(prediction).flatten().long(), torch.as_tensor(truth).flatten().long()
    for name, regions, least in (("prediction", given, VOID), ("truth", wanted, BACKGROUND)):
        if len(regions) and not (int(regions.min()) >= least and int(regions.max()) < num_regions):
            raise ValueError(f"{name} holds regions {int(regions.min())} to {int(regions.max())} of {num_regions}")
    scored = wanted != VOID
    # Row 0: predicted VOID; column 0: BACKGROUND.
    pairs = (given[scored] + 1) * (num_regions + 1) + (wanted[scored] + 1).clamp(min=0)
    counts = torch.bincount(pairs, minlength=(num_regions + 1) ** 2).view(num_regions + 1, num_regions + 1)
    intersection = counts[1:, 1:].diagonal()
    union = counts[1:].sum(dim=1) + counts[:, 1:].sum(dim=0) - intersection
    iou = intersection.double() / union.double()
    return iou if isinstance(prediction, Tensor) else iou.numpy()


def independent_iou(masks: Tensor, truth: Tensor) -> Tensor:
    """Return the IoU of each region's mask by itself, no matter which other masks cover the same pixels.

    Args:
        masks: (N, H, W) bool, the pixels that each region claims.
        truth: (H, W) int64, region in [0, N), VOID or BACKGROUND. VOID pixels are not scored.

    Returns:
        (N,) float64 in [0, 1]; NaN for a region without a scored pixel in mask and truth.
    """
    scored = truth != VOID
    mask = masks & scored
    wanted = truth == torch.arange(len(masks), device=truth.device)[:, None, None]
    return (mask & wanted).sum(dim=(1, 2)).double() / (mask | wanted).sum(dim=(1, 2)).double()


class RegionIoU(Metric):
    """Mean IoU over all regions of all images, and by region size (small < 32^2 px <= medium < 96^2 px <= large).

    Sums over regions are all that is kept, so images may be spread over ranks in any way.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  torchmetrics' own arguments
        super().__init__(**kwargs)
        self.add_state("sums", torch.zeros(len(SIZES), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(SIZES), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, iou: Tensor, area: Tensor) -> None:
        """Add one image's regions.

        Args:
            iou: (N,) in [0, 1]; NaN is left out.
            area: (N,) true area of every region, in square pixels.
        """
        for row, (low, high) in enumerate(SIZES.values()):
            chosen = iou[(area >= low) & (area < high) & ~iou.isnan()]
            self.sums[row] += chosen.sum()
            self.counts[row] += len(chosen)

    def compute(self) -> dict[str, Tensor]:
        """Return ``iou`` and ``iou_<size>``, NaN where there is no region, and ``regions``, their number."""
        by_size = {f"iou_{name}": self.sums[row] / self.counts[row] for row, name in enumerate(SIZES)}
        return {"iou": self.sums.sum() / self.counts.sum(), **by_size, "regions": self.counts.sum()}
