"""The pixels of brushes and polygons, against the definition: distances and angles of every pixel by itself."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg.annotator.shapes import Pixels, brush_pixels, polygon_pixels

SIZE = (23, 31)
places = st.tuples(st.floats(-0.5, SIZE[1] - 0.5), st.floats(-0.5, SIZE[0] - 0.5))
whole = st.tuples(st.integers(0, SIZE[1] - 1), st.integers(0, SIZE[0] - 1)).map(lambda p: (float(p[0]), float(p[1])))
paths = st.lists(places | whole, min_size=1, max_size=6).map(lambda points: np.array(points).round(3))
NEAR = 1e-6  # px: nearer to the border than this, rounding decides


def centres(size: tuple[int, int] = SIZE) -> NDArray[np.float64]:
    y, x = np.mgrid[: size[0], : size[1]].astype(np.float64)
    return np.stack([x, y], axis=-1)


def distances(path: NDArray[np.float64], size: tuple[int, int] = SIZE) -> NDArray[np.float64]:
    """Return the distance (H, W) of every pixel's centre to a path, segment by segment."""
    best = np.linalg.norm(centres(size) - path[0], axis=-1)
    for a, b in pairwise(path):
        square = ((b - a) ** 2).sum()
        t = ((centres(size) - a) @ (b - a) / square).clip(0, 1) if square > 0 else np.zeros(size)
        best = np.minimum(best, np.linalg.norm(centres(size) - a - t[..., None] * (b - a), axis=-1))
    return np.asarray(best)


@given(paths, st.floats(1, 30))
def test_a_brush_covers_the_pixels_within_half_its_width(path: NDArray[np.float64], width: float) -> None:
    found = brush_pixels(path, width, SIZE).of(SIZE)
    far = distances(path)
    under = np.zeros(SIZE, bool)
    for x, y in path:
        under[min(int(y + 0.5), SIZE[0] - 1), min(int(x + 0.5), SIZE[1] - 1)] = True
    clear = np.abs(far - width / 2) > NEAR
    np.testing.assert_array_equal(found[clear], (under | (far <= width / 2))[clear])


@given(whole, st.integers(1, 20))
def test_a_dot_is_a_disc_and_a_brush_one_pixel_wide_paints_one_pixel(point: tuple[float, float], width: int) -> None:
    found = brush_pixels(np.array([point]), width, SIZE).of(SIZE)
    np.testing.assert_array_equal(found, ((centres() - point) ** 2).sum(axis=-1) * 4 <= width**2)
    assert brush_pixels(np.array([point]), 1, SIZE).mask.sum() == 1


def test_a_path_of_many_points_is_as_exact_as_a_short_one() -> None:
    rng = np.random.default_rng(0)
    path = np.cumsum(rng.normal(0, 0.4, (900, 2)), axis=0).clip(-10, 10) + np.array([15, 11])
    far = distances(path)
    np.testing.assert_array_equal(brush_pixels(path, 5, SIZE).of(SIZE), far <= 2.5)


@given(st.lists(places, min_size=3, max_size=8))
def test_a_polygon_covers_the_pixels_around_which_it_winds_an_odd_number_of_times(
    corners: list[tuple[float, float]],
) -> None:
    polygon = np.array(corners).round(3)
    found = polygon_pixels(polygon, SIZE).of(SIZE)
    closed = np.concatenate([polygon, polygon[:1]])
    clear = distances(closed) > 1e-3
    rays = closed - centres()[..., None, :]  # (H, W, K, 2)
    angles = np.arctan2(rays[..., 1], rays[..., 0])
    turns = (np.diff(angles, axis=-1) + np.pi) % (2 * np.pi) - np.pi
    winding = np.round(turns.sum(axis=-1) / (2 * np.pi))
    np.testing.assert_array_equal(found[clear], (winding % 2 == 1)[clear])


@given(st.integers(0, 25), st.integers(0, 18), st.integers(1, 5), st.integers(1, 4))
def test_a_rectangle_has_its_pixels_and_its_neighbours_rectangle_the_others(x: int, y: int, w: int, h: int) -> None:
    box = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]], np.float64) - 0.5
    expected = np.zeros(SIZE, bool)
    expected[y : y + h, x : x + w] = True
    np.testing.assert_array_equal(polygon_pixels(box, SIZE).of(SIZE), expected)


def test_a_mask_lies_where_it_says() -> None:
    expected = np.zeros((4, 6), bool)
    expected[2, 3:5] = True
    np.testing.assert_array_equal(Pixels(3, 2, np.ones((1, 2), bool)).of((4, 6)), expected)
