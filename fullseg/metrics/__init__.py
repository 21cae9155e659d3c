"""The numbers that predictions are judged by (paper, Sec. 5)."""

from fullseg.metrics.region_iou import region_iou

__all__ = ["region_iou"]
