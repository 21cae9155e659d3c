"""The canvas of one image: the regions compete (Eq. 1), and the annotations spread, in the whole image or by tiles."""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from fullseg.model.base import Window, windows_of
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.spreading import Spread
from fullseg.types import BACKGROUND, VOID

TILE = 160  # px: side of the tiles on a CPU. They fit into its cache, and few boxes reach any one tile


class CanvasTile(NamedTuple):
    """A part of the canvas, h x w pixels, and the n regions whose boxes reach it or its surroundings."""

    window: Window
    total: int  # N, the regions of the image
    regions: Tensor  # (n,) int64 in [0, N), in rising order
    boxes: Tensor  # (n, 4) in pixels from the tile's corner
    of_head: Tensor  # (n, h, w) logits of the head alone, ``OUTSIDE_LOGIT`` outside the box of a region
    logits: Tensor  # (n, h, w) logits after the annotations have spread; ``of_head`` if they do not spread
    background: bool  # a pixel may be of no region

    def numbered(self, region_map: Tensor) -> Tensor:
        """Return the tile of a map (H, W) int64 of the image, in which these regions are numbered [0, n).

        All other regions are VOID; BACKGROUND stays.
        """
        number = region_map.new_full((self.total + 2,), VOID)  # the last two are of BACKGROUND, -2, and VOID, -1
        number[BACKGROUND] = BACKGROUND
        number[self.regions] = torch.arange(len(self.regions), device=number.device)
        return number[region_map[self.pixels()]]

    def region_map(self) -> Tensor:
        """Return the winners (h, w) int64 in [0, N), or VOID; see ``region_map_of``."""
        winners = region_map_of(self.logits.detach(), background=self.background)
        return torch.cat([self.regions, self.regions.new_tensor([VOID])])[winners]  # VOID, -1, picks the last one

    def pixels(self) -> tuple[slice, slice]:
        """Return the rows and the columns of the image in which the tile lies."""
        return slice(self.window.top, self.window.bottom), slice(self.window.left, self.window.right)


class ImageCanvas:
    """Computes the canvas of one image, or parts of it.

    Args:
        logits: (N, s, s) of the regions.
        boxes: (N, 4) in pixels.
        size: (H, W) of the image in pixels.
        spread: lets the annotations spread; None: they do not.
        background: a pixel may be of no region.
    """

    def __init__(
        self,
        logits: Tensor,
        boxes: Tensor,
        size: tuple[int, int],
        spread: Spread | None = None,
        *,
        background: bool = False,
    ) -> None:
        self.logits, self.boxes, self.size, self.spread, self.background = logits, boxes, size, spread, background
        self.reach = spread.reach if spread is not None else 0

    def whole(self) -> Tensor:
        """Return the logits (N, H, W) of all regions, ``OUTSIDE_LOGIT`` outside the box of a region."""
        return self._whole().logits

    def region_map(self) -> Tensor:
        """Return the winners (H, W) int64 in [0, N), or VOID; see ``region_map_of``."""
        return region_map_of(self.whole(), background=self.background)

    def tiles(self) -> Iterator[CanvasTile]:
        """Yield the tiles that a box reaches. On a GPU there is one, the whole image."""
        if self.boxes.device.type != "cpu":
            yield self._whole()
            return
        for window in windows_of(self.size, TILE):
            if len(regions := self._reaching(window)):
                yield self._tile(window, regions)

    def _whole(self) -> CanvasTile:
        every = torch.arange(len(self.boxes), device=self.boxes.device)
        return self._tile(Window(0, 0, self.size[1], self.size[0]), every)

    def _reaching(self, window: Window) -> Tensor:
        """Return the regions (n,) whose boxes reach a window, or the pixels on which its labels depend."""
        around = self.boxes.new_tensor(window.grown(self.reach, self.size))
        return ((self.boxes[:, :2] < around[2:]) & (self.boxes[:, 2:] > around[:2])).all(dim=1).nonzero()[:, 0]

    def _tile(self, window: Window, regions: Tensor) -> CanvasTile:
        """Compute a tile in which these regions (n,) compete."""
        around = window.grown(self.reach, self.size)
        boxes, here = self.boxes[regions], (around.bottom - around.top, around.right - around.left)
        of_head = project_to_canvas(self.logits[regions], boxes - boxes.new_tensor(around[:2]).repeat(2), here)
        logits = of_head if self.spread is None or len(regions) == 0 else self.spread.on(of_head, regions, around)
        rows = slice(window.top - around.top, window.bottom - around.top)
        columns = slice(window.left - around.left, window.right - around.left)
        from_corner = boxes - boxes.new_tensor(window[:2]).repeat(2)
        parts = of_head[:, rows, columns], logits[:, rows, columns]
        return CanvasTile(window, len(self.boxes), regions, from_corner, *parts, self.background)
