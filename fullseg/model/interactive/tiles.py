"""The canvas in tiles: who wins each pixel, without any tensor as large as N x H x W.

A tile is computed from the regions whose boxes cover part of it, and again only where something in it has changed.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.canvas import OUTSIDE_LOGIT, probabilities_of, project_to_canvas, region_map_of
from fullseg.model.interactive.drawing import Box
from fullseg.types import VOID

SMALL_TILE, LARGE_TILE = 128, 1024  # px: sides of tiles; a GPU waits longer for one to begin than for it to end


class Decided(NamedTuple):
    """Pixels that are their region's for certain, whatever the network says: on scribbles' lines, or locked."""

    pixels: NDArray[np.int64]  # (K,), y * W + x, each once
    owners: NDArray[np.int64]  # (K,), their regions
    locked_map: NDArray[np.int64] | None  # (H, W), the locked region that has the pixel or VOID; None: none is locked
    locked: Sequence[int]  # regions that have these pixels of locked_map and compete for no other

    def in_tile(self, tile: Box, width: int) -> NDArray[np.int64]:
        """Return the decided regions of a tile of an image of that width, VOID where the network decides."""
        x0, y0, x1, y1 = tile
        part = np.full((y1 - y0, x1 - x0), VOID, np.int64)
        y, x = np.divmod(self.pixels, width)
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        part[y[inside] - y0, x[inside] - x0] = self.owners[inside]
        if self.locked_map is None:
            return part
        locked = self.locked_map[y0:y1, x0:x1]
        return np.where(locked == VOID, part, locked)


class Contest(NamedTuple):
    """Who competes in a tile of h x w pixels, and with what probability each wins."""

    tile: Box
    regions: NDArray[np.int64]  # (n,), rising
    probabilities: Tensor  # (n, h, w), all 0 where no box covers the pixel
    region_map: NDArray[np.int64]  # (h, w)


def compete(
    tile: Box,
    logits: Sequence[Tensor],
    boxes: NDArray[np.int64],
    decided: NDArray[np.int64],
    locked: Sequence[int],
    *,
    background: bool,
) -> Contest:
    """Let the regions compete for a tile (Eq. 1).

    Args:
        tile: of the canvas.
        logits: N times (h, w), of all regions of the image.
        boxes: (N, 4).
        decided: pixels of the tile that have their region already, else VOID.
        locked: regions that compete for no other pixel.
        background: as of ``region_map_of``.
    """
    x0, y0, x1, y1 = tile
    covers = (boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
    fixed = decided != VOID
    covers[decided[fixed]] = True
    regions = np.flatnonzero(covers)
    if len(regions) == 0:
        return Contest(tile, regions, torch.zeros(0, y1 - y0, x1 - x0), decided)
    near = torch.stack([logits[region] for region in regions.tolist()])
    corners = near.new_tensor(boxes[regions] - [x0, y0, x0, y0])
    canvas = project_to_canvas(near, corners, (y1 - y0, x1 - x0))
    canvas[np.isin(regions, locked)] = OUTSIDE_LOGIT
    if fixed.any():
        pixels = torch.from_numpy(fixed).to(canvas.device)
        canvas[:, pixels] = OUTSIDE_LOGIT
        canvas[torch.from_numpy(np.searchsorted(regions, decided[fixed])).to(canvas.device), pixels] = -OUTSIDE_LOGIT
    winners = region_map_of(canvas, background=background).cpu().numpy()
    region_map = np.append(regions, VOID)[winners]  # VOID is -1: the last one
    return Contest(tile, regions, probabilities_of(canvas, background=background), region_map)


class TiledCanvas:
    """The winners of an image's pixels.

    Args:
        size: (H, W) in pixels.
        tile: side of the tiles in pixels.
        background: as of ``region_map_of``.
    """

    def __init__(self, size: tuple[int, int], tile: int, *, background: bool) -> None:
        self.size, self.tile, self.background = size, tile, background
        self.region_map = np.full(size, VOID, np.int64)
        self.certainty = np.zeros(size, np.float32)  # probability of the pixel's region, 0 where it is VOID
        rows, columns = (math.ceil(length / self.tile) for length in size)
        self.areas = np.zeros((rows, columns, 0))  # (.., .., N) sum of every region's probabilities in every tile
        self.stale = np.zeros((rows, columns), bool)

    def renumber(self, old: NDArray[np.int64], new: NDArray[np.int64]) -> None:
        """Give the regions new numbers; the caller marks the boxes of those that are no more, or new.

        Args:
            old: (N,) former number of every region, VOID for a new one.
            new: (former N,) new number of every former region, VOID for one that is no more.
        """
        self.region_map = np.append(new, VOID)[self.region_map]  # VOID is -1: the last one
        kept = np.zeros((*self.stale.shape, len(old)))
        kept[:, :, old >= 0] = self.areas[:, :, old[old >= 0]]
        self.areas = kept

    def mark(self, boxes: Iterable[Box]) -> None:
        """Note that pixels in these boxes have changed."""
        for x0, y0, x1, y1 in boxes:
            self.stale[y0 // self.tile : -(-y1 // self.tile), x0 // self.tile : -(-x1 // self.tile)] = True

    def mark_pixels(self, pixels: NDArray[np.int64]) -> None:
        """Note that pixels (K,), y * W + x, have changed."""
        y, x = np.divmod(pixels, self.size[1])
        self.stale[y // self.tile, x // self.tile] = True

    def update(self, logits: Sequence[Tensor], boxes: NDArray[np.int64], decided: Decided) -> None:
        """Compute the tiles that have changed; arguments as ``contests``."""
        for contest in self.contests(np.argwhere(self.stale), logits, boxes, decided):
            x0, y0, x1, y1 = contest.tile
            self.region_map[y0:y1, x0:x1] = contest.region_map
            certainty = contest.probabilities.amax(dim=0).cpu().numpy() if len(contest.regions) else 0
            self.certainty[y0:y1, x0:x1] = np.where(contest.region_map == VOID, 0, certainty)
            areas = self.areas[y0 // self.tile, x0 // self.tile]
            areas[:] = 0
            areas[contest.regions] = contest.probabilities.sum(dim=(1, 2)).cpu().numpy()
        self.stale[:] = False

    def contests(
        self, tiles: NDArray[np.int64], logits: Sequence[Tensor], boxes: NDArray[np.int64], decided: Decided
    ) -> Iterator[Contest]:
        """Yield what happens in some tiles.

        Args:
            tiles: (K, 2) row and column of each.
            logits: N times (h, w).
            boxes: (N, 4).
            decided: whatever the network says.
        """
        for row, column in tiles.tolist():
            y, x = self.tile * row, self.tile * column
            tile = (x, y, min(x + self.tile, self.size[1]), min(y + self.tile, self.size[0]))
            here = decided.in_tile(tile, self.size[1])
            yield compete(tile, logits, boxes, here, decided.locked, background=self.background)
