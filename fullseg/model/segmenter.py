"""The region segmenter: features once per image, then a light head on every region's box (paper, Sec. 3)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles
from fullseg.model.backbone import Backbone, LastStage
from fullseg.model.base import Regions, Segmenter, Strokes
from fullseg.model.boxes import geometry_maps, region_boxes
from fullseg.model.class_maps import ClassMaps
from fullseg.model.roi_align import roi_align


class RegionSegmenter(Segmenter):
    """Backbone, annotation maps, RoIAlign and head.

    Args:
        backbone: timm model.
        pretrained: start the backbone from ImageNet weights.
        features: ``c4`` or ``fpn``.
        stride: pixels per feature cell.
        feature_channels: channels of the feature map; with the ``two_stage`` head those of the backbone's stage 4.
        roi_size: side of the RoI in cells.
        mask_size: side of the region logits in cells.
        head: ``light``, convolutions alone; or ``two_stage``, the backbone's last stage run on every RoI, then the
            convolutions at the size of the logits, as in the framework that the paper builds on (Sec. 3.1).
        head_channels: width of the head's convolutions.
        head_dilations: dilation of each of its 3 x 3 convolutions.
        box_maps: append ``geometry_maps`` to the head's input.
        share: as of Segmenter, like ``annotation_encoding`` and ``background``.
        num_classes: number of logit maps (Sec. 3.4); 1 for a class-agnostic model without classification head.
        mix_classes: as ``mix`` of ClassMaps.
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
        head: str,
        head_channels: int,
        head_dilations: list[int],
        box_maps: bool,
        share: str,
        annotation_encoding: str,
        background: bool,
        num_classes: int,
        mix_classes: bool,
    ) -> None:
        super().__init__(share=share, annotation_encoding=annotation_encoding, background=background)
        two_stage = head == "two_stage"
        channels = None if two_stage else feature_channels
        self.backbone: Backbone = Backbone(
            name=backbone, pretrained=pretrained, features=features, stride=stride, channels=channels
        )
        self.roi_size, self.mask_size = roi_size, mask_size
        self.box_maps = box_maps
        self.second_stage = SecondStage(backbone, pretrained, 2 + 4 * box_maps) if two_stage else None
        first = self.second_stage.channels if self.second_stage else feature_channels + 2 + 4 * box_maps
        widths = [first] + len(head_dilations) * [head_channels]
        self.resized_layer = 0 if two_stage else len(head_dilations) - 1  # gets its input at the size of the logits
        pairs = zip(pairwise(widths), head_dilations, strict=True)
        self.convolutions = nn.ModuleList(_convolution(*width, dilation) for width, dilation in pairs)
        self.maps = ClassMaps(head_channels, num_classes, mix=mix_classes)
        self.knows_classes = num_classes > 1
        self.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Tensor:
        """Run the backbone; as of Segmenter."""
        features: Tensor = self.backbone(images)
        return features

    def backbone_parts(self) -> list[nn.Module]:
        """Return the backbone's body and the last stage."""
        return [self.backbone.body, *([self.second_stage.stage] if self.second_stage else [])]

    def region_inputs(
        self, features: Tensor, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Crop to ``roi_size`` x ``roi_size`` cells; as of Segmenter."""
        boxes = region_boxes(extreme_points, strokes.points, strokes.region_of_points(), size)
        with torch.autocast(features.device.type, enabled=False):
            points = draw_points(extreme_points, size, self.annotation_encoding)
            own = points
            if len(strokes.lengths):
                own = draw_scribbles(points.clone() if self.share == "points" else points, *strokes)
            shared = {"none": None, "points": points, "all": own}[self.share]
            maps = annotation_maps(own, shared, boxes, self.roi_size)
            aligned = roi_align(features, boxes, self.roi_size, self.backbone.stride)
            if self.box_maps:
                maps = torch.cat([maps, geometry_maps(boxes, self.roi_size)], dim=1)
        return torch.cat([aligned, maps.to(aligned.dtype)], dim=1), boxes

    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:
        """Turn RoIs (M, C', roi_size, roi_size) into logits; of a region only one map is computed."""
        hidden = self.last_layer(rois)
        class_logits = self.maps.class_logits(hidden)
        return Regions(self.maps(hidden, self.maps.shares(class_logits, classes)), boxes, class_logits)

    def last_layer(self, rois: Tensor) -> Tensor:
        """Run all layers but the maps' own: (M, C', roi_size, roi_size) to (M, head_channels, mask_size, mask_size)."""
        hidden = rois.contiguous(memory_format=torch.channels_last)
        if self.second_stage is not None:
            hidden = self.second_stage(hidden)
        for layer, convolution in enumerate(self.convolutions):
            hidden = F.relu(convolution(self.resized(hidden, layer)))
        return hidden

    def resized(self, layer_input: Tensor, layer: int) -> Tensor:
        """Resize what goes into a layer to the size of the logits, where that layer is the first of that size."""
        if layer != self.resized_layer or layer_input.shape[-1] == self.mask_size:
            return layer_input
        return F.interpolate(layer_input, size=(self.mask_size, self.mask_size), mode="bilinear")


def _convolution(before: int, after: int, dilation: int) -> nn.Conv2d:
    convolution = nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution


class SecondStage(nn.Module):
    """The backbone's last stage on every RoI; annotation maps are added to what it gets, through a 1 x 1 convolution.

    Args:
        backbone: timm model.
        pretrained: start from its ImageNet weights.
        maps: number of annotation and box maps.
    """

    def __init__(self, backbone: str, pretrained: bool, maps: int) -> None:
        super().__init__()
        self.stage = LastStage(name=backbone, pretrained=pretrained)
        self.channels = self.stage.channels
        self.maps = nn.Conv2d(maps, self.stage.in_channels, 1)

    def forward(self, rois: Tensor) -> Tensor:
        """Turn (M, C + maps, s, s) into (M, channels, s, s)."""
        features, maps = rois[:, : self.stage.in_channels], rois[:, self.stage.in_channels :]
        result: Tensor = self.stage(features + self.maps(maps))
        return result
