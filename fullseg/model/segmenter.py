"""The method (paper, Fig. 2): features, RoIs with annotation maps, head, canvas.

For an image and its regions i, each with extreme points and scribbles::

    Z      = features(image)                                   once per image (Sec. 3.1)
    b_i    = region_boxes(extreme points and scribbles of i)   (Sec. 3.1)
    F_i    = (S_i, sum over j != i of S_j)                     annotation maps (Sec. 3.2, Eq. 2)
    l_i    = head(RoIAlign(Z, b_i), RoIAlign(F_i, b_i))        logits (Sec. 3.1, 3.4)
    P(i|p) = softmax over i of l_i resized into b_i            at pixel p of the canvas (Eq. 1)

``Segmenter`` has these steps in their order; ``RegionSegmenter`` is the paper's network.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles
from fullseg.model.backbone import Backbone
from fullseg.model.base import Features, Regions, Strokes, images_of
from fullseg.model.boxes import geometry_maps, region_boxes
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.class_maps import ClassMaps
from fullseg.model.roi_align import roi_align
from fullseg.model.second_stage import SecondStage
from fullseg.model.spreading import SHARP_STRIDE, Spreading
from fullseg.types import Batch


class Segmenter(nn.Module, ABC):
    """A network that segments images from annotations: one pass per image, then a head on every region.

    Args:
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` for discs, ``gaussian`` for heatmaps.
        background: a pixel may be of no region, as where single objects are segmented (paper, Sec. 5.1): it is of
            none if the logits of all regions are negative there. If false, one of the regions whose boxes cover the
            pixel has it.
    """

    backbone: nn.Module  # its ``body`` is the part that starts from ImageNet weights
    knows_classes: bool  # each class has a map of its own (Sec. 3.4); if false, one map serves all classes

    def __init__(self, *, share: str, annotation_encoding: str, background: bool) -> None:
        super().__init__()
        self.share, self.annotation_encoding, self.background = share, annotation_encoding, background
        self.spreading: Spreading | None = None  # what follows on the canvas; None: nothing (paper)

    def forward(self, batch: Batch, classes: Tensor | None) -> Regions:
        """Compute the logits of all regions of a batch.

        Args:
            batch: B images with M regions.
            classes: (M,) int64, the class whose map each region takes: the true one in training, PREDICTED where the
                classification head decides; None: it decides for all.

        Returns:
            The M regions in the batch's order.
        """
        size = (batch.images.shape[2], batch.images.shape[3])
        features = self.features(batch.images)  # once per image (Sec. 3.1)
        inputs = [
            self.region_inputs(features.of(image), points, strokes, size)  # RoIs, annotation maps (Sec. 3.2, Eq. 2)
            for image, (points, strokes) in enumerate(images_of(batch))
        ]
        rois, boxes = (torch.cat(parts) for parts in zip(*inputs, strict=True))
        return self.head(rois, boxes, classes)._replace(features=features)  # a map per region (Sec. 3.4)

    def canvases(self, regions: Regions, batch: Batch) -> Iterator[Tensor]:
        """Let the regions of each image compete (Eq. 1), and the annotations spread.

        Args:
            regions: result of ``forward`` for this batch.
            batch: B images.

        Yields:
            Per image the logits (N, H, W) on its canvas, ``OUTSIDE_LOGIT`` outside the box of a region.
        """
        size, counts = (batch.images.shape[2], batch.images.shape[3]), batch.regions_per_image.tolist()
        logits_of, boxes_of = (part.split(counts) for part in (regions.logits, regions.boxes))  # type: ignore[no-untyped-call]
        parts = zip(logits_of, boxes_of, images_of(batch), strict=True)
        for image, (logits, boxes, (points, strokes)) in enumerate(parts):
            canvas = project_to_canvas(logits, boxes, size)
            if self.spreading is not None and len(logits):
                assert regions.features is not None
                canvas = self.spreading(canvas, logits, boxes, regions.features.of(image), points, strokes)
            yield canvas

    def region_maps(self, batch: Batch) -> Tensor:
        """Segment the images of a batch.

        Returns:
            (B, H, W) int64, region of its own image in [0, N), VOID where the pixel is of none.
        """
        canvases = self.canvases(self(batch, None), batch)  # all compete (Eq. 1)
        return torch.stack([region_map_of(canvas, background=self.background) for canvas in canvases])

    @abstractmethod
    def features(self, images: Tensor) -> Features:
        """Return what is computed once per image, of images (B, 3, H, W) uint8 RGB."""

    @abstractmethod
    def region_inputs(
        self, features: Features, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Crop the features and the annotation maps of one image at its regions' boxes.

        Args:
            features: of the image.
            extreme_points: (N, 4, 2) float32, (x, y) in pixels.
            strokes: the scribbles of the image.
            size: (H, W) of the image in pixels.

        Returns:
            (N, C', s, s) input of the head, and boxes (N, 4) float32 in pixels.
        """

    @abstractmethod
    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:
        """Compute the logits of M regions from RoIs (M, C', s, s) in boxes (M, 4); classes (M,) as in ``forward``."""

    @abstractmethod
    def backbone_parts(self) -> list[nn.Module]:
        """Return the parts that start from ImageNet weights; they have a learning rate of their own."""


class RegionSegmenter(Segmenter):
    """The paper's network.

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
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` for discs, ``gaussian`` for heatmaps.
        background: a pixel may be of no region.
        num_classes: number of logit maps (Sec. 3.4); 1: one for all classes, and no classification head.
        mix_classes: a region's map is the mean of all classes' maps by their probabilities, not the likeliest class's.
        sharp_channels: channels of a second feature map at stride 2, which the RoIs get together with the colour; 0:
            the RoIs get neither (paper).
        kriging: ``none`` (paper), ``fixed`` or ``learned``, see ``Kriging``.
        diffusion: ``none`` (paper), ``fixed`` or ``learned``, see ``Diffusion``.
        diffusion_dilations: of the learned diffusion's steps, in pixels.
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
        )
        self.roi_size, self.mask_size = roi_size, mask_size
        self.box_maps = box_maps
        self.second_stage = SecondStage(backbone, pretrained, 2 + 4 * box_maps) if two_stage else None
        self.seen_channels = feature_channels + (sharp_channels + 3 if sharp_channels else 0)  # of ``seen_maps``
        first = self.second_stage.channels if self.second_stage else self.seen_channels + 2 + 4 * box_maps
        widths = [first] + len(head_dilations) * [head_channels]
        self.resized_layer = 0 if two_stage else len(head_dilations) - 1  # gets its input at the size of the logits
        pairs = zip(pairwise(widths), head_dilations, strict=True)
        self.convolutions = nn.ModuleList(_convolution(*width, dilation) for width, dilation in pairs)
        self.maps = ClassMaps(head_channels, num_classes, mix=mix_classes)
        self.knows_classes = num_classes > 1
        if (kriging, diffusion) != ("none", "none"):
            self.spreading = Spreading(
                kriging=kriging,
                diffusion=diffusion,
                channels=feature_channels,
                stride=stride,
                sharp_channels=sharp_channels,
                dilations=list(diffusion_dilations),
                background=background,
            )
        self.to(memory_format=torch.channels_last)

    def features(self, images: Tensor) -> Features:
        """Run the backbone on images (B, 3, H, W) uint8 RGB."""
        coarse, sharp = self.backbone(images)
        features = Features(coarse, sharp, images)
        return features if self.spreading is None else self.spreading.embed(features)

    def region_inputs(
        self, features: Features, extreme_points: Tensor, strokes: Strokes, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Align the features and F_i with every region's box: (N, C', roi_size, roi_size), and boxes (N, 4)."""
        boxes = region_boxes(extreme_points, strokes.points, strokes.region_of_points(), size)
        with torch.autocast(features.coarse.device.type, enabled=False):
            points = draw_points(extreme_points, size, self.annotation_encoding)  # (N, H, W)
            own = points  # S_i
            if len(strokes.lengths):
                own = draw_scribbles(points.clone() if self.share == "points" else points, *strokes)
            shared = {"none": None, "points": points, "all": own}[self.share]
            maps = annotation_maps(own, shared, boxes, self.roi_size)  # F_i = (S_i, sum over j != i of S_j)
            aligned = self.aligned(features, boxes)
            if self.box_maps:
                maps = torch.cat([maps, geometry_maps(boxes, self.roi_size)], dim=1)
        return torch.cat([aligned, maps.to(aligned.dtype)], dim=1), boxes

    def aligned(self, features: Features, boxes: Tensor) -> Tensor:
        """Align all maps of one image with boxes (N, 4) in pixels: (N, seen_channels, roi_size, roi_size)."""
        maps = self.seen_maps(features)
        return torch.cat([roi_align(each, boxes, self.roi_size, stride) for each, stride in maps], dim=1)

    def seen_maps(self, features: Features) -> list[tuple[Tensor, int]]:
        """Return the maps (C, h, w) of one image that its RoIs get, each with its pixels per cell."""
        maps = [(features.coarse, self.backbone.stride)]
        if features.sharp is not None:
            colour = self.backbone.normalised(features.images)
            maps += [(features.sharp, SHARP_STRIDE), (colour, 1)]
        return [(each.to(features.coarse.dtype), stride) for each, stride in maps]

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
