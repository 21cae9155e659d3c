"""What every network of fullseg is: regions of images in, their logits out (paper, Sec. 3)."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.types import Batch, Scribble

PREDICTED = -1  # in place of a class: the one that the classification head predicts


class Strokes(NamedTuple):
    """S scribbles as tensors, their P points one after another."""

    points: Tensor  # (P, 2) float32, (x, y) in pixels
    lengths: Tensor  # (S,) int64, number of points of each scribble, at least 1
    regions: Tensor  # (S,) int64 in [0, N), region of each scribble

    @classmethod
    def pack(cls, scribbles: Iterable[Scribble]) -> "Strokes":
        """Put scribbles into tensors on the CPU, in their order."""
        scribbles = list(scribbles)
        paths = [np.asarray(scribble.points, np.float32) for scribble in scribbles]
        return cls(
            torch.from_numpy(np.concatenate([np.zeros((0, 2), np.float32), *paths])),
            torch.tensor([len(path) for path in paths], dtype=torch.int64),
            torch.tensor([scribble.region for scribble in scribbles], dtype=torch.int64),
        )

    def to(self, device: torch.device | str) -> "Strokes":
        """Return the same scribbles on a device."""
        return Strokes(*(part.to(device) for part in self))

    def region_of_points(self) -> Tensor:
        """Return the region (P,) int64 of each point."""
        return self.regions.repeat_interleave(self.lengths)


class Regions(NamedTuple):
    """What the model says of M regions."""

    logits: Tensor  # (M, s, s) float32, before softmax over the canvas or sigmoid
    boxes: Tensor  # (M, 4) float32, (x0, y0, x1, y1) in pixels, x1 and y1 exclusive: where the logits lie
    class_logits: Tensor | None  # (M, num_classes) float32, or None where there is one map for all classes


class Segmenter(nn.Module, ABC):
    """Something that is trained, studied and annotated with: what is done once an image, and a head on its regions.

    Args:
        share: ``none``, ``points`` or ``all``: which annotations are negatives for the other regions (Eq. 2).
        annotation_encoding: ``binary`` or ``gaussian``.
        background: a pixel may be of no region, as where single objects are segmented (paper, Sec. 5.1): of regions
            whose logits are negative. Otherwise one of those whose box covers it has it.
    """

    backbone: nn.Module  # its ``body`` is the part that starts from ImageNet weights
    knows_classes: bool  # a region's class decides on its map; False: there is one for all

    def __init__(self, *, share: str, annotation_encoding: str, background: bool) -> None:
        super().__init__()
        self.share, self.annotation_encoding, self.background = share, annotation_encoding, background

    @abstractmethod
    def features(self, images: Tensor) -> Tensor:
        """Return what is computed once an image, (B, C, h, w) float, of images (B, 3, H, W) uint8 RGB."""

    @abstractmethod
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
            (N, C', s, s) input of the head, and (N, 4) boxes in pixels.
        """

    @abstractmethod
    def head(self, rois: Tensor, boxes: Tensor, classes: Tensor | None) -> Regions:
        """Turn what ``region_inputs`` gives for M regions into logits; ``classes`` as of ``forward``."""

    @abstractmethod
    def backbone_parts(self) -> list[nn.Module]:
        """Return the parts that start from ImageNet weights."""

    def forward(self, batch: Batch, classes: Tensor | None) -> Regions:
        """Run all regions of a batch.

        Args:
            batch: of B images with M regions.
            classes: (M,) int64, whose maps are used, as in training the true ones'; PREDICTED, or None for all,
                where the classification head decides.

        Returns:
            Logits of the M regions, in the batch's order.
        """
        features = self.features(batch.images)
        size = (batch.images.shape[2], batch.images.shape[3])
        rois, boxes, first = [], [], 0
        for image, count in enumerate(batch.regions_per_image.tolist()):
            mine = slice(first, first + count)
            roi, box = self.region_inputs(features[image], batch.extreme_points[mine], _strokes_of(batch, mine), size)
            rois.append(roi)
            boxes.append(box)
            first += count
        return self.head(torch.cat(rois), torch.cat(boxes), classes)

    def region_maps(self, batch: Batch) -> Tensor:
        """Segment every image of a batch.

        Args:
            batch: of B images with M regions.

        Returns:
            (B, H, W) int64, region of its own image in [0, N), VOID where the pixel is of none.
        """
        regions = self(batch, None)
        size, counts = (batch.images.shape[2], batch.images.shape[3]), batch.regions_per_image.tolist()
        images = zip(regions.logits.split(counts), regions.boxes.split(counts), strict=True)
        canvases = (project_to_canvas(logits, boxes, size) for logits, boxes in images)
        return torch.stack([region_map_of(canvas, background=self.background) for canvas in canvases])


def _strokes_of(batch: Batch, regions: slice) -> Strokes:
    """Pick the scribbles of a range of the batch's regions."""
    mine = (batch.scribble_regions >= regions.start) & (batch.scribble_regions < regions.stop)
    points = batch.scribble_points[mine.repeat_interleave(batch.scribble_lengths)]
    return Strokes(points, batch.scribble_lengths[mine], batch.scribble_regions[mine] - regions.start)
