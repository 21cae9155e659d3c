"""An annotator who is not precise: extreme points and scribbles with noise (left open by the paper, Sec. 6)."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.types import Scribble


class Noise(NamedTuple):
    """How imprecise the simulated annotator is; not at all if everything is 0."""

    points: float  # standard deviation of every extreme point in x and in y, in pixels
    scribble_offset: float  # standard deviation of the shift of a whole scribble in x and in y, in pixels
    scribble_short: float  # in [0, 1]: the end of a scribble is cut off, up to this part of its points
    scribble_misplaced: float  # probability that a scribble is given to another region
    scribble_dot: float = 0.0  # probability that a scribble is only the dot of its first point
    scribble_length: float = 0.0  # median of the lengths at which scribbles end, in pixels; 0: they end nowhere
    scribble_spread: float = 0.0  # standard deviation of the natural logarithm of these lengths


NO_NOISE = Noise(0, 0, 0, 0)


def disturb_points(
    points: NDArray[np.float32], size: tuple[int, ...], noise: Noise, rng: np.random.Generator
) -> NDArray[np.float32]:
    """Move extreme points (N, 4, 2) at random within the image of ``size`` (H, W)."""
    if noise.points == 0:
        return points
    return _inside(points + rng.normal(0, noise.points, points.shape), size)


def disturb_scribble(
    scribble: Scribble, num_regions: int, size: tuple[int, ...], noise: Noise, rng: np.random.Generator
) -> Scribble:
    """Shorten, shift and misplace a scribble of one of N regions at random, within the image of ``size`` (H, W)."""
    region, points = scribble
    if noise.scribble_short:
        left = 1 - noise.scribble_short * rng.random()
        points = points[: max(1, round(left * len(points)))]
    if noise.scribble_length:
        points = _ended(points, noise.scribble_length * np.exp(noise.scribble_spread * rng.normal()))
    if noise.scribble_dot and rng.random() < noise.scribble_dot:
        points = points[:1]
    if noise.scribble_offset:
        points = _inside(points + rng.normal(0, noise.scribble_offset, 2), size)
    if noise.scribble_misplaced and rng.random() < noise.scribble_misplaced and num_regions > 1:
        region = int((region + rng.integers(1, num_regions)) % num_regions)
    return Scribble(region, points)


def _ended(points: NDArray[np.float32], length: float) -> NDArray[np.float32]:
    """Return the points (K, 2) of a path up to a length in pixels; at least the first."""
    way = np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))
    return points[: 1 + int(np.searchsorted(way, length, side="right"))]


def _inside(points: NDArray[np.float64], size: tuple[int, ...]) -> NDArray[np.float32]:
    return points.clip(0, (size[1] - 1, size[0] - 1)).astype(np.float32)
