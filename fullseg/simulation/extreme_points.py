"""The simulated annotator's extreme points (paper, Sec. 4; after DEXTR, Maninis et al. 2018, Sec. 3)."""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import find_objects


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
    reach = int(jitter) + 1
    points = np.empty((num_regions, 4, 2), dtype=np.float32)
    boxes = find_objects(region_map + 1, max_label=num_regions)
    draws = rng.random((num_regions, 4))
    for region, box in enumerate(boxes):
        if box is None:
            raise ValueError(f"region {region} of {num_regions} has no pixel in the region map")
        mask = region_map[box] == region
        top, left = box[0].start, box[1].start
        height, width = mask.shape
        strips = (
            (mask[:, :reach], 0, 0),
            (mask[:reach], 0, 0),
            (mask[:, -reach:], 0, max(width - reach, 0)),
            (mask[-reach:], max(height - reach, 0), 0),
        )
        for side, (strip, row, column) in enumerate(strips):
            pixels = np.flatnonzero(strip)
            y, x = divmod(int(pixels[int(draws[region, side] * len(pixels))]), strip.shape[1])
            points[region, side] = (left + column + x, top + row + y)
    return points
