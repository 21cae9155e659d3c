"""The paper's network (paper, Sec. 3): features, RoIs with annotation maps, and a light head."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles
from fullseg.model.backbone import Backbone
from fullseg.model.base import Features, Regions, Strokes
from fullseg.model.boxes import geometry_maps, region_boxes
from fullseg.model.class_maps import ClassMaps
from fullseg.model.first_look import boxes_with_scribbles, compete, crop
from fullseg.model.roi_align import roi_align
from fullseg.model.second_stage import SecondStage
from fullseg.model.segmenter import Segmenter
from fullseg.model.spreading import SHARP_STRIDE, Spreading


class RegionSegmenter(Segmenter):
    """The paper's network.

    Args:
        backbone: timm model.
        pretrained: start the backbone from pretrained weights.
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
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` for discs, ``gaussian`` or ``gaussian_box`` for heatmaps, see ``draw_points``.
        background: a pixel may be of no region.
        num_classes: number of logit maps (Sec. 3.4); 1: one for all classes, and no classification head.
        mix_classes: a region's map is the mean of all classes' maps by their probabilities, not the likeliest class's.
        sharp_channels: channels of a second feature map at stride 2, which the RoIs get together with the colour; 0:
            the RoIs get neither (paper).
        kriging: ``none`` (paper), ``fixed`` or ``learned``, see ``Kriging``.
        diffusion: ``none`` (paper), ``fixed`` or ``learned``, see ``Diffusion``.
        second_look: a region with a scribble in its box also sees its own answer to the extreme points alone.
        diffusion_dilations: of the learned diffusion's steps, in pixels.
        least_part: in square pixels; smaller parts of a region that hold none of its annotations go to the regions
            around them. 0: they stay (paper).
        backbone_weights: file with the backbone's pretrained weights; None: those that timm names.
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
        sharp_channels: int = 0,
        kriging: str = "none",
        diffusion: str = "none",
        diffusion_dilations: Sequence[int] = (),
        least_part: int = 0,
        second_look: bool = False,
        backbone_weights: str | None = None,
    ) -> None:
        super().__init__(share=share, annotation_encoding=annotation_encoding, background=background)
        two_stage = head == "two_stage"
        channels = None if two_stage else feature_channels
        self.backbone: Backbone = Backbone(
            name=backbone,
            pretrained=pretrained,
            features=features,
            stride=stride,
            channels=channels,
            sharp_channels=sharp_channels,
            weights=backbone_weights,
        )
        self.roi_size, self.mask_size = roi_size, mask_size
        self.box_maps, self.least_part, self.second_look = box_maps, least_part, second_look
        self.second_stage = SecondStage(backbone, pretrained, 2 + 4 * box_maps, backbone_weights) if two_stage else None
        self.seen_channels = feature_channels + (sharp_channels + 3 if sharp_channels else 0)  # of ``seen_maps``
        drawn = 2 + 4 * box_maps + second_look  # channels of the maps that follow the features
        first = self.second_stage.channels if self.second_stage else self.seen_channels + drawn
        widths = [first] + len(head_dilations) * [head_channels]
        self.resized_layer = 0 if two_stage else len(head_dilations) - 1  # gets its input at the size of the logits
        pairs = zip(pairwise(widths), head_dilations, strict=True)
        layers = [_convolution(*width, dilation) for width, dilation in pairs]
        if second_look:  # so that a network that was trained without it can go on with it
            nn.init.zeros_(layers[0].weight[:, -1])
        self.convolutions = nn.ModuleList(layers)
        self.maps = ClassMaps(head_channels, num_classes, mix=mix_classes)
        self.knows_classes = num_classes > 1
        self.make_spreading = partial(
            Spreading,
            channels=feature_channels,
            stride=stride,
            sharp_channels=sharp_channels,
            dilations=list(diffusion_dilations),
        )
        if (kriging, diffusion) != ("none", "none"):
            self.spreading = self.make_spreading(kriging=kriging, diffusion=diffusion)
        self.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Features:
        """Run the backbone on images (B, 3, H, W) uint8 RGB."""
        coarse, sharp = self.backbone(images)
        return Features(coarse, sharp, images)

    def region_inputs(
        self, features: Features, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Align the features and F_i with every region's box: (N, C', roi_size, roi_size), and boxes (N, 4)."""
        boxes = region_boxes(extreme_points, strokes.points, strokes.region_of_points(), size)
        looks = self.first_looks(features, extreme_points, strokes, boxes, size) if self.second_look else None
        with torch.autocast(features.coarse.device.type, enabled=False):
            points = draw_points(extreme_points, size, self.annotation_encoding)  # (N, H, W)
            own = points  # S_i
            if len(strokes.lengths):
                own = draw_scribbles(points.clone() if self.share == "points" else points, *strokes)
            shared = {"none": None, "points": points, "all": own}[self.share]
            return self.rois(features, boxes, own, shared, looks), boxes

    def rois(
        self, features: Features, boxes: Tensor, own: Tensor, shared: Tensor | None, looks: Tensor | None
    ) -> Tensor:
        """Crop all that the head sees of the regions of one image.

        Args:
            features: of the image.
            boxes: (N, 4) in pixels.
            own: (N, H, W) float32, S_i.
            shared: (N, H, W) float32, the part of S_j that the other regions may see; None: nothing.
            looks: (N, roi_size, roi_size), what each region sees of its first answer; None without ``second_look``.

        Returns:
            (N, C', roi_size, roi_size) in the dtype of the features.
        """
        maps = annotation_maps(own, shared, boxes, self.roi_size)  # F_i = (S_i, sum over j != i of S_j)
        aligned = self.aligned(features, boxes)
        if self.box_maps:
            maps = torch.cat([maps, geometry_maps(boxes, self.roi_size)], dim=1)
        if looks is not None:
            maps = torch.cat([maps, looks[:, None]], dim=1)
        return torch.cat([aligned, maps.to(aligned.dtype)], dim=1)

    @torch.no_grad()
    def first_looks(
        self, features: Features, extreme_points: Tensor, strokes: Strokes, boxes: Tensor, size: tuple[int, int]
    ) -> Tensor:
        """Return what each region sees of its answer to the extreme points alone; arguments as of ``region_inputs``.

        Returns:
            (N, roi_size, roi_size) float32 in [0, 1]; 0 for a region in whose box (N, 4) there is no scribble.
        """
        reached = boxes_with_scribbles(boxes, strokes, size)
        if not reached.any():
            return boxes.new_zeros((len(boxes), self.roi_size, self.roi_size))
        rois, tight = self.region_inputs(features, extreme_points, Strokes.pack([]).to(boxes.device), size)
        logits = self.head(rois, tight, None).logits
        return crop(compete(logits, tight, size), boxes, size, self.roi_size) * reached[:, None, None]

    def aligned(self, features: Features, boxes: Tensor) -> Tensor:
        """Align all maps of one image with boxes (N, 4) in pixels: (N, seen_channels, roi_size, roi_size)."""
        maps = [(self.as_seen(each, features), stride) for each, stride in self.seen_maps(features)]
        return torch.cat([roi_align(each, boxes, self.roi_size, stride) for each, stride in maps], dim=1)

    def seen_maps(self, features: Features) -> list[tuple[Tensor, int]]:
        """Return the maps (C, h, w) that the RoIs get ``as_seen``, each with its pixels per cell."""
        maps = [(features.coarse, self.backbone.stride)]
        if features.sharp is not None:
            maps += [(features.sharp, SHARP_STRIDE), (features.images, 1)]
        return maps

    def as_seen(self, part: Tensor, features: Features) -> Tensor:
        """Return a part of one of these maps as the RoIs get it: the colour of the image is normalised."""
        part = self.backbone.normalised(part) if part.dtype == torch.uint8 else part
        return part.to(features.coarse.dtype)

    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:
        """Turn RoIs (M, C', roi_size, roi_size) into logits (M, mask_size, mask_size): one map per region."""
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
        """Resize the input (M, C, s, s) of a layer to ``mask_size`` if that layer is the first of this size."""
        if layer != self.resized_layer or layer_input.shape[-1] == self.mask_size:
            return layer_input
        return F.interpolate(layer_input, size=(self.mask_size, self.mask_size), mode="bilinear")

    def backbone_parts(self) -> list[nn.Module]:
        """Return the backbone's body and the last stage."""
        return [self.backbone.body, *([self.second_stage.stage] if self.second_stage else [])]


def _convolution(before: int, after: int, dilation: int) -> nn.Conv2d:
    convolution = nn.Conv2d(before, after, 3, padding=dilation, dilation=dilation)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution
