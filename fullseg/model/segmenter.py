"""The method (paper, Fig. 2): features, RoIs with annotation maps, head, canvas.

For an image and its regions i, each with extreme points and scribbles::

    Z      = features(image)                                   once per image (Sec. 3.1)
    b_i    = region_boxes(extreme points and scribbles of i)   (Sec. 3.1)
    F_i    = (S_i, sum over j != i of S_j)                     annotation maps (Sec. 3.2, Eq. 2)
    l_i    = head(RoIAlign(Z, b_i), RoIAlign(F_i, b_i))        logits (Sec. 3.1, 3.4)
    P(i|p) = softmax over i of l_i resized into b_i            at pixel p of the canvas (Eq. 1)

``Segmenter`` has these steps in their order. On the canvas ``Spreading`` may let the annotations spread (not in the
paper). The paper's network is in region_segmenter.py.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor, nn

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Features, Regions, Strokes, images_of
from fullseg.model.image_canvas import ImageCanvas
from fullseg.model.islands import without_islands
from fullseg.model.spreading import Spread, Spreading
from fullseg.types import Batch


class Segmenter(nn.Module, ABC):
    """A network that segments images from annotations: one pass per image, then a head on every region.

    Args:
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` for discs, ``gaussian`` or ``gaussian_box`` for heatmaps, see ``draw_points``.
        background: a pixel may be of no region, as where single objects are segmented (paper, Sec. 5.1): it is of
            none if the logits of all regions are negative there. If false, this is so only in images of which some
            regions are not annotated; in others, one of the regions whose boxes cover the pixel has it.
    """

    backbone: nn.Module  # its ``body`` is the part that starts from pretrained weights
    least_part = 0  # square pixels: smaller parts of a region may go to others, see ``without_islands``
    knows_classes: bool  # each class has a map of its own (Sec. 3.4); if false, one map serves all classes

    def __init__(self, *, share: str, annotation_encoding: str, background: bool) -> None:
        super().__init__()
        self.share, self.annotation_encoding, self.background = share, annotation_encoding, background
        self.frozen = False  # the backbone, see ``freeze_backbone``
        self.spreading: Spreading | None = None  # of annotations on the canvas; None: they do not (paper)

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
        if self.spreading is not None:
            features = self.spreading.embed(features)
        return self.head(rois, boxes, classes)._replace(features=features)  # a map per region (Sec. 3.4)

    def canvases(self, regions: Regions, batch: Batch) -> Iterator[ImageCanvas]:
        """Let the regions of each image compete (Eq. 1), and the annotations spread.

        Args:
            regions: result of ``forward`` for this batch.
            batch: B images.

        Yields:
            Per image its canvas.
        """
        size, counts = (batch.images.shape[2], batch.images.shape[3]), batch.regions_per_image.tolist()
        logits_of, boxes_of = (part.split(counts) for part in (regions.logits, regions.boxes))  # type: ignore[no-untyped-call]
        parts = zip(logits_of, boxes_of, images_of(batch), self.backgrounds(batch), strict=True)
        for image, (logits, boxes, (points, strokes), background) in enumerate(parts):
            spread = None
            if self.spreading is not None and len(logits):
                assert regions.features is not None
                features = regions.features.of(image)
                spread = Spread(self.spreading, logits, boxes, features, points, strokes, background=background)
            yield ImageCanvas(logits, boxes, size, spread, background=background)

    def region_maps(self, batch: Batch) -> Tensor:
        """Segment the images of a batch.

        Returns:
            (B, H, W) int64, region of its own image in [0, N), VOID where the pixel is of none.
        """
        maps = [canvas.region_map() for canvas in self.canvases(self(batch, None), batch)]  # Eq. 1
        images = zip(maps, images_of(batch), strict=True)
        return torch.stack([self.without_islands(each, points, strokes) for each, (points, strokes) in images])

    def without_islands(
        self, region_map: Tensor, points: Tensor, strokes: Strokes, fixed: Sequence[int] = ()
    ) -> Tensor:
        """Give the islands in the region map (H, W) int64 of an image to the regions around them.

        Args:
            region_map: region in [0, N) or VOID.
            points: (N, 4, 2) float32, extreme points, (x, y) in pixels.
            strokes: the scribbles of the image.
            fixed: regions that keep their pixels and get no others.
        """
        if not self.least_part:
            return region_map
        lines = strokes.regions[:0], strokes.regions[:0]
        if len(strokes.lengths):
            pixels, stroke = line_pixels(strokes.points, strokes.lengths, (region_map.shape[0], region_map.shape[1]))
            lines = pixels, strokes.regions[stroke]
        here = [part.cpu().numpy() for part in (region_map, points, *lines)]
        found = without_islands(here[0], here[1], (here[2], here[3]), self.least_part, fixed)
        return torch.from_numpy(found).to(region_map.device)

    def backgrounds(self, batch: Batch) -> list[bool]:
        """Return of each image of a batch whether a pixel may be of no region."""
        return [self.background or partly for partly in batch.partly.tolist()]

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
        """Return the parts that start from pretrained weights; they have a learning rate of their own."""

    def freeze_backbone(self) -> None:
        """Let training leave the parts of ``backbone_parts`` as they are: they keep no activations for gradients."""
        self.frozen = True
        for part in self.backbone_parts():
            part.requires_grad_(False)
        self.train(self.training)

    def train(self, mode: bool = True) -> "Segmenter":
        """Switch to training mode, except for a frozen backbone: some leave out blocks at random in this mode."""
        super().train(mode)
        for part in self.backbone_parts() if self.frozen else []:
            part.eval()
        return self
