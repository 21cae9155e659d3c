"""The simulated annotator's extreme points (paper, Sec. 4; after DEXTR, Maninis et al. 2018, Sec. 3)."""

import numpy as np
from numpy.typing import NDArray

from fullseg.run_lengths import Runs, bounding_boxes, draw_pixels, find_runs


def simulate_extreme_points(
    region_map: NDArray[np.int64], num_regions: int, jitter: float, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Click the left, top, right and bottom of every region.

    Each point is a random pixel of the region, at most ``jitter`` px from its extreme column or row.

    Args:
        region_map: (H, W) int, region in [0, N), VOID or BACKGROUND.
        num_regions: N; every region has at least one pixel.
        jitter: in pixels, at least 0.
        rng: source of all randomness.

    Returns:
        (N, 4, 2) float32, (x, y) in pixels: left, top, right, bottom.

    Raises:
        ValueError: if a region has no pixel, or ``jitter`` is negative.
    """
    if jitter < 0:
        raise ValueError(f"jitter={jitter}: must be at least 0 px")
    runs = find_runs(region_map)
    runs = runs.select((runs.value >= 0) & (runs.value < num_regions))
    runs = runs.select(np.argsort(runs.value, kind="stable"))  # region by region, each in reading order
    boxes = bounding_boxes(runs, runs.value, num_regions)
    empty = np.flatnonzero(np.bincount(runs.value, minlength=num_regions) == 0)
    if len(empty):
        raise ValueError(f"region {empty[0]} of {num_regions} has no pixel in the region map")
    reach = int(jitter) + 1
    strips = np.stack(4 * [boxes])  # (side, edge, N), the part of each box within reach of one of its sides
    for side in range(4):
        if side < 2:
            strips[side, side + 2] = np.minimum(boxes[side + 2], boxes[side] + reach)
        else:
            strips[side, side - 2] = np.maximum(boxes[side - 2], boxes[side] - reach)
    x0, y0, x1, y1 = strips.take(runs.value, axis=2).swapaxes(0, 1)  # (side, R) each
    start, stop = np.maximum(runs.start, x0), np.minimum(runs.stop, x1)
    stop = np.where((runs.row >= y0) & (runs.row < y1), stop, start)
    group = np.arange(4)[:, None] * num_regions + runs.value  # first by side, then by region
    clipped = Runs(group.ravel(), np.tile(runs.row, 4), start.ravel(), stop.ravel())
    draws = rng.random((num_regions, 4)).T.ravel()
    points = draw_pixels(clipped, np.arange(4 * num_regions), draws)  # (4 * N, 2)
    return points.reshape(4, num_regions, 2).swapaxes(0, 1).astype(np.float32, order="C")
