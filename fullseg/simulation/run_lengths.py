"""Region maps as runs, neighbouring pixels of one row with one value: a few thousand where an image has 300,000 pixels.

What holds of many pixels at once (boxes, areas, neighbourhood, the k-th pixel) is far quicker to see from runs.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


class Runs(NamedTuple):
    """R runs in reading order."""

    value: NDArray[np.int64]  # (R,) of the pixels, or which group they are in
    row: NDArray[np.int64]  # (R,)
    start: NDArray[np.int64]  # (R,) first column
    stop: NDArray[np.int64]  # (R,) one after the last column

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Runs":
        """Return some of the runs, by mask or by number."""
        return Runs(self.value[which], self.row[which], self.start[which], self.stop[which])


def find_runs(*maps: NDArray[np.integer]) -> Runs:
    """Return all runs of an array (H, W), cut where any of further arrays of its shape changes, too."""
    width = max(maps[0].shape[1], 1)
    first = np.zeros(maps[0].size, bool)
    for flat in (values.ravel() for values in maps):
        first[1:] |= flat[1:] != flat[:-1]
    first[::width] = True  # so that none goes over the end of its row
    pixel = np.flatnonzero(first)  # (R,)
    row, start = np.divmod(pixel, width)
    stop = start + np.diff(pixel, append=len(first))
    return Runs(maps[0].ravel()[pixel].astype(np.int64), row, start, stop)


def bounding_boxes(runs: Runs, group: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return the tight boxes of G groups of runs: x0, y0, x1, y1 of each (4, G), x1 and y1 exclusive.

    Args:
        runs: R runs.
        group: (R,) in [0, G). A group without run gets a box without pixels.
        count: G.
    """
    boxes = np.full((4, count), np.iinfo(np.int64).max)
    boxes[2:] = 0
    for edge, end in zip(boxes[:2], (runs.start, runs.row), strict=True):
        np.minimum.at(edge, group, end)
    for edge, end in zip(boxes[2:], (runs.stop, runs.row + 1), strict=True):
        np.maximum.at(edge, group, end)
    return boxes


def touching(runs: Runs, width: int) -> NDArray[np.int64]:
    """Return the numbers (2, P) of all pairs of runs, of one value, that hold neighbours (8) in a map of that width."""
    # Positions in the image with one empty column more: what is left of a row's first pixel is no other row's last.
    stride = width + 1
    start, stop = runs.row * stride + runs.start, runs.row * stride + runs.stop
    # The runs of the next row that touch a run, if only at a corner: they end after, and start before, these.
    first = np.searchsorted(stop, start + stride - 1, side="right")
    last = np.searchsorted(start, stop + stride + 1, side="left")
    below = np.maximum(last - first, 0)
    upper = np.arange(len(start)).repeat(below)
    lower = np.arange(len(upper)) + (first - np.cumsum(below) + below)[upper]
    beside = np.flatnonzero(start[1:] == stop[:-1])  # of one value where find_runs has cut at another map's change
    pairs = np.stack([np.concatenate([upper, beside]), np.concatenate([lower, beside + 1])])
    same = runs.value[pairs[0]] == runs.value[pairs[1]]
    return pairs.compress(same, axis=1)


def connect(count: int, pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], int]:
    """Number the connected groups of ``count`` runs of which pairs (2, P) are neighbours.

    Returns:
        (count,) group of each run, in reading order of the groups' first pixels, and the number of groups.
    """
    edges = coo_array((np.ones(pairs.shape[1]), tuple(pairs)), shape=(count, count))
    groups, group = connected_components(edges, directed=False)  # numbers groups as their first runs come
    return group.astype(np.int64), int(groups)


def draw_pixels(runs: Runs, groups: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return pixels of G groups of runs (G, ..., 2), (x, y): which in reading order, tell each group's draws.

    Args:
        runs: ``value``: their group, rising; one that stops before it starts has no pixel.
        groups: (G,) each with a pixel.
        draws: (G, ...) in [0, 1).
    """
    end = np.cumsum(np.maximum(runs.stop - runs.start, 0))  # (R,) pixels up to here, of all groups
    edges = np.concatenate([[0], end])[np.searchsorted(runs.value, [groups, groups + 1])]
    first, after = edges.reshape(2, -1, *(draws.ndim - 1) * [1])  # (G, ...) each
    pixel = first + (draws * (after - first)).astype(np.int64)
    run = np.searchsorted(end, pixel, side="right")
    return np.stack([runs.stop[run] + pixel - end[run], runs.row[run]], axis=-1)
