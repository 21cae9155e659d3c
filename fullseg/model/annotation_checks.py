"""Checks that annotations fit an image."""

import numpy as np
from numpy.typing import NDArray

from fullseg.errors import DataError
from fullseg.types import BACKGROUND, Annotations, Scribble, inside_image


def check_annotations(annotations: Annotations, size: tuple[int, int]) -> Annotations:
    """Return annotations as contiguous float32, after checking that they fit an image.

    Args:
        annotations: of N regions.
        size: (H, W) of the image in pixels.

    Raises:
        ValueError: if an array has another shape than (N, 4, 2) or (K, 2), K at least 1.
        DataError: if a point lies outside the image, or a scribble's region is neither in [0, N) nor BACKGROUND.
    """
    points = np.ascontiguousarray(annotations.extreme_points, np.float32)
    if points.ndim != 3 or points.shape[1:] != (4, 2):
        raise ValueError(f"extreme_points are {points.shape}, expected (N, 4, 2)")
    for region, quad in enumerate(points):
        _check_inside(quad, size, f"region {region}: extreme point")
    scribbles = [_check_scribble(scribble, len(points), size) for scribble in annotations.scribbles]
    return Annotations(points, scribbles)


def _check_scribble(scribble: Scribble, num_regions: int, size: tuple[int, int]) -> Scribble:
    path = np.ascontiguousarray(scribble.points, np.float32)
    if path.ndim != 2 or path.shape[1] != 2 or len(path) == 0:
        raise ValueError(f"scribble of region {scribble.region}: points are {path.shape}, expected (K, 2), K >= 1")
    if not 0 <= scribble.region < num_regions and scribble.region != BACKGROUND:
        raise DataError(f"scribble of region {scribble.region}, but there are {num_regions} regions")
    _check_inside(path, size, f"scribble of region {scribble.region}: point")
    return Scribble(scribble.region, path)


def _check_inside(points: NDArray[np.float32], size: tuple[int, int], what: str) -> None:
    inside = inside_image(points, size)
    if not inside.all():
        (x, y), (height, width) = points[~inside][0], size
        raise DataError(f"{what} (x={x:g}, y={y:g}) lies outside the image of {width} x {height} pixels (W x H)")
