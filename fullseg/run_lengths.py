"""Region maps as runs. A run is a group of neighbouring pixels of one row that have one value.

An image of 300,000 pixels has a few thousand runs, so boxes, areas, neighbours and the k-th pixel are found much faster
from runs than from pixels.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class Runs(NamedTuple):
    """R runs, in reading order unless stated otherwise."""

    value: NDArray[np.int64]  # (R,), of the pixels; or the number of the group that the run is in
    row: NDArray[np.int64]  # (R,)
    start: NDArray[np.int64]  # (R,), first column
    stop: NDArray[np.int64]  # (R,), one after the last column

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Runs":
        """Return some of the runs, given as a mask (R,) or as numbers (K,) in [0, R)."""
        return Runs(self.value[which], self.row[which], self.start[which], self.stop[which])


def find_runs(*maps: NDArray[np.integer]) -> Runs:
    """Return all runs of the first map (H, W), cut wherever any of the maps changes; all have one shape."""
    width = max(maps[0].shape[1], 1)
    first = np.zeros(maps[0].size, bool)
    for flat in (values.ravel() for values in maps):
        first[1:] |= flat[1:] != flat[:-1]
    first[::width] = True  # no run goes beyond the end of its row
    pixel = np.flatnonzero(first)  # (R,)
    row, start = np.divmod(pixel, width)
    stop = start + np.diff(pixel, append=len(first))
    return Runs(maps[0].ravel()[pixel].astype(np.int64), row, start, stop)


def bounding_boxes(runs: Runs, group: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the tight boxes of groups of runs.

    Args:
        runs: R runs.
        group: (R,) in [0, G), the group of each.
        count: G.

    Returns:
        (4, G) int64: x0, y0, x1, y1 in pixels, x1 and y1 exclusive. A group without runs has a box without pixels.
    """
    boxes = np.full((4, count), np.iinfo(np.int64).max)
    boxes[2:] = 0
    for edge, end in zip(boxes[:2], (runs.start, runs.row), strict=True):
        np.minimum.at(edge, group, end)
    for edge, end in zip(boxes[2:], (runs.stop, runs.row + 1), strict=True):
        np.maximum.at(edge, group, end)
    return boxes


def touching(runs: Runs, width: int, *, corners: bool = True) -> NDArray[np.int64]:
    """Return all pairs of runs of one value that touch.

    Args:
        runs: R runs.
        width: of the map in pixels.
        corners: also those that touch only at a corner.

    Returns:
        (2, P), numbers of the runs.
    """
    # Positions in a map with an empty column at the right: a row's first pixel is not beside the last one of another.
    stride = width + 1
    start, stop = runs.row * stride + runs.start, runs.row * stride + runs.stop
    # For each run the range of runs in the next row that touch it.
    first = np.searchsorted(stop, start + stride - corners, side="right")
    last = np.searchsorted(start, stop + stride + corners, side="left")
    below = np.maximum(last - first, 0)
    upper = np.arange(len(start)).repeat(below)
    lower = np.arange(len(upper)) + (first - np.cumsum(below) + below)[upper]
    beside = np.flatnonzero(start[1:] == stop[:-1])  # of one value if find_runs has cut where another map changes
    pairs = np.stack([np.concatenate([upper, beside]), np.concatenate([lower, beside + 1])])
    same = runs.value[pairs[0]] == runs.value[pairs[1]]
    return pairs.compress(same, axis=1)


def connect(count: int, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Number the connected groups of runs.

    Args:
        count: number of runs, R.
        pairs: (2, P), numbers of runs that are neighbours.

    Returns:
        (R,), the group of each run, in reading order of the groups' first pixels; and the number of groups.
    """
    edges = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    groups, group = connected_components(edges, directed=False)  # numbers the groups in the order of their first runs
    return group.astype(np.int64), int(groups)


def draw_pixels(runs: Runs, groups: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Draw pixels from groups of runs, uniformly if the draws are uniform.

    Args:
        runs: their ``value`` is the number of their group, in rising order. A run with stop <= start has no pixel.
        groups: (G,), numbers of groups with at least one pixel.
        draws: (G, ...) in [0, 1): a draw d picks pixel floor(d * number of pixels) of its group, in reading order.

    Returns:
        (G, ..., 2) int64, (x, y).
    """
    end = np.cumsum(np.maximum(runs.stop - runs.start, 0))  # (R,), number of pixels of all runs up to this one
    edges = np.concatenate([[0], end])[np.searchsorted(runs.value, [groups, groups + 1])]
    first, after = edges.reshape(2, -1, *(draws.ndim - 1) * [1])  # (G, ...) each
    pixel = first + (draws * (after - first)).astype(np.int64)
    run = np.searchsorted(end, pixel, side="right")
    return np.stack([runs.stop[run] + pixel - end[run], runs.row[run]], axis=-1)
