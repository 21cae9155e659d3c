"""Simulated extreme points: in their region, near its extremes, with equal chances, and a function of the rng."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg.simulation.extreme_points import simulate_extreme_points
from fullseg.types import VOID

LEFT, TOP, RIGHT, BOTTOM = range(4)


def plain_candidates(mask: NDArray[np.bool_], jitter: float) -> list[set[tuple[int, int]]]:
    """Return the pixels (x, y) that may be clicked as left, top, right and bottom, by a loop over pixels."""
    pixels = [(x, y) for y, x in np.ndindex(mask.shape) if mask[y, x]]
    columns, rows = [x for x, _ in pixels], [y for _, y in pixels]
    return [
        {(x, y) for x, y in pixels if x - min(columns) <= jitter},
        {(x, y) for x, y in pixels if y - min(rows) <= jitter},
        {(x, y) for x, y in pixels if max(columns) - x <= jitter},
        {(x, y) for x, y in pixels if max(rows) - y <= jitter},
    ]


def ring() -> NDArray[np.int64]:
    rows, columns = np.mgrid[:21, :25]
    distance = np.hypot(rows - 10, columns - 12)
    return np.where(distance > 9, VOID, np.where(distance > 6, 0, 1))


def diagonals() -> NDArray[np.int64]:
    region_map = np.full((17, 17), VOID)
    region_map[np.arange(17), np.arange(17)] = 0
    region_map[np.arange(16), np.arange(1, 17)] = 1
    return region_map


SMALL = np.array([[VOID, 0, 0, 1, 1], [0, 0, 0, 1, 1], [0, 0, 2, 1, VOID]])
MAPS = {
    "small": SMALL,
    "ring": ring(),
    "diagonals": diagonals(),
    "pixel": np.array([[0]]),
    "row": np.zeros((1, 9), int),
}


@pytest.mark.parametrize("jitter", [0, 1, 2.5, 5, 1000])
@pytest.mark.parametrize("name", MAPS)
def test_every_point_is_a_pixel_of_its_region_near_its_extreme(name: str, jitter: float) -> None:
    region_map = MAPS[name]
    regions = int(region_map.max()) + 1

    for seed in range(10):
        points = simulate_extreme_points(region_map, regions, jitter, np.random.default_rng(seed))

        assert points.shape == (regions, 4, 2)
        assert points.dtype == np.float32
        for region in range(regions):
            for point, allowed in zip(points[region], plain_candidates(region_map == region, jitter), strict=True):
                assert tuple(point.tolist()) in allowed


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 3, 100]), st.sampled_from([0, 1, 5]))
def test_scattered_regions_too(seed: int, regions: int, jitter: int) -> None:
    rng = np.random.default_rng(seed)
    region_map = rng.integers(VOID, regions, (13, 15))
    region_map.flat[rng.permutation(region_map.size)[:regions]] = np.arange(regions)  # each has a pixel

    points = simulate_extreme_points(region_map, regions, jitter, rng)

    for region in range(regions):
        for point, allowed in zip(points[region], plain_candidates(region_map == region, jitter), strict=True):
            assert tuple(point.tolist()) in allowed


def test_without_jitter_the_extremes_are_exact() -> None:
    points = simulate_extreme_points(ring(), 2, 0, np.random.default_rng(0))

    assert points[0, LEFT, 0] == 3
    assert points[0, TOP, 1] == 1
    assert points[0, RIGHT, 0] == 21
    assert points[0, BOTTOM, 1] == 19
    assert points[1, LEFT].tolist() == [6, 10]
    assert points[1, BOTTOM].tolist() == [12, 16]


def test_region_of_one_pixel_is_clicked_four_times() -> None:
    points = simulate_extreme_points(SMALL, 3, 5, np.random.default_rng(0))

    assert points[2].tolist() == 4 * [[2, 2]]


def test_every_candidate_is_drawn_equally_often() -> None:
    draws, jitter = 2000, 1
    rng = np.random.default_rng(0)
    counts: list[dict[tuple[int, int], int]] = [{} for _ in range(4)]
    for _ in range(draws):
        for side, point in enumerate(simulate_extreme_points(SMALL, 3, jitter, rng)[0].tolist()):
            counts[side][tuple(point)] = counts[side].get(tuple(point), 0) + 1

    for count, allowed in zip(counts, plain_candidates(SMALL == 0, jitter), strict=True):
        assert set(count) == allowed
        expected = draws / len(allowed)
        assert all(abs(number - expected) < 5 * np.sqrt(expected) for number in count.values())


def test_same_rng_same_points_and_another_rng_others() -> None:
    first, again, other = (simulate_extreme_points(ring(), 2, 5, np.random.default_rng(seed)) for seed in (7, 7, 8))

    np.testing.assert_array_equal(first, again)
    assert (first != other).any()


def test_points_of_a_region_do_not_depend_on_later_regions() -> None:
    region_map = ring()

    both = simulate_extreme_points(region_map, 2, 5, np.random.default_rng(0))
    alone = simulate_extreme_points(np.where(region_map == 0, 0, VOID), 1, 5, np.random.default_rng(0))

    np.testing.assert_array_equal(both[:1], alone)


def test_region_map_stays_as_it_was() -> None:
    region_map = ring()

    simulate_extreme_points(region_map, 2, 5, np.random.default_rng(0))

    np.testing.assert_array_equal(region_map, ring())


def test_no_region_gives_no_point() -> None:
    assert simulate_extreme_points(np.full((3, 5), VOID), 0, 5, np.random.default_rng(0)).shape == (0, 4, 2)


@pytest.mark.parametrize(
    ("regions", "jitter", "message"),
    [
        (4, 5, "region 3 of 4 has no pixel in the region map"),
        (3, -1, "jitter=-1: must be at least 0 px"),
    ],
)
def test_wrong_arguments_are_named(regions: int, jitter: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate_extreme_points(SMALL, regions, jitter, np.random.default_rng(0))
