"""The pixels whose region a person has decided: by scribbles' lines, by locks, and pixel by pixel."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.interactive.drawing import Box
from fullseg.types import VOID, Decisions, Scribble

Masks = Mapping[int, NDArray[np.bool_]]  # per region some pixels (H, W)


class Decided(NamedTuple):
    """All pixels that are decided, in the form in which the tiles of the canvas read them."""

    pixels: NDArray[np.int64]  # (K,), y * W + x, each once: on lines of scribbles
    owners: NDArray[np.int64]  # (K,), their regions
    locked_map: NDArray[np.int64] | None  # (H, W), the locked region of each pixel, or VOID; None: none is locked
    locked: Sequence[int]  # the locked regions: they have their pixels in locked_map and compete for no other
    by_hand: Decisions | None = None  # what was decided pixel by pixel

    def in_tile(self, tile: Box, width: int) -> NDArray[np.int64]:
        """Return the region of every pixel in a tile that is on a scribble's line or of a locked region.

        Args:
            tile: box of the tile, h x w pixels.
            width: of the image in pixels.

        Returns:
            (h, w) int64, VOID where the network decides. A locked region wins over a scribble.
        """
        x0, y0, x1, y1 = tile
        part = np.full((y1 - y0, x1 - x0), VOID, np.int64)
        y, x = np.divmod(self.pixels, width)
        inside = (x >= x0) & (x < x1) & (y >= y0) & (y < y1)
        part[y[inside] - y0, x[inside] - x0] = self.owners[inside]
        if self.locked_map is None:
            return part
        locked = self.locked_map[y0:y1, x0:x1]
        return np.where(locked == VOID, part, locked)

    def by_hand_in(self, tile: Box) -> Decisions | None:
        """Return the part of a tile of what was decided pixel by pixel, less what locks forbid; None: there is none."""
        if self.by_hand is None:
            return None
        x0, y0, x1, y1 = tile
        owners = self.by_hand.owners[y0:y1, x0:x1]
        held = np.zeros(owners.shape, bool) if self.locked_map is None else self.locked_map[y0:y1, x0:x1] != VOID
        owners = np.where(held | np.isin(owners, self.locked), VOID, owners)
        masks = {region: mask[y0:y1, x0:x1] & ~held for region, mask in self.by_hand.barred.items()}
        masks = {region: mask for region, mask in masks.items() if mask.any()}
        return Decisions(owners, masks) if masks or (owners != VOID).any() else None


class DecidedPixels:
    """Keeps ``Decided`` up to date, and finds the pixels that have changed.

    Args:
        size: (H, W) of the image in pixels.
        hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region.
    """

    def __init__(self, size: tuple[int, int], *, hold_scribbles: bool) -> None:
        self.size, self.hold_scribbles = size, hold_scribbles
        self.now = Decided(np.zeros(0, np.int64), np.zeros(0, np.int64), None, ())
        self._masks: dict[int, NDArray[np.bool_]] = {}  # of the locked regions
        self._stale = False  # whether locks or decisions by hand have other regions' numbers
        self._lines: dict[bytes, NDArray[np.int64]] = {}  # pixels of scribbles' lines, by the bytes of their points

    def renumber(self, new: NDArray[np.int64]) -> None:
        """Give the regions new numbers: ``new`` (former N,) is the number of each former region, VOID if it is gone."""
        self.now = self.now._replace(owners=new[self.now.owners])
        self._stale |= bool(self._masks) or self.now.by_hand is not None

    def update(
        self, scribbles: Sequence[Scribble], locked: Masks, by_hand: Decisions | None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Take over new decisions.

        Args:
            scribbles: all of the image, in drawing order.
            locked: per locked region its pixels.
            by_hand: what was decided pixel by pixel.

        Returns:
            (K,) and (L,) int64, y * W + x of the pixels whose decision by a line or a lock has changed, and of those
            whose decision by hand has.
        """
        before, evidence = self.now, by_hand.evidence if by_hand else 0
        held = [
            one for one in scribbles[: len(scribbles) - evidence] if self.hold_scribbles and one.region not in locked
        ]
        pixels, owners = self._lines_of(held)
        same = not self._stale and same_masks(self._masks, locked)
        locked_map = before.locked_map if same else map_of(locked, self.size)
        self.now = Decided(pixels, owners, locked_map, tuple(locked), by_hand)
        if not same:
            self._masks, self._stale = dict(locked), False
            return np.arange(self.size[0] * self.size[1]), np.zeros(0, np.int64)
        regions = 1 + max(before.owners.max(initial=0), owners.max(initial=0))
        lines = [one.pixels * regions + one.owners for one in (before, self.now)]
        return np.setxor1d(*lines) // regions, _changed(before.by_hand, by_hand, self.size)

    def _lines_of(self, scribbles: Sequence[Scribble]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the pixels (K,) on the lines of scribbles, each once, and the region of each."""
        lines = [self._line(scribble.points) for scribble in scribbles]
        pixels = np.concatenate([np.zeros(0, np.int64), *lines])
        owners = np.repeat([scribble.region for scribble in scribbles], [len(line) for line in lines]).astype(np.int64)
        pixels, last = np.unique(pixels[::-1], return_index=True)  # where scribbles cross, the later one has the pixel
        return pixels, owners[::-1][last]

    def _line(self, path: NDArray[np.float32]) -> NDArray[np.int64]:
        """Return the pixels (K,) on a scribble's line, one pixel wide."""
        key = path.tobytes()
        if key not in self._lines:
            pixels, _ = line_pixels(torch.from_numpy(path), torch.tensor([len(path)]), self.size)
            self._lines[key] = pixels.numpy()
        return self._lines[key]


def map_of(masks: Masks, size: tuple[int, int]) -> NDArray[np.int64] | None:
    """Return the region (H, W) int64 whose mask has each pixel, or VOID; None if there is no mask."""
    if not masks:
        return None
    found = np.full(size, VOID, np.int64)
    for number, mask in masks.items():
        found[mask] = number
    return found


def same_masks(masks: Masks, others: Masks) -> bool:
    """Return whether the same regions are locked, in the same order and with the same pixels (H, W)."""
    return list(masks) == list(others) and all(np.array_equal(masks[number], others[number]) for number in masks)


def _changed(before: Decisions | None, now: Decisions | None, size: tuple[int, int]) -> NDArray[np.int64]:
    """Return the pixels (K,), y * W + x, about which two decisions by hand differ."""
    nothing = Decisions(np.full(size, VOID, np.int64), {}) if before is None or now is None else None
    before, now = before or nothing, now or nothing
    assert before is not None
    assert now is not None
    changed = before.owners != now.owners if before.owners is not now.owners else np.zeros(size, bool)
    for region in before.barred.keys() | now.barred.keys():
        one, other = before.barred.get(region), now.barred.get(region)
        if one is not other:
            changed = changed | (np.array(False) if one is None else one) ^ (
                np.array(False) if other is None else other
            )
    return np.flatnonzero(changed)
