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

    value: NDArray[np.int64]  # (R,) of the pixels
    row: NDArray[np.int64]  # (R,)
    start: NDArray[np.int64]  # (R,) first column
    stop: NDArray[np.int64]  # (R,) one after the last column

    def select(self, which: NDArray[np.bool_] | NDArray[np.int64]) -> "Runs":
        """Return some of the runs, by mask or by number."""
        return Runs(*(part[which] for part in self))


def find_runs(values: NDArray[np.int32] | NDArray[np.int64], low: int, high: int) -> Runs:
    """Return all runs of values in [low, high) of an array (H, W)."""
    width, flat = max(values.shape[1], 1), values.ravel()
    first = np.ones(values.size, bool)
    np.not_equal(flat[1:], flat[:-1], out=first[1:])
    first[::width] = True  # so that none goes over the end of its row
    pixel = np.flatnonzero(first)  # (R,)
    row, start = np.divmod(pixel, width)
    stop = start + np.diff(pixel, append=values.size)
    value = flat[pixel].astype(np.int64)
    return Runs(value, row, start, stop).select((value >= low) & (value < high))


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


def connect(runs: Runs, width: int) -> tuple[NDArray[np.int64], int]:
    """Number the connected groups (8 neighbours) of pixels with one value in a map of that width.

    Returns:
        (R,) group of each run, in reading order of the groups' first pixels, and the number of groups.
    """
    # Positions in the image with one empty column more: what is left of a row's first pixel is no other row's last.
    stride = width + 1
    start, stop = runs.row * stride + runs.start, runs.row * stride + runs.stop
    # The runs of the next row that touch a run, if only at a corner: they end after, and start before, these.
    first = np.searchsorted(stop, start + stride - 1, side="right")
    last = np.searchsorted(start, stop + stride + 1, side="left")
    touching = np.maximum(last - first, 0)
    upper = np.arange(len(start)).repeat(touching)
    lower = np.arange(len(upper)) + (first - np.cumsum(touching) + touching)[upper]
    same = runs.value[upper] == runs.value[lower]
    upper, lower = upper[same], lower[same]
    edges = coo_array((np.ones(len(upper), bool), (upper, lower)), shape=(len(start), len(start)))
    count, group = connected_components(edges, directed=False)  # numbers groups as their first runs come
    return group.astype(np.int64), int(count)
