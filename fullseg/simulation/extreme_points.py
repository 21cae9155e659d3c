"""The simulated annotator's extreme points (paper, Sec. 4; after DEXTR, Maninis et al. 2018, Sec. 3)."""

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.runs import Runs, bounding_boxes, find_runs


def simulate_extreme_points(
    region_map: NDArray[np.int64], num_regions: int, jitter: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Click the left, top, right and bottom of every region.

    Each point is a random pixel of the region among those at most ``jitter`` px from the extreme column or row.

    Args:
        region_map: (H, W) int, region in [0, N) or VOID.
        num_regions: N; every region has at least one pixel.
        jitter: px, at least 0.
        rng: source of all randomness.

    Returns:
        (N, 4, 2) float32, (x, y) in pixels: left, top, right, bottom.

    Raises:
        ValueError: if a region has no pixel, or ``jitter`` is negative.
    """
    if jitter < 0:
        raise ValueError(f"jitter={jitter}: must be at least 0 px")
    runs = find_runs(region_map, 0, num_regions)
    runs = runs.select(np.argsort(runs.value, kind="stable"))  # region by region, each in reading order
    boxes = bounding_boxes(runs, runs.value, num_regions)
    empty = np.flatnonzero(np.bincount(runs.value, minlength=num_regions) == 0)
    if len(empty):
        raise ValueError(f"region {empty[0]} of {num_regions} has no pixel in the region map")
    points = np.empty((num_regions, 4, 2), dtype=np.float32)
    draws = rng.random((num_regions, 4))
    reach = int(jitter) + 1
    for side in range(4):
        strips = boxes.copy()  # (4, N), of the boxes what is in reach of one side
        if side < 2:
            strips[side + 2] = np.minimum(boxes[side + 2], boxes[side] + reach)
        else:
            strips[side - 2] = np.maximum(boxes[side - 2], boxes[side] - reach)
        points[:, side] = _draw_pixels(runs, strips, draws[:, side])
    return points


def _draw_pixels(runs: Runs, boxes: NDArray[np.int64], draws: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return a pixel of every region (N, 2), (x, y): which of those in its box (in reading order), tells its draw.

    Args:
        runs: of the regions, region by region.
        boxes: (4, N), x0, y0, x1, y1 of each in pixels, with a pixel of the region in each.
        draws: (N,) in [0, 1).
    """
    x0, y0, x1, y1 = boxes[:, runs.value]  # (R,) each
    start = np.maximum(runs.start, x0)
    inside = (runs.row >= y0) & (runs.row < y1)
    length = np.where(inside, np.maximum(np.minimum(runs.stop, x1) - start, 0), 0)
    end = np.cumsum(length)  # (R,) pixels up to here, of all regions
    last = np.searchsorted(runs.value, np.arange(len(draws)), side="right") - 1  # (N,)
    total = np.diff(end[last], prepend=0)  # (N,)
    pixel = end[last] - total + (draws * total).astype(np.int64)
    run = np.searchsorted(end, pixel, side="right")
    return np.stack([start[run] + pixel - end[run] + length[run], runs.row[run]], axis=1)
