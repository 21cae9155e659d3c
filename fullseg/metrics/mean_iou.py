"""The mean region IoU of an evaluation (paper, Sec. 5), over any number of images and ranks."""

from typing import Any

import torch
from torch import Tensor
from torchmetrics import Metric

from fullseg.metrics.region_iou import SIZES


class RegionIoU(Metric):
    """Mean IoU over all regions of all images, and over the small, the medium and the large ones.

    Regions of less than 32^2 square pixels are small, those of at least 96^2 are large. The metric keeps only
    sums over regions, so that images may be spread over ranks in any way.
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
            iou: (N,) float in [0, 1]; a region with NaN is left out.
            area: (N,), true area of every region in square pixels.
        """
        for row, (low, high) in enumerate(SIZES.values()):
            chosen = iou[(area >= low) & (area < high) & ~iou.isnan()]
            self.sums[row] += chosen.sum()
            self.counts[row] += len(chosen)

    def compute(self) -> dict[str, Tensor]:
        """Return ``iou`` and ``iou_<size>`` in [0, 1], NaN without a region, and the number of ``regions``."""
        by_size = {f"iou_{name}": self.sums[row] / self.counts[row] for row, name in enumerate(SIZES)}
        return {"iou": self.sums.sum() / self.counts.sum(), **by_size, "regions": self.counts.sum()}
