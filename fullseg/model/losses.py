"""The two training losses of Table 2. Both take one image; a batch's loss is the mean over its images."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.boxes import smallest_box_area
from fullseg.model.canvas import OUTSIDE_LOGIT, project_to_canvas
from fullseg.model.roi_align import roi_align_each
from fullseg.types import VOID


class PixelwiseLoss(nn.Module):
    """Cross-entropy over regions at every pixel of the canvas (paper, Eq. 3): regions compete in training too.

    Each pixel weighs 1 / area of the smallest box that covers it, so that small regions count; the sum is divided by
    the number of regions. VOID pixels and pixels outside their own region's box do not count.
    """

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the scalar loss of one image.

        Args:
            region_logits: (N, h, w) float.
            boxes: (N, 4), (x0, y0, x1, y1) in pixels.
            region_map: (H, W) int64, truth in [0, N) or VOID.
        """
        if len(boxes) == 0:
            return region_logits.sum()
        size = (region_map.shape[0], region_map.shape[1])
        canvas = project_to_canvas(region_logits, boxes, size)  # (N, H, W)
        own_logit = canvas.gather(0, region_map.clamp(min=0)[None])[0]  # (H, W)
        counts = (region_map != VOID) & (own_logit > OUTSIDE_LOGIT)
        cross_entropy = canvas.logsumexp(dim=0) - own_logit
        weight = counts / smallest_box_area(boxes, size)
        return (weight * torch.where(counts, cross_entropy, 0)).sum() / len(boxes)


class MaskwiseLoss(nn.Module):
    """Binary cross-entropy of every region by itself at mask resolution (paper, Sec. 5.2: the baseline).

    The target is the true mask through RoIAlign, in [0, 1]; a cell counts by the part of it that is not VOID.
    """

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the scalar loss of one image; arguments as PixelwiseLoss."""
        if len(boxes) == 0:
            return region_logits.sum()
        regions = torch.arange(len(boxes), device=boxes.device)[:, None, None]
        cells = region_logits.shape[-1]
        truth = roi_align_each((region_map == regions).to(region_logits.dtype), boxes, cells)
        counts = roi_align_each((region_map != VOID).to(region_logits.dtype)[None], boxes, cells)
        share = truth / counts.clamp(min=torch.finfo(counts.dtype).tiny)
        losses = F.binary_cross_entropy_with_logits(region_logits, share.clamp(0, 1), counts, reduction="none")
        return losses.mean()


LOSSES: dict[str, type[nn.Module]] = {"pixelwise": PixelwiseLoss, "maskwise": MaskwiseLoss}
