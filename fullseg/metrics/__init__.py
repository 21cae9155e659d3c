"""Metrics of predictions and of interactions (paper, Sec. 5)."""

from fullseg.metrics.region_iou import region_iou

__all__ = ["region_iou"]
