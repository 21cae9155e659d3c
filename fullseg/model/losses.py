"""The two training losses of Table 2, the loss of DEXTR (Table 1), and the loss of the classification head.

The first three take one image. The loss of a batch is the mean over its images.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.boxes import smallest_box_area
from fullseg.model.canvas import OUTSIDE_LOGIT, with_background
from fullseg.model.image_canvas import CanvasTile, ImageCanvas
from fullseg.model.roi_align import crop_each, roi_align_each
from fullseg.types import BACKGROUND, VOID


class PixelwiseLoss(nn.Module):
    """Cross-entropy over regions at every pixel of the canvas (paper, Eq. 3): regions compete in training, too.

    Each pixel weighs 1 / area of the smallest box that covers it, so that small regions count. The sum is divided by
    the number of regions. VOID pixels and pixels outside their own region's box do not count.
    """

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor, *, background: bool = False) -> Tensor:
        """Return the loss of one image, a scalar; 0 for an image without regions.

        Args:
            region_logits: (N, h, w) float.
            boxes: (N, 4), (x0, y0, x1, y1) in pixels.
            region_map: (H, W) int64, the truth: region in [0, N), VOID or BACKGROUND.
            background: the background competes as one more region, with logit 0 everywhere; the BACKGROUND pixels are
                its own. If false, BACKGROUND pixels do not count.
        """
        if len(boxes) == 0:
            return region_logits.sum()
        size = region_map.shape[0], region_map.shape[1]
        tiles = ImageCanvas(region_logits, boxes, size, background=background).tiles()
        parts = [self.of_tile(tile.logits, tile, region_map) for tile in tiles]
        return torch.stack([region_logits.new_zeros(()), *parts]).sum() / len(boxes)

    def of_tile(self, logits: Tensor, tile: CanvasTile, region_map: Tensor) -> Tensor:
        """Return the sum of Eq. 3 over the pixels of a tile, a scalar, before the division by N.

        Args:
            logits: (n, h, w), the tile's own or the head's.
            tile: of the image's canvas.
            region_map: (H, W) int64, the truth of the whole image: region in [0, N), VOID or BACKGROUND.
        """
        given = tile.numbered(region_map)
        own_logit = logits.detach().gather(0, given.clamp(min=0)[None])[0]  # (h, w)
        truth = torch.where((own_logit > OUTSIDE_LOGIT) & (given >= 0), given, VOID)
        if tile.background:
            truth = torch.where(given == BACKGROUND, len(logits), truth)
            logits = with_background(logits)
        cross_entropy = F.cross_entropy(logits[None], truth[None], ignore_index=VOID, reduction="none")[0]  # 0 at VOID
        return (cross_entropy / smallest_box_area(tile.boxes, (truth.shape[0], truth.shape[1]))).sum()


class MaskwiseLoss(nn.Module):
    """Binary cross-entropy of every region by itself at mask resolution: the baseline of Table 2 (paper, Sec. 5.2).

    The target is the true mask after RoIAlign, in [0, 1]. A cell counts by the part of it that is not VOID.
    """

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the loss of one image, a scalar; 0 for an image without regions.

        Args:
            region_logits: (N, s, s) float.
            boxes: (N, 4), (x0, y0, x1, y1) in pixels.
            region_map: (H, W) int64, the truth: region in [0, N), VOID or BACKGROUND.
        """
        if len(boxes) == 0:
            return region_logits.sum()
        regions = torch.arange(len(boxes), device=boxes.device)[:, None, None]
        cells = region_logits.shape[-1]
        truth = roi_align_each((region_map == regions).to(region_logits.dtype), boxes, cells)
        counts = roi_align_each((region_map != VOID).to(region_logits.dtype)[None], boxes, cells)
        share = truth / counts.clamp(min=torch.finfo(counts.dtype).tiny)
        losses = F.binary_cross_entropy_with_logits(region_logits, share.clamp(0, 1), counts, reduction="none")
        return losses.mean()


class ClassBalancedLoss(nn.Module):
    """Binary cross-entropy of every region by itself; inside and outside weigh the same in total (DEXTR).

    Let p be the share of a crop's cells that are inside the region. Each of them weighs 1 - p, each of the others p
    (Xie and Tu, Holistically-Nested Edge Detection, 2015, Eq. 2; Maninis et al., Deep Extreme Cut, 2018, Sec. 3). VOID
    does not count. The part of a crop beyond the image is outside the region.
    """

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the loss of one image, a scalar; 0 for an image without regions.

        Args:
            region_logits: (N, s, s) float, of the crops.
            boxes: (N, 4), (x0, y0, x1, y1) of the crops in pixels; they may reach beyond the image.
            region_map: (H, W) int64, the truth: region in [0, N), VOID or BACKGROUND.
        """
        if len(boxes) == 0:
            return region_logits.sum()
        cells, dtype = region_logits.shape[-1], region_logits.dtype
        regions = torch.arange(len(boxes), device=boxes.device)[:, None, None]
        truth = crop_each((region_map == regions).to(dtype), boxes, cells).round()  # (N, s, s)
        ignored = crop_each((region_map == VOID).to(dtype)[None], boxes, cells)
        counts = 1 - ignored
        total = counts.sum(dim=(1, 2), keepdim=True).clamp(min=1)
        inside = (truth * counts).sum(dim=(1, 2), keepdim=True) / total
        weight = counts * torch.where(truth > 0, 1 - inside, inside) / total
        losses = F.binary_cross_entropy_with_logits(region_logits, truth, weight, reduction="sum")
        return losses / len(boxes)


def class_loss(class_logits: Tensor, classes: Tensor, regions_per_image: Tensor) -> Tensor:
    """Return the cross-entropy of the classification head: the mean over an image's regions, then over the images.

    Args:
        class_logits: (M, num_classes) float.
        classes: (M,) int64, the true ones.
        regions_per_image: (B,) int64, N of each image; their sum is M.
    """
    weight = (1 / regions_per_image).repeat_interleave(regions_per_image)
    return (weight * F.cross_entropy(class_logits, classes, reduction="none")).sum() / len(regions_per_image)


LOSSES: dict[str, type[nn.Module]] = {
    "pixelwise": PixelwiseLoss,
    "maskwise": MaskwiseLoss,
    "class_balanced": ClassBalancedLoss,
}
