"""Checks of the points that a browser sends, and extreme points made of them."""

from collections.abc import Sequence
from itertools import permutations

import numpy as np

from fullseg.annotator.actions import ActionError, Point
from fullseg.types import inside_image

LONGEST_WAY = 1e6  # px: largest length of all strokes of one action together


def extremes(points: Sequence[Point], size: tuple[int, int]) -> tuple[Point, ...]:
    """Sort four clicks, given in any order, as left, top, right and bottom.

    Raises:
        ActionError: if a click lies outside the image of this size (H, W).
    """
    check_inside(points, size)
    return min(permutations(points), key=lambda p: p[0][0] + p[1][1] - p[2][0] - p[3][1])


def outermost(first: Sequence[Point], second: Sequence[Point]) -> tuple[tuple[Point, ...], tuple[Point, ...]]:
    """Return of two regions' extreme points the outer ones, as left, top, right and bottom, and the other four."""
    outer: list[Point] = []
    inner: list[Point] = []
    for side, (axis, sign) in enumerate(((0, 1), (1, 1), (0, -1), (1, -1))):
        swap = sign * first[side][axis] > sign * second[side][axis]
        near, far = (second, first) if swap else (first, second)
        outer.append(near[side])
        inner.append(far[side])
    return tuple(outer), tuple(inner)


def check_inside(points: Sequence[Point], size: tuple[int, int]) -> None:
    """Raise ActionError if a point lies outside the image of this size (H, W)."""
    found = np.array(points, np.float64).reshape(-1, 2)
    inside = inside_image(found, size)
    if not inside.all():
        (x, y), (height, width) = found[~inside][0], size
        raise ActionError(f"point (x={x:g}, y={y:g}) lies outside the image of {width} x {height} pixels (W x H)")


def check_length(paths: Sequence[Sequence[Point]]) -> None:
    """Raise ActionError if paths are too long together to be drawn in a reasonable time."""
    length = sum(float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()) for path in paths)
    if length > LONGEST_WAY:
        raise ActionError(f"strokes: they are {length:.0f} px long together, more than {LONGEST_WAY:.0f}")
