"""The canvas (paper, Eq. 1) in tiles, so that no tensor has N x H x W values.

A tile is computed from the regions whose boxes cover part of it, and only if something in it has changed.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Window
from fullseg.model.canvas import OUTSIDE_LOGIT, probabilities_of, project_to_canvas, region_map_of
from fullseg.model.interactive.decided import Decided
from fullseg.model.interactive.drawing import Box
from fullseg.model.interactive.spread_state import SpreadState
from fullseg.types import VOID, Decisions

SMALL_TILE, LARGE_TILE = 160, 1024  # px: sides of tiles on a CPU and a GPU, which takes longer to start one than to run


class Contest(NamedTuple):
    """The regions that compete in a tile of h x w pixels, and the outcome."""

    tile: Box
    regions: NDArray[np.int64]  # (n,) of the image's N, in rising order
    probabilities: Tensor  # (n, h, w) float, all 0 where no box covers the pixel
    region_map: NDArray[np.int64]  # (h, w), the winner in [0, N), or VOID
    unpainted: NDArray[np.int64]  # (h, w), the winner if nothing were decided pixel by pixel


def compete(
    tile: Box,
    logits: Sequence[Tensor],
    boxes: NDArray[np.int64],
    decided: NDArray[np.int64],
    locked: Sequence[int],
    *,
    background: bool,
    spread: SpreadState | None = None,
    by_hand: Decisions | None = None,
) -> Contest:
    """Let the regions compete for a tile (Eq. 1).

    Args:
        tile: box of the tile on the canvas, h x w pixels.
        logits: N times (s, s), of all regions of the image.
        boxes: (N, 4) in pixels.
        decided: (h, w), the region of each pixel that is decided already, else VOID; with ``spread`` in the window
            ``spread.around(tile)``.
        locked: the locked regions, which compete for no pixel but their decided ones.
        background: a pixel may be of no region.
        spread: lets the annotations spread; None: they do not.
        by_hand: what was decided pixel by pixel in the tile, (h, w). Nothing spreads from there to other pixels.
    """
    window = spread.around(tile) if spread else Window(*tile)
    covers = (boxes[:, 0] < window.right) & (boxes[:, 2] > window.left)
    covers &= (boxes[:, 1] < window.bottom) & (boxes[:, 3] > window.top)
    for owners in (decided,) if by_hand is None else (decided, by_hand.owners):
        covers[owners[owners >= 0]] = True
    regions = np.flatnonzero(covers)
    part = slice(tile[1] - window.top, tile[3] - window.top), slice(tile[0] - window.left, tile[2] - window.left)
    if len(regions) == 0:
        nothing = torch.zeros(0, tile[3] - tile[1], tile[2] - tile[0])
        return Contest(tile, regions, nothing, decided[part], decided[part])
    near = torch.stack([logits[region] for region in regions.tolist()])
    corners = near.new_tensor(boxes[regions] - [window.left, window.top, window.left, window.top])
    canvas = project_to_canvas(near, corners, (window.bottom - window.top, window.right - window.left))
    if spread:
        canvas = spread.add_kriging(canvas, regions, window)
    if len(locked):
        canvas[np.isin(regions, locked)] = OUTSIDE_LOGIT
    free = canvas[:, *part].clone() if by_hand is not None else canvas
    _give(canvas, regions, decided)
    if spread and spread.flows(len(regions) + background):
        held = torch.from_numpy(decided != VOID).to(canvas.device)
        probabilities, winners = spread.flow(canvas, held, window, part, background=background)
    else:
        probabilities, winners = _outcome(canvas[:, *part], background=background)
    names = np.append(regions, VOID)  # a winner of VOID, -1, picks the last one: VOID
    unpainted = names[winners.cpu().numpy()]
    if by_hand is not None:
        painted = _paint(free, regions, decided[part], by_hand)
        here = _on(painted, canvas)
        probabilities, winners = (
            torch.where(here, own, other)
            for own, other in zip(_outcome(free, background=background), (probabilities, winners), strict=True)
        )
    return Contest(tile, regions, probabilities, names[winners.cpu().numpy()], unpainted)


def _outcome(canvas: Tensor, *, background: bool) -> tuple[Tensor, Tensor]:
    """Return the probabilities (n, h, w) and the winners (h, w) in [0, n), or VOID, of a canvas (n, h, w)."""
    return probabilities_of(canvas, background=background), region_map_of(canvas, background=background)


def _give(canvas: Tensor, regions: NDArray[np.int64], owners: NDArray[np.int64]) -> None:
    """Give pixels of the canvas (n, h, w) of some regions (n,) to their owners (h, w) for certain, in place.

    A pixel whose owner is VOID stays as it is, and one of BACKGROUND goes to none of the regions.
    """
    fixed, owned = np.flatnonzero(owners != VOID), np.flatnonzero(owners >= 0)
    if len(fixed):
        canvas.flatten(1)[:, _on(fixed, canvas)] = OUTSIDE_LOGIT
    if len(owned):
        mine = np.searchsorted(regions, owners.ravel()[owned])
        canvas.flatten(1)[_on(mine, canvas), _on(owned, canvas)] = -OUTSIDE_LOGIT


def _paint(
    canvas: Tensor, regions: NDArray[np.int64], decided: NDArray[np.int64], by_hand: Decisions
) -> NDArray[np.bool_]:
    """Decide pixels of the canvas (n, h, w) of some regions (n,) by hand, in place; return (h, w) which these are.

    A pixel that a region cannot have keeps its decided region (h, w), if this is another one.
    """
    decided, painted = decided.copy(), by_hand.owners != VOID
    for region, mask in by_hand.barred.items():
        decided[mask & (decided == region)] = VOID
        canvas[regions == region] = canvas[regions == region].masked_fill(_on(mask, canvas), OUTSIDE_LOGIT)
        painted = painted | mask
    _give(canvas, regions, np.where(by_hand.owners == VOID, decided, by_hand.owners))
    return np.asarray(painted)


def _on(array: NDArray[np.int64] | NDArray[np.bool_], canvas: Tensor) -> Tensor:
    return torch.from_numpy(array).to(canvas.device)


class TiledCanvas:
    """The region of every pixel of an image, kept up to date tile by tile.

    Args:
        size: (H, W) of the image in pixels.
        tile: side of the tiles in pixels.
        background: a pixel may be of no region.
        spread: lets the annotations spread; None: they do not.
    """

    def __init__(
        self, size: tuple[int, int], tile: int, *, background: bool, spread: SpreadState | None = None
    ) -> None:
        self.size, self.tile, self.background, self.spread = size, tile, background, spread
        self.region_map = np.full(size, VOID, np.int64)
        self.unpainted = self.region_map.copy()  # the same if nothing were decided pixel by pixel
        self.certainty = np.zeros(size, np.float32)  # probability of the pixel's region; 0 where it is VOID
        rows, columns = (math.ceil(length / self.tile) for length in size)
        self.areas = np.zeros((rows, columns, 0))  # (rows, columns, N), sum of each region's probabilities per tile
        self.stale = np.zeros((rows, columns), bool)  # tiles in which something has changed

    def renumber(self, old: NDArray[np.int64], new: NDArray[np.int64]) -> None:
        """Give the regions new numbers. The caller marks the boxes of new regions and of those that are gone.

        Args:
            old: (N,) former number of every region, VOID for a new one.
            new: (former N,) new number of every former region, VOID for one that is gone.
        """
        names = np.append(new, VOID)  # VOID, -1, picks the last entry: VOID
        self.region_map, self.unpainted = names[self.region_map], names[self.unpainted]
        kept = np.zeros((*self.stale.shape, len(old)))
        kept[:, :, old >= 0] = self.areas[:, :, old[old >= 0]]
        self.areas = kept

    def mark(self, boxes: Iterable[Box]) -> None:
        """Note that pixels in these boxes have changed."""
        for box in boxes:
            x0, y0, x1, y1 = self.spread.around(box) if self.spread else box
            self.stale[y0 // self.tile : -(-y1 // self.tile), x0 // self.tile : -(-x1 // self.tile)] = True

    def mark_all(self) -> None:
        """Note that every pixel may have changed."""
        self.stale[:] = True

    def mark_cells(self, changed: NDArray[np.bool_], cell: int) -> None:
        """Note that the cells (h, w) of the whole image, each of so many pixels, have changed."""
        for row, column in np.argwhere(~self.stale).tolist():
            y, x = self.tile * row, self.tile * column
            window = Window(x, y, x + self.tile, y + self.tile)
            if self.spread:
                window = window.grown(self.spread.reach, self.size)
            rows = slice(max(0, window.top // cell - 1), window.bottom // cell + 2)  # one more: resizing is bilinear
            columns = slice(max(0, window.left // cell - 1), window.right // cell + 2)
            self.stale[row, column] = changed[rows, columns].any()

    def mark_pixels(self, pixels: NDArray[np.int64], *, alone: bool = False) -> None:
        """Note that the pixels y * W + x, (K,), have changed; ``alone``: no other pixel depends on them."""
        y, x = np.divmod(pixels, self.size[1])
        reach = self.spread.reach if self.spread and not alone else 0
        for down, right in product((-reach, 0, reach), repeat=2) if reach else [(0, 0)]:
            rows, columns = (y + down).clip(0, self.size[0] - 1), (x + right).clip(0, self.size[1] - 1)
            self.stale[rows // self.tile, columns // self.tile] = True

    def update(self, logits: Sequence[Tensor], boxes: NDArray[np.int64], decided: Decided) -> None:
        """Compute the tiles in which something has changed.

        Args:
            logits: N times (s, s), of all regions.
            boxes: (N, 4) in pixels.
            decided: the pixels whose region the annotator has decided.
        """
        for contest in self.contests(np.argwhere(self.stale), logits, boxes, decided):
            x0, y0, x1, y1 = contest.tile
            self.region_map[y0:y1, x0:x1] = contest.region_map
            self.unpainted[y0:y1, x0:x1] = contest.unpainted
            certainty = contest.probabilities.amax(dim=0).cpu().numpy() if len(contest.regions) else 0
            self.certainty[y0:y1, x0:x1] = np.where(contest.region_map == VOID, 0, certainty)
            areas = self.areas[y0 // self.tile, x0 // self.tile]
            areas[:] = 0
            areas[contest.regions] = contest.probabilities.sum(dim=(1, 2)).cpu().numpy()
        self.stale[:] = False

    def contests(
        self, tiles: NDArray[np.int64], logits: Sequence[Tensor], boxes: NDArray[np.int64], decided: Decided
    ) -> Iterator[Contest]:
        """Let the regions compete for some tiles, and yield the outcomes.

        Args:
            tiles: (K, 2), row and column of each tile.
            logits: N times (s, s), of all regions.
            boxes: (N, 4) in pixels.
            decided: the pixels whose region the annotator has decided.
        """
        for row, column in tiles.tolist():
            y, x = self.tile * row, self.tile * column
            tile = (x, y, min(x + self.tile, self.size[1]), min(y + self.tile, self.size[0]))
            here = decided.in_tile(self.spread.around(tile) if self.spread else tile, self.size[1])
            by_hand = decided.by_hand_in(tile)
            given = tile, logits, boxes, here, decided.locked
            yield compete(*given, background=self.background, spread=self.spread, by_hand=by_hand)
