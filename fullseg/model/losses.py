"""The two training losses of Table 2, the loss of DEXTR (Table 1), and the loss of the classification head.

The first three take one image. The loss of a batch is the mean over its images.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.boxes import smallest_box_area
from fullseg.model.canvas import OUTSIDE_LOGIT, project_to_canvas, with_background
from fullseg.model.roi_align import crop_each, roi_align_each
from fullseg.types import BACKGROUND, VOID

TILE = 160  # px: on a CPU the canvas is computed in tiles of this side


class PixelwiseLoss(nn.Module):
    """Cross-entropy over regions at every pixel of the canvas (paper, Eq. 3): regions compete in training, too.

    Each pixel weighs 1 / area of the smallest box that covers it, so that small regions count. The sum is divided by
    the number of regions. VOID pixels and pixels outside their own region's box do not count.

    Args:
        background: the background competes as one more region, with logit 0 everywhere; the BACKGROUND pixels are its
            own. If false, BACKGROUND pixels do not count.
    """

    def __init__(self, *, background: bool = False) -> None:
        super().__init__()
        self.background = background

    def forward(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the loss of one image, a scalar; 0 for an image without regions.

        Args:
            region_logits: (N, h, w) float.
            boxes: (N, 4), (x0, y0, x1, y1) in pixels.
            region_map: (H, W) int64, the truth: region in [0, N), VOID or BACKGROUND.
        """
        if len(boxes) == 0:
            return region_logits.sum()
        size = (region_map.shape[0], region_map.shape[1])
        if boxes.device.type != "cpu":
            return self.of_canvas(project_to_canvas(region_logits, boxes, size), boxes, region_map)
        parts = [self._of_tile(region_logits[near], *part) for near, *part in _tiles(boxes, region_map)]
        return torch.stack([region_logits.new_zeros(()), *parts]).sum() / len(boxes)

    def of_canvas(self, canvas: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the loss of one image from its canvas, a scalar.

        Args:
            canvas: (N, H, W) logits.
            boxes: (N, 4), (x0, y0, x1, y1) in pixels.
            region_map: (H, W) int64, the truth: region in [0, N), VOID or BACKGROUND.
        """
        return self._sum(canvas, boxes, region_map) / len(boxes)

    def _of_tile(self, region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the sum of Eq. 3 over a tile, before the division by N; arguments have the shapes of ``forward``."""
        canvas = project_to_canvas(region_logits, boxes, (region_map.shape[0], region_map.shape[1]))  # (N, H, W)
        return self._sum(canvas, boxes, region_map)

    def _sum(self, canvas: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
        """Return the sum over pixels of Eq. 3, before the division by N; arguments have the shapes of ``of_canvas``."""
        own_logit = canvas.detach().gather(0, region_map.clamp(min=0)[None])[0]  # (H, W)
        truth = torch.where((own_logit > OUTSIDE_LOGIT) & (region_map >= 0), region_map, VOID)
        if self.background:
            truth = torch.where(region_map == BACKGROUND, len(canvas), truth)
            canvas = with_background(canvas)
        cross_entropy = F.cross_entropy(canvas[None], truth[None], ignore_index=VOID, reduction="none")[0]  # 0 at VOID
        return (cross_entropy / smallest_box_area(boxes, (truth.shape[0], truth.shape[1]))).sum()


def _tiles(boxes: Tensor, region_map: Tensor) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Cut a canvas into tiles: they fit into a CPU's cache, and few boxes reach any one tile.

    Args:
        boxes: (N, 4) in pixels.
        region_map: (H, W) int64.

    Yields:
        Per tile that a box reaches: the n regions (n,) whose boxes reach it; their boxes (n, 4), relative to the tile's
        corner; and the tile of ``region_map``, in which these regions are numbered [0, n), all others are VOID, and
        BACKGROUND stays.
    """
    number = boxes.new_empty(len(boxes) + 2, dtype=torch.int64)  # new number of each; the last two: BACKGROUND, VOID
    for y in range(0, region_map.shape[0], TILE):
        for x in range(0, region_map.shape[1], TILE):
            corner = boxes.new_tensor([x, y])
            reach = ((boxes[:, :2] < corner + TILE) & (boxes[:, 2:] > corner)).all(dim=1)
            near = reach.nonzero()[:, 0]
            if len(near):
                number.fill_(VOID)[BACKGROUND] = BACKGROUND
                number[near] = torch.arange(len(near))
                yield near, boxes[near] - corner.repeat(2), number[region_map[y : y + TILE, x : x + TILE]]


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
