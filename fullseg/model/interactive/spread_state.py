"""Kriging and diffusion of one image between predictions: what has changed, and what a tile of the canvas needs."""

import copy
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Features, Strokes, Window
from fullseg.model.boxes import inside_boxes
from fullseg.model.canvas import first_best, inside_of
from fullseg.model.diffusion import LEAST
from fullseg.model.interactive.drawing import Box
from fullseg.model.interactive.kernel_rows import KernelRows
from fullseg.model.spreading import Spreading, add_cells
from fullseg.types import VOID

LEAST_CHANGE = 2e-5  # logits: a smaller change of a cell is rounding
AFFINITY_BYTES = 2**30  # limit for the affinities of all tiles; those used longest ago are dropped first


class SpreadState:
    """Spreads the annotations of one image on tiles of its canvas.

    Args:
        spreading: of a network in evaluation mode.
        features: of the image.
    """

    def __init__(self, spreading: Spreading, features: Features) -> None:
        self.spreading, self.features = spreading, features
        self.size = (features.images.shape[1], features.images.shape[2])
        self.cells: Tensor | None = None  # (N, h, w), what kriging adds to the logits of every region
        self.rows: KernelRows | None = None
        if spreading.kriging is not None:
            self.cell = spreading.cell(features)
            embedding = spreading.kriging.embed(features.coarse[None], features.images[None])[0]
            self.rows = KernelRows(spreading.kriging, embedding, self.cell)
        # px: how far a pixel's logits reach on the canvas
        self.reach = spreading.diffusion.reach if spreading.diffusion is not None else 0
        self._affinities: dict[Window, list[Tensor]] = {}  # of tiles; the one used last comes last
        self._most_bytes = AFFINITY_BYTES

    def apart(self) -> "SpreadState":
        """Return the same state, but one that keeps no affinities: for windows that are asked for once."""
        other = copy.copy(self)
        other._affinities, other._most_bytes = {}, 0
        return other

    def renumber(self, old: NDArray[np.int64]) -> None:
        """Give the regions new numbers: ``old`` (N,) is the former number of each, VOID for a new one."""
        if self.cells is not None:
            kept = self.cells.new_zeros(len(old), *self.cells.shape[1:])
            kept[torch.from_numpy(old >= 0)] = self.cells[torch.from_numpy(old[old >= 0])]
            self.cells = kept

    def update(
        self,
        logits: Sequence[Tensor],
        boxes: NDArray[np.int64],
        points: Tensor,
        strokes: Strokes,
        *,
        background: bool,
    ) -> NDArray[np.bool_]:
        """Krige anew, if there is kriging.

        Args:
            logits: N times (s, s), of all regions, N at least 1.
            boxes: (N, 4) in pixels.
            points: (N, 4, 2) float32, extreme points, (x, y) in pixels.
            strokes: the scribbles of the image.
            background: a pixel may be of no region.

        Returns:
            (h, w), the cells in which the logits of a region have changed inside its box.
        """
        assert self.rows is not None
        device = self.features.coarse.device
        stacked, edges = torch.stack(list(logits)), torch.from_numpy(boxes).float().to(device)
        given = stacked, edges, points.to(device), strokes.to(device)
        residuals, samples = self.spreading.residuals(*given, background=background)
        cells = self.rows.spread(residuals, samples)
        before = torch.zeros_like(cells) if self.cells is None else self.cells
        # A cell acts on pixels up to one cell away.
        low, high = (edges[:, :2] / self.cell).floor() - 1, (edges[:, 2:] / self.cell).ceil() + 1
        rows, columns = inside_boxes(torch.cat([low, high], dim=1), (cells.shape[1], cells.shape[2]))
        seen = rows[:, :, None] & columns[:, None, :]
        changed = ((cells - before).abs() > LEAST_CHANGE) & seen
        self.cells = torch.where(changed | ~seen, cells, before)
        return changed.any(dim=0).cpu().numpy()

    def around(self, tile: Box) -> Window:
        """Return the pixels on which the labels of a tile depend."""
        return Window(*tile).grown(self.reach, self.size)

    def add_kriging(self, canvas: Tensor, regions: NDArray[np.int64], window: Window) -> Tensor:
        """Add kriging to the logits (n, h, w) of some regions (n,) in a window."""
        if self.cells is None:
            return canvas
        return add_cells(canvas, self.cells[torch.from_numpy(regions)], self.cell, window)

    def flows(self, rivals: int) -> bool:
        """Return whether anything flows where so many regions, and perhaps the background, compete."""
        return self.spreading.diffusion is not None and rivals > 1

    def flow(
        self, canvas: Tensor, decided: Tensor, window: Window, part: tuple[slice, slice], *, background: bool
    ) -> tuple[Tensor, Tensor]:
        """Let labels flow in a window.

        Args:
            canvas: (n, h, w) logits.
            decided: (h, w) bool, pixels whose logits are certain: labels flow from them.
            window: of the canvas.
            part: rows and columns of the window whose outcome is wanted.
            background: a pixel may be of no region.

        Returns:
            Probabilities of the regions in this part (n, h', w'), and the winners (h', w') int64 in [0, n), or VOID.
        """
        flowed = self.spreading.flowed(canvas, self._affinities_of(window), decided, background=background)
        return outcome_of_flow(flowed[:, *part], canvas[:, *part], background=background)

    def _affinities_of(self, window: Window) -> list[Tensor]:
        """Return the affinities of a window, and keep them."""
        assert self.spreading.diffusion is not None
        found = self._affinities.pop(window, None)
        if found is None:
            embedding = self.spreading.diffusion.embed_window(self.features.images, self.features.sharp, window)
            found = self.spreading.diffusion.affinities(embedding)
        self._affinities[window] = found
        held = sum(step.nbytes for steps in self._affinities.values() for step in steps)
        while held > self._most_bytes and len(self._affinities) > 1:
            held -= sum(step.nbytes for step in self._affinities.pop(next(iter(self._affinities))))
        return found


def outcome_of_flow(flowed: Tensor, canvas: Tensor, *, background: bool) -> tuple[Tensor, Tensor]:
    """Return the probabilities of n regions and the winners where labels have flowed.

    Args:
        flowed: of ``Spreading.flowed``: (n, h, w), or with a background (n + 1, h, w).
        canvas: (n, h, w) logits that have flowed.
        background: a pixel may be of no region.

    Returns:
        (n, h, w), and (h, w) int64 in [0, n), or VOID.
    """
    shares = flowed[: len(canvas)] * inside_of(canvas)
    best, winners = first_best(shares)
    if background:
        return shares / (shares.sum(dim=0) + flowed[-1]), torch.where(best > flowed[-1], winners, VOID)
    return shares / shares.sum(dim=0).clamp(min=LEAST), torch.where(best > 0, winners, VOID)
