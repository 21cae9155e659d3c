"""What goes into every network and what comes out of it."""

from collections.abc import Iterable, Iterator
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

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


class Window(NamedTuple):
    """A part of an image, in pixels; right and bottom exclusive."""

    left: int
    top: int
    right: int
    bottom: int

    def grown(self, by: int, size: tuple[int, int]) -> "Window":
        """Return the window with so many pixels more on all sides, but not beyond the image of ``size`` (H, W)."""
        height, width = size
        return Window(
            max(0, self.left - by), max(0, self.top - by), min(width, self.right + by), min(height, self.bottom + by)
        )


def windows_of(size: tuple[int, int], side: int) -> Iterator[Window]:
    """Yield the tiles of an image of ``size`` (H, W), row by row, each at most ``side`` px wide and high."""
    height, width = size
    for top, left in product(range(0, height, side), range(0, width, side)):
        yield Window(left, top, min(left + side, width), min(top + side, height))


class Features(NamedTuple):
    """What is computed once per image, of B images or, without the first axis, of one."""

    coarse: Tensor  # (B, C, h, w) float, at the network's stride
    sharp: Tensor | None  # (B, C', H', W') float, at stride 2; None: the network has no such map
    images: Tensor  # (B, 3, H, W) uint8 RGB
    kriging: Tensor | None = None  # (B, D, h, w) float32, what kriging compares; None without ``Spreading.embed``
    diffusion: Tensor | None = None  # (B, D', H, W) float, what diffusion compares; None without ``Spreading.embed``

    def of(self, image: int) -> "Features":
        """Return those of one image of a batch."""
        return Features(*(None if part is None else part[image] for part in self))  # type: ignore[arg-type]


class Regions(NamedTuple):
    """What a network says of M regions."""

    logits: Tensor  # (M, s, s) float32, before the softmax over the canvas, or a sigmoid
    boxes: Tensor  # (M, 4) float32, (x0, y0, x1, y1) in pixels: where the logits lie in the image
    class_logits: Tensor | None  # (M, num_classes) float32; None for a network that knows no classes
    features: Features | None = None  # of the images, for what follows on the canvas


def images_of(batch: Batch) -> Iterator[tuple[Tensor, Strokes]]:
    """Take a batch apart.

    Yields:
        Per image its extreme points (N, 4, 2) and its scribbles, whose regions are in [0, N).
    """
    first = 0
    for count in batch.regions_per_image.tolist():
        yield batch.extreme_points[first : first + count], _strokes_of(batch, first, first + count)
        first += count


def _strokes_of(batch: Batch, first: int, end: int) -> Strokes:
    """Return the scribbles of the batch's regions from ``first`` to ``end`` - 1, which are numbered from 0."""
    mine = (batch.scribble_regions >= first) & (batch.scribble_regions < end)
    points = batch.scribble_points[mine.repeat_interleave(batch.scribble_lengths)]
    return Strokes(points, batch.scribble_lengths[mine], batch.scribble_regions[mine] - first)
