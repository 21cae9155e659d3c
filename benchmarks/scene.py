"""The scene on which everything is timed: wavy regions, their exact extreme points, and scribbles that correct them."""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.simulation import allocate, error_regions, simulate_extreme_points, simulate_scribble
from fullseg.types import Annotations, Scribble

DRAWN = (480, 640)  # (H, W) at which the partition is drawn


class Scene(NamedTuple):
    """An image of N regions and its annotations."""

    image: NDArray[np.uint8]  # (H, W, 3), noise
    points: NDArray[np.float32]  # (N, 4, 2), extreme points, (x, y) in pixels
    scribbles: list[Scribble]  # one per region with an error, round after round


def wavy_regions(
    count: int, size: tuple[int, int], rng: np.random.Generator
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return regions with wavy borders, and a prediction in which about half the image is shifted.

    Args:
        count: N.
        size: (H, W) in pixels.
        rng: source of all randomness.

    Returns:
        Truth and prediction, (H, W) int64 in [0, N).
    """
    centres = rng.random((count, 2)) * size
    waves = [cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), 6) for _ in range(2)]
    y, x = (axis + 120 * wave for axis, wave in zip(np.indices(size), waves, strict=True))
    distances = (y - centres[:, 0, None, None]) ** 2 + (x - centres[:, 1, None, None]) ** 2
    truth = distances.argmin(axis=0).astype(np.int64)
    wrong = cv2.GaussianBlur(rng.standard_normal(size).astype(np.float32), (0, 0), 12) > 0
    return truth, np.where(wrong, np.roll(truth, (9, 11), (0, 1)), truth)


def make_scene(count: int, size: tuple[int, int], rounds: int) -> Scene:
    """Return a scene. All sizes show the same partition, so that regions and scribbles grow with the image."""
    rng = np.random.default_rng(0)
    truth, prediction = wavy_regions(count, DRAWN, rng)
    errors = allocate(error_regions(truth, prediction, count), count, "per_region")
    scale = np.array([size[1] / DRAWN[1], size[0] / DRAWN[0]], np.float32)
    scribbles = [simulate_scribble(truth, prediction, error, rng) for _ in range(rounds) for error in errors]
    scribbles = [scribble._replace(points=_scaled(scribble.points, scale)) for scribble in scribbles]
    points = _scaled(simulate_extreme_points(truth, count, 0, rng), scale)
    return Scene(rng.integers(0, 256, (*size, 3), dtype=np.uint8), points, scribbles)


def _scaled(points: NDArray[np.float32], scale: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return points (..., 2) in an image that is so many times as wide and high: whole numbers are pixel centres."""
    return (points + np.float32(0.5)) * scale - np.float32(0.5)


def corrections(scene: Scene, step: int) -> Iterator[Annotations]:
    """Yield the annotations without scribbles, then with ``step`` scribbles more each time."""
    for count in range(0, len(scene.scribbles) + 1, step):
        yield Annotations(scene.points, scene.scribbles[:count])
