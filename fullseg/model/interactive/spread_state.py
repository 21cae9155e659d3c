"""Kriging and diffusion of one image between predictions: what has changed, and what a tile of the canvas needs."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Features, Strokes
from fullseg.model.interactive.drawing import Box
from fullseg.model.spreading import Spreading, Window

LEAST_CHANGE = 2e-5  # logits: a smaller change of a cell is rounding


class SpreadState:
    """Spreads the annotations of one image on tiles of its canvas.

    Args:
        spreading: of a network in evaluation mode.
        features: of the image.
    """

    def __init__(self, spreading: Spreading, features: Features) -> None:
        self.spreading, self.features = spreading, features
        self.cells: Tensor | None = None  # (N, h, w), what kriging adds to the logits of every region
        reach = spreading.diffusion.reach if spreading.diffusion is not None else 0
        self.reach = reach  # px: how far a pixel's logits reach on the canvas

    def renumber(self, old: NDArray[np.int64]) -> None:
        """Give the regions new numbers: ``old`` (N,) is the former number of each, VOID for a new one."""
        if self.cells is not None:
            kept = self.cells.new_zeros(len(old), *self.cells.shape[1:])
            kept[torch.from_numpy(old >= 0)] = self.cells[torch.from_numpy(old[old >= 0])]
            self.cells = kept

    def update(self, logits: Sequence[Tensor], boxes: NDArray[np.int64], points: Tensor, strokes: Strokes) -> list[Box]:
        """Krige anew.

        Args:
            logits: N times (s, s), of all regions.
            boxes: (N, 4) in pixels.
            points: (N, 4, 2) float32, extreme points, (x, y) in pixels.
            strokes: the scribbles of the image.

        Returns:
            A box that holds all pixels whose logits have changed, or nothing.
        """
        if self.spreading.kriging is None or not logits:
            return []
        device = self.features.coarse.device
        stacked, edges = torch.stack(list(logits)), torch.from_numpy(boxes).float().to(device)
        cells = self.spreading.kriged_cells(stacked, edges, self.features, points.to(device), strokes.to(device))
        before = torch.zeros_like(cells) if self.cells is None else self.cells
        changed = (cells - before).abs() > LEAST_CHANGE
        self.cells = torch.where(changed, cells, before)
        return _pixels_of(changed.any(dim=0), self.spreading.stride, self.features.images.shape[1:])

    def around(self, tile: Box) -> Window:
        """Return the pixels on which the labels of a tile depend."""
        height, width = self.features.images.shape[1:]
        x0, y0, x1, y1 = tile
        reach = self.reach
        return Window(max(0, x0 - reach), max(0, y0 - reach), min(width, x1 + reach), min(height, y1 + reach))

    def add_kriging(self, canvas: Tensor, regions: NDArray[np.int64], window: Window) -> Tensor:
        """Add kriging to the logits (n, h, w) of some regions (n,) in a window."""
        if self.cells is None:
            return canvas
        return self.spreading.add_cells(canvas, self.cells[torch.from_numpy(regions)], window)

    def flow(self, canvas: Tensor, decided: Tensor, window: Window) -> Tensor:
        """Let labels flow on the logits (n, h, w) of a window, from the pixels ``decided`` (h, w) bool."""
        if self.spreading.diffusion is None:
            return canvas
        return self.spreading.flow(canvas, self.features, decided, window)


def _pixels_of(changed: Tensor, stride: int, size: Sequence[int]) -> list[Box]:
    """Return the box of the pixels of an image (H, W) that bilinear resizing of changed cells (h, w) reaches."""
    if not changed.any():
        return []
    (top, bottom), (left, right) = (changed.any(dim=axis).nonzero()[[0, -1], 0].tolist() for axis in (1, 0))
    corner = max(0, stride * (left - 1)), max(0, stride * (top - 1))
    return [(*corner, min(size[1], stride * (right + 2)), min(size[0], stride * (bottom + 2)))]
