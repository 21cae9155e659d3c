"""Islands and holes: small parts of the canvas that go to the regions around them (not in the paper)."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.model.annotation_maps import POINT_RADIUS, disc_pixels
from fullseg.run_lengths import connect, find_runs, touching
from fullseg.types import VOID

AROUND = ((-1, 0), (1, 0), (0, -1), (0, 1))  # the neighbours of a pixel
LARGEST_HOLE = 0.2  # as a share of the region that it lies in


def without_islands(
    region_map: NDArray[np.int64],
    extreme_points: NDArray[np.float32],
    lines: tuple[NDArray[np.int64], NDArray[np.int64]],
    least: int,
    fixed: Sequence[int] = (),
) -> NDArray[np.int64]:
    """Give every island to the region with which it has the longest border, or to none if that is VOID's; fill holes.

    An island is a 4-connected part of a region that has fewer than ``least`` pixels, holds none of the region's
    annotations, and is not its largest part. Islands that lie in other islands go with these. A hole is a 4-connected
    part of VOID inside one region that has less than ``LARGEST_HOLE`` of the region's pixels. It goes to this region.
    There are none if the background does not compete.

    Args:
        region_map: (H, W), region in [0, N) or VOID.
        extreme_points: (N, 4, 2), (x, y) in pixels. An annotation is the disc around one of them, as the network sees
            it, or the line of a scribble.
        lines: pixels (K,), y * W + x, and the region (K,) of each: of ``line_pixels``.
        least: in square pixels.
        fixed: regions that keep their pixels and get no others.

    Returns:
        (H, W); ``region_map`` itself if there are no islands and no holes.
    """
    parts = _Parts(region_map)
    island = (parts.area < least) & (parts.owner != VOID) & ~np.isin(parts.owner, fixed)
    island[_largest(parts)] = False
    for pixels, regions in (_discs(extreme_points, region_map.shape), lines):
        here = parts.at(pixels)
        island[here[parts.owner[here] == regions]] = False
    perhaps_hole = _inside(parts) & (parts.owner == VOID) & (parts.area < LARGEST_HOLE * parts.region_areas().max())
    if not (island | perhaps_hole).any():
        return region_map
    borders = _borders(parts, parts.pixels(island | perhaps_hole))
    island |= perhaps_hole & _in_one_region(parts, island, borders)
    pixels = parts.pixels(island)
    found = region_map.copy()
    found.ravel()[pixels] = _given_away(parts, island, borders[island[borders[:, 0]]], fixed)[parts.at(pixels)]
    return found


class _Parts:
    """The 4-connected parts of the regions of a map (H, W), as runs of pixels."""

    def __init__(self, region_map: NDArray[np.int64]) -> None:
        self.height, self.width = region_map.shape
        runs = find_runs(region_map)
        self.group, count = connect(len(runs.value), touching(runs, self.width, corners=False))  # part of each run
        self.start, self.length = runs.row * self.width + runs.start, runs.stop - runs.start
        self.area = np.bincount(self.group, self.length, minlength=count)
        self.owner = np.empty(count, np.int64)  # region of each part
        self.owner[self.group] = runs.value

    def at(self, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the parts of the pixels (K,), y * W + x."""
        found: NDArray[np.int64] = self.group[np.searchsorted(self.start, pixels, side="right") - 1]
        return found

    def region_areas(self) -> NDArray[np.int64]:
        """Return the area of each region up to the last one that has pixels; one 0 if none has."""
        owned = self.owner >= 0
        areas = np.bincount(self.owner[owned], self.area[owned], minlength=1)
        return areas.astype(np.int64)

    def pixels(self, wanted: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return all pixels, y * W + x, of some parts, given as a mask of all parts."""
        runs = np.flatnonzero(wanted[self.group])
        length = self.length[runs]
        before: NDArray[np.int64] = self.start[runs] - np.cumsum(length) + length
        return np.arange(length.sum()) + before.repeat(length)


def _largest(parts: _Parts) -> NDArray[np.int64]:
    """Return the largest part of each region."""
    order = np.argsort(-parts.area, kind="stable")
    largest: NDArray[np.int64] = order[np.unique(parts.owner[order], return_index=True)[1]]
    return largest


def _discs(extreme_points: NDArray[np.float32], size: tuple[int, ...]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the pixels y * W + x of the discs around extreme points, and their regions."""
    regions = torch.arange(len(extreme_points)).repeat_interleave(4)
    points = torch.from_numpy(np.asarray(extreme_points, np.float32)).view(-1, 2)
    found = disc_pixels(points, regions, POINT_RADIUS, (size[0], size[1])).numpy()
    return found % (size[0] * size[1]), found // (size[0] * size[1])


def _inside(parts: _Parts) -> NDArray[np.bool_]:
    """Return which parts (P,) do not touch an edge of the map."""
    row, column = np.divmod(parts.start, parts.width)
    at_edge = (row == 0) | (row == parts.height - 1) | (column == 0) | (column + parts.length == parts.width)
    found = np.ones(len(parts.owner), bool)
    found[parts.group[at_edge]] = False
    return found


def _in_one_region(parts: _Parts, island: NDArray[np.bool_], borders: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which parts (P,) have neighbours of one region alone, islands not counted, and are small beside it."""
    inner, outer = borders[~island[borders[:, 1]]].T
    least, most = np.full(len(parts.owner), np.iinfo(np.int64).max), np.full(len(parts.owner), VOID)
    np.minimum.at(least, inner, parts.owner[outer])
    np.maximum.at(most, inner, parts.owner[outer])
    alone = (least == most) & (most != VOID)
    found: NDArray[np.bool_] = alone & (parts.area < LARGEST_HOLE * parts.region_areas()[np.where(alone, most, 0)])
    return found


def _given_away(
    parts: _Parts, island: NDArray[np.bool_], borders: NDArray[np.int64], fixed: Sequence[int]
) -> NDArray[np.int64]:
    """Return the owner (P,) of each part when all islands have gone to their neighbours.

    Args:
        parts: P parts.
        island: (P,), holes included.
        borders: (B, 2), of all islands, see ``_borders``.
        fixed: regions that get nothing.
    """
    owner, island = parts.owner.copy(), island.copy()
    while len(borders):
        inner, outer = borders[~island[borders[:, 1]]].T
        free = ~np.isin(owner[outer], fixed)
        pairs = np.stack([inner[free], owner[outer[free]]], axis=1)
        pairs, length = np.unique(pairs, axis=0, return_counts=True)
        if len(pairs) == 0:
            break  # all that are left lie in fixed regions
        order = np.lexsort((pairs[:, 1], -length, pairs[:, 0]))  # by island; the longest border first
        gone, best = np.unique(pairs[order, 0], return_index=True)
        owner[gone] = pairs[order[best], 1]
        island[gone] = False
        borders = borders[island[borders[:, 0]]]
    return owner


def _borders(parts: _Parts, pixels: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return, for each of these pixels (K,) and each neighbour in another part, both parts: (B, 2)."""
    y, x = np.divmod(pixels, parts.width)
    found = []
    for down, right in AROUND:
        there = (y + down >= 0) & (y + down < parts.height) & (x + right >= 0) & (x + right < parts.width)
        inner = parts.at(pixels[there])
        outer = parts.at(pixels[there] + down * parts.width + right)
        found.append(np.stack([inner, outer], axis=1)[inner != outer])
    return np.concatenate(found)
