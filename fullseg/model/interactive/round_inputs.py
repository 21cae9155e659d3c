"""What a round on an image reads, as tensors of fixed shapes: see padded.py.

Regions, points along scribbles and samples of kriging are padded to fixed numbers. Padding lies far beyond the image:
it draws nothing, covers no pixel and wins none.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fullseg.model.annotation_maps import walk_scribbles
from fullseg.model.base import Features, Strokes, Window
from fullseg.model.boxes import region_boxes
from fullseg.model.kriging import sample_annotations
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import VOID

REGIONS, SAMPLES = 8, 128  # regions and kriging's samples are padded to multiples of these
LINES = 1024  # points along scribbles are padded to this or twice as many, four times as many, ...
BEYOND = -1000.0  # px: where padding lies; nothing that is drawn there reaches the image


class ImageInputs(NamedTuple):
    """What a round needs of the image, computed once."""

    features: Features  # of the image
    cells: Tensor | None = None  # (h, w, D + 2) float32, what kriging compares; None: no kriging
    affinities: tuple[Tensor, ...] = ()  # (T, H, W) float per step of diffusion; empty: no diffusion

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the image in pixels."""
        return self.features.images.shape[1], self.features.images.shape[2]

    def tensors(self) -> list[Tensor]:
        """Return all tensors, in a fixed order."""
        return [part for part in (*self.features, self.cells, *self.affinities) if part is not None]

    def copied(self) -> "ImageInputs":
        """Return the same values in memory of their own."""
        features = Features(*(_copied(part) for part in self.features))  # type: ignore[arg-type]
        return ImageInputs(features, _copied(self.cells), tuple(step.clone() for step in self.affinities))


class RoundInputs(NamedTuple):
    """The annotations of a round, padded."""

    regions: Tensor  # (N, 12) float32, four extreme points (x, y) and the box of each region, in pixels
    lines: Tensor  # (K, 3) float32, (x, y) in pixels of points along all scribbles, in drawing order, and their region
    samples: Tensor  # (S, 3) float32, likewise of the samples of kriging; the region of padding is VOID
    answers: Tensor | None = None  # (N, h, w), of ``first_answers``; None: no second look

    @property
    def boxes(self) -> Tensor:
        """(N, 4) in pixels."""
        return self.regions[:, 8:]

    def tensors(self) -> list[Tensor]:
        """Return all tensors, in a fixed order."""
        return [part for part in self if part is not None]

    def to(self, device: torch.device) -> "RoundInputs":
        """Return the same values on a device."""
        return RoundInputs(*(None if part is None else part.to(device) for part in self))  # type: ignore[arg-type]

    def copied(self) -> "RoundInputs":
        """Return the same values in memory of their own."""
        return RoundInputs(*(_copied(part) for part in self))  # type: ignore[arg-type]


def _copied(part: Tensor | None) -> Tensor | None:
    return None if part is None else part.clone()


def image_inputs(segmenter: RegionSegmenter, features: Features) -> ImageInputs:
    """Compute what rounds need of an image.

    Args:
        segmenter: in evaluation mode.
        features: of the image.
    """
    spreading = segmenter.spreading
    if spreading is None:
        return ImageInputs(features)
    cells: Tensor | None = None
    affinities: tuple[Tensor, ...] = ()
    if spreading.kriging is not None:
        embedding = spreading.kriging.embed(features.coarse[None], features.images[None])[0]
        cells = spreading.kriging.describe_cells(embedding, spreading.cell(features))
        cells = cells.reshape(*embedding.shape[1:], -1).contiguous()
    if spreading.diffusion is not None:
        whole = Window(0, 0, features.images.shape[2], features.images.shape[1])
        embedding = spreading.diffusion.embed_window(features.images, features.sharp, whole)
        affinities = tuple(spreading.diffusion.affinities(embedding))
    return ImageInputs(features, cells, affinities)


def pack(segmenter: RegionSegmenter, points: Tensor, strokes: Strokes, size: tuple[int, int]) -> RoundInputs:
    """Pad the annotations of an image.

    Args:
        segmenter: says whether there is kriging.
        points: (N, 4, 2) float32, extreme points, (x, y) in pixels; on the CPU.
        strokes: the scribbles, on the CPU.
        size: (H, W) of the image in pixels.
    """
    boxes = region_boxes(points, strokes.points, strokes.region_of_points(), size)
    regions = torch.cat([points.flatten(1), boxes], dim=1)
    lines = samples = points.new_zeros(0, 3)
    if len(strokes.lengths):
        along, stroke = walk_scribbles(strokes.points, strokes.lengths)
        lines = torch.cat([along, strokes.regions[stroke][:, None]], dim=1)
    if segmenter.spreading is not None and segmenter.spreading.kriging is not None:
        places, owners = sample_annotations(points, strokes)
        samples = torch.cat([places, owners[:, None]], dim=1)
    count = LINES * 2 ** max(0, math.ceil(math.log2(max(1, len(lines)) / LINES)))
    padding = points.new_tensor([BEYOND, BEYOND, VOID])
    edges = points.new_tensor(10 * [BEYOND] + 2 * [BEYOND + 1])
    return RoundInputs(
        _pad(regions, REGIONS * math.ceil(len(regions) / REGIONS), edges),
        _pad(lines, count, padding),
        _pad(samples, SAMPLES * math.ceil(len(samples) / SAMPLES), padding),
    )


def _pad(rows: Tensor, count: int, padding: Tensor) -> Tensor:
    """Append rows (D,) of padding to rows (n, D) until there are ``count``."""
    return torch.cat([rows, padding.expand(count - len(rows), -1)])
