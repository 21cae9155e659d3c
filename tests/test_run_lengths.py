"""Runs against plain loops over pixels and against scipy's labels."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.run_lengths import Runs, bounding_boxes, connect, draw_pixels, find_runs, touching
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases


def runs_of(regions: NDArray[np.int64]) -> Runs:
    runs = find_runs(regions)
    return runs.select(runs.value >= 0)


def connected(runs: Runs, width: int) -> tuple[NDArray[np.int64], int]:
    return connect(len(runs.row), touching(runs, width))


def painted(shape: tuple[int, ...], runs: object, values: NDArray[np.int64]) -> NDArray[np.int64]:
    image = np.full(shape, VOID)
    for row, start, stop, value in zip(runs.row, runs.start, runs.stop, values, strict=True):  # type: ignore[attr-defined]
        assert (image[row, start:stop] == VOID).all()
        image[row, start:stop] = value
    return image


def plain_groups(truth: NDArray[np.int64], regions: int) -> NDArray[np.int64]:
    """Return the 8-connected groups of one value, in reading order of their first pixels; VOID stays VOID."""
    groups = np.full(truth.shape, VOID)
    for region in range(regions):
        labels, count = ndimage.label(truth == region, np.ones((3, 3)))
        for number in range(1, count + 1):
            groups[labels == number] = groups.max() + 1
    firsts = {int(groups.flat[pixel]): None for pixel in range(groups.size) if groups.flat[pixel] != VOID}
    new = {group: number for number, group in enumerate(firsts)}
    return np.vectorize(lambda group: new.get(group, VOID), otypes=[np.int64])(groups)


@given(cases())
@settings(max_examples=200, deadline=None)
def test_runs_are_the_pixels_in_reading_order_and_none_could_be_longer(case: Case) -> None:
    runs = runs_of(case.truth)

    np.testing.assert_array_equal(painted(case.truth.shape, runs, runs.value), np.maximum(case.truth, VOID))
    assert (runs.start < runs.stop).all()
    follows = (runs.row[1:] == runs.row[:-1]) & (runs.start[1:] <= runs.stop[:-1])
    assert ((runs.value[1:] != runs.value[:-1]) | ~follows).all()
    assert (np.diff(runs.row * 100 + runs.start) > 0).all()


@given(cases())
@settings(max_examples=100, deadline=None)
def test_runs_of_two_maps_are_cut_where_either_changes(case: Case) -> None:
    runs = find_runs(case.truth, case.prediction)

    np.testing.assert_array_equal(painted(case.truth.shape, runs, runs.value), case.truth)
    both = find_runs(10 * case.truth + case.prediction)
    np.testing.assert_array_equal(runs[1:], both[1:])
    all_runs = runs._replace(value=case.truth[runs.row, runs.start] - BACKGROUND)
    group, _ = connected(all_runs, case.truth.shape[1])
    expected = plain_groups(case.truth - BACKGROUND, case.num_regions + 2)  # cuts change nothing
    np.testing.assert_array_equal(painted(case.truth.shape, runs, group), expected)


def test_pixels_are_drawn_in_reading_order() -> None:
    runs = Runs(*np.array([[0, 0, 0, 1], [2, 3, 4, 2], [5, 7, 1, 9], [7, 6, 2, 10]]))  # the second has no pixel
    pixels = draw_pixels(runs, np.array([1, 0]), np.array([[0.0, 0.5, 0.9, 0.1], [0.0, 0.3, 0.4, 0.99]]))
    assert pixels.tolist() == [4 * [[9, 2]], [[5, 2], [5, 2], [6, 2], [1, 4]]]


@given(cases())
@settings(max_examples=200, deadline=None)
def test_groups_are_the_connected_pixels_of_one_value_in_reading_order(case: Case) -> None:
    runs = runs_of(case.truth)

    group, count = connected(runs, case.truth.shape[1])

    expected = plain_groups(case.truth, case.num_regions)
    np.testing.assert_array_equal(painted(case.truth.shape, runs, group), expected)
    assert count == expected.max() + 1


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([[0]], [[0]]),
        ([[0, 1, 0]], [[0, 1, 2]]),
        ([[0], [0], [1], [0]], [[0], [0], [1], [2]]),
        ([[0, 1], [1, 0]], [[0, 1], [1, 0]]),
        ([[VOID, 0], [0, VOID]], [[VOID, 0], [0, VOID]]),
        ([[VOID, VOID, 0], [0, VOID, VOID]], [[VOID, VOID, 0], [1, VOID, VOID]]),  # not across the end of a row
        ([[0, VOID, VOID], [VOID, VOID, VOID], [0, VOID, 0]], [[0, VOID, VOID], 3 * [VOID], [1, VOID, 2]]),
    ],
)
def test_groups_by_hand(values: list[list[int]], expected: list[list[int]]) -> None:
    runs = runs_of(np.array(values))

    group, _ = connected(runs, len(values[0]))

    assert painted(np.shape(values), runs, group).tolist() == expected


@given(cases())
@settings(max_examples=100, deadline=None)
def test_boxes_are_tight(case: Case) -> None:
    runs = runs_of(case.truth)

    boxes = bounding_boxes(runs, runs.value, case.num_regions)

    for region, (x0, y0, x1, y1) in enumerate(boxes.T.tolist()):
        y, x = np.nonzero(case.truth == region)
        if len(x):
            assert (x0, y0, x1, y1) == (x.min(), y.min(), x.max() + 1, y.max() + 1)
        else:
            assert x0 > x1
