"""The region segmenter: features once per image, then a light head on every region's box (paper, Sec. 3)."""

from itertools import pairwise
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles
from fullseg.model.backbone import Backbone
from fullseg.model.boxes import box_maps, region_boxes
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.roi_align import roi_align
from fullseg.types import Batch


class Strokes(NamedTuple):
    """The scribbles of one image as tensors."""

    points: Tensor  # (P, 2) float32, (x, y) in pixels, all scribbles' points one after another
    lengths: Tensor  # (S,) int64, number of points of every scribble
    regions: Tensor  # (S,) int64 in [0, N)


class Regions(NamedTuple):
    """What the model says of M regions."""

    logits: Tensor  # (M, mask_size, mask_size) float32, before softmax over the canvas or sigmoid
    boxes: Tensor  # (M, 4) float32, (x0, y0, x1, y1) in pixels, x1 and y1 exclusive
    class_logits: Tensor | None  # (M, num_classes) float32, or None where there is one map for all classes


class RegionSegmenter(nn.Module):
    """Backbone, annotation maps, RoIAlign and head.

    Args:
        backbone: timm model.
        pretrained: start the backbone from ImageNet weights.
        features: ``c4`` or ``fpn``.
        stride: pixels per feature cell.
        feature_channels: channels of the feature map.
        roi_size: side of the RoI in cells.
        mask_size: side of the region logits in cells.
        head_channels: width of the head.
        head_dilations: dilation of each of its 3 x 3 convolutions.
        box_maps: append ``box_maps`` to the head's input.
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` or ``gaussian``.
        num_classes: number of logit maps (Sec. 3.4); 1 for a class-agnostic model without classification head.
    """

    def __init__(  # noqa: PLR0913  one argument a choice of the paper
        self,
        *,
        backbone: str,
        pretrained: bool,
        features: str,
        stride: int,
        feature_channels: int,
        roi_size: int,
        mask_size: int,
        head_channels: int,
        head_dilations: list[int],
        box_maps: bool,
        share: str,
        annotation_encoding: str,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.backbone = Backbone(
            name=backbone, pretrained=pretrained, features=features, stride=stride, channels=feature_channels
        )
        self.roi_size, self.mask_size = roi_size, mask_size
        self.share, self.annotation_encoding = share, annotation_encoding
        self.box_maps = box_maps
        widths = [feature_channels + 2 + 4 * box_maps] + len(head_dilations) * [head_channels]
        convolutions = [
            nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation)
            for (before, after), dilation in zip(pairwise(widths), head_dilations, strict=True)
        ]
        self.convolutions = nn.ModuleList(convolutions)
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
        self.class_maps = nn.Linear(head_channels, num_classes)  # row c: the 1 x 1 convolution that gives class c's map
        self.classifier = nn.Linear(head_channels, num_classes) if num_classes > 1 else None
        self.to(memory_format=torch.channels_last)

    def forward(self, batch: Batch, classes: Tensor | None) -> Regions:
        """Run all regions of a batch.

        Args:
            batch: of B images with M regions.
            classes: (M,) int64, whose maps are picked: the true classes in training; None for the predicted ones.

        Returns:
            Logits of the M regions, in the batch's order.
        """
        features = self.backbone(batch.images)
        size = (batch.images.shape[2], batch.images.shape[3])
        rois, boxes, first = [], [], 0
        for image, count in enumerate(batch.regions_per_image.tolist()):
            mine = slice(first, first + count)
            strokes = _strokes_of(batch, mine)
            roi, box = self.region_inputs(features[image], batch.extreme_points[mine], strokes, size)
            rois.append(roi)
            boxes.append(box)
            first += count
        return self.head(torch.cat(rois), torch.cat(boxes), classes)

    def region_maps(self, batch: Batch) -> Tensor:
        """Segment every image of a batch.

        Args:
            batch: of B images with M regions.

        Returns:
            (B, H, W) int64, region of its own image in [0, N), VOID where no box covers the pixel.
        """
        regions = self(batch, None)
        size, counts = (batch.images.shape[2], batch.images.shape[3]), batch.regions_per_image.tolist()
        images = zip(regions.logits.split(counts), regions.boxes.split(counts), strict=True)
        return torch.stack([region_map_of(project_to_canvas(logits, boxes, size)) for logits, boxes in images])

    def region_inputs(
        self, features: Tensor, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Crop the features and the annotation maps of one image's regions (Sec. 3.1, 3.2).

        Args:
            features: (C, h, w) of the image.
            extreme_points: (N, 4, 2) float32, (x, y) in pixels.
            strokes: the image's scribbles.
            size: (H, W) of the image in pixels.

        Returns:
            (N, C', roi_size, roi_size) input of the head, and (N, 4) boxes in pixels.
        """
        stroke_of_point = strokes.regions.repeat_interleave(strokes.lengths)
        boxes = region_boxes(extreme_points, strokes.points, stroke_of_point, size)
        with torch.autocast(features.device.type, enabled=False):
            points = draw_points(extreme_points, size, self.annotation_encoding)
            own = points
            if len(strokes.lengths):
                own = draw_scribbles(points.clone() if self.share == "points" else points, *strokes)
            shared = {"none": None, "points": points, "all": own}[self.share]
            maps = annotation_maps(own, shared, boxes, self.roi_size)
            aligned = roi_align(features, boxes, self.roi_size, self.backbone.stride)
            if self.box_maps:
                maps = torch.cat([maps, box_maps(boxes, self.roi_size)], dim=1)
        return torch.cat([aligned, maps.to(aligned.dtype)], dim=1), boxes

    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:
        """Turn RoIs (M, C', roi_size, roi_size) into logits; only the map of the picked class is computed."""
        hidden = rois.contiguous(memory_format=torch.channels_last)
        for layer, convolution in enumerate(self.convolutions):
            if layer == len(self.convolutions) - 1 and self.mask_size != self.roi_size:
                hidden = F.interpolate(hidden, size=(self.mask_size, self.mask_size), mode="bilinear")
            hidden = F.relu(convolution(hidden))
        class_logits = self.class_logits(hidden)
        return Regions(self.map_logits(hidden, class_logits, classes), boxes, class_logits)

    def class_logits(self, hidden: Tensor) -> Tensor | None:
        """Return the class logits (M, num_classes) of the head's last layer (M, C, s, s), None without classes."""
        return None if self.classifier is None else self.classifier(hidden.mean(dim=(2, 3))).float()

    def map_logits(self, hidden: Tensor, class_logits: Tensor | None, classes: Tensor | None) -> Tensor:
        """Return the picked maps (M, s, s) of the head's last layer (M, C, s, s); ``classes`` as of ``forward``."""
        if class_logits is None:
            picked = torch.zeros(len(hidden), dtype=torch.int64, device=hidden.device)
        else:
            picked = class_logits.argmax(dim=1) if classes is None else classes
        weight, bias = self.class_maps.weight[picked], self.class_maps.bias[picked]  # (M, C), (M,)
        logits = hidden.permute(0, 2, 3, 1).flatten(1, 2) @ weight[:, :, None]  # (M, mask_size^2, 1)
        return logits.view(-1, self.mask_size, self.mask_size).float() + bias[:, None, None]


def _strokes_of(batch: Batch, regions: slice) -> Strokes:
    """Pick the scribbles of a range of the batch's regions."""
    mine = (batch.scribble_regions >= regions.start) & (batch.scribble_regions < regions.stop)
    points = batch.scribble_points[mine.repeat_interleave(batch.scribble_lengths)]
    return Strokes(points, batch.scribble_lengths[mine], batch.scribble_regions[mine] - regions.start)
