import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.metrics.region_iou import region_iou
from fullseg.simulation import error_regions
from fullseg.simulation.errors import pixels_of
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases, mask_of, painted


def mean_iou(prediction: NDArray[np.int64], case: Case) -> float:
    present = np.unique(case.truth[case.truth >= 0])
    return float(region_iou(prediction, case.truth, case.num_regions)[present].mean())


@given(cases())
@settings(max_examples=200, deadline=None)
def test_correcting_an_error_gains_exactly_what_was_promised(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    for error in [*errors[:5], *errors[-2:]]:
        corrected = np.where(mask_of(error, case), case.truth, case.prediction)
        gained = mean_iou(corrected, case) - mean_iou(case.prediction, case)
        assert error.gain == pytest.approx(gained, abs=1e-12)
        assert error.gain > 0


@given(cases())
@settings(max_examples=200, deadline=None)
def test_errors_are_the_connected_groups_of_wrong_pixels_of_each_true_region(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    found = {(error.region, mask_of(error, case).tobytes()) for error in errors}
    expected = set()
    for region in range(case.num_regions):
        labels, count = ndimage.label((case.truth == region) & (case.prediction != region), np.ones((3, 3)))
        expected |= {(region, (labels == number).tobytes()) for number in range(1, count + 1)}
    assert found == expected
    assert len(errors) == len(expected)
    for error in errors:
        y, x = np.nonzero(mask_of(error, case))
        assert error.area == len(x)
        assert error.box == (x.min(), y.min(), x.max() + 1, y.max() + 1)


@given(cases())
@settings(max_examples=200, deadline=None)
def test_the_border_is_beside_what_is_right_of_the_region(case: Case) -> None:
    for error in error_regions(case.truth, case.prediction, case.num_regions):
        border = error.pixels.border
        right = (case.truth == error.region) & (case.prediction == error.region)
        expected = mask_of(error, case) & ndimage.binary_dilation(right, np.ones((3, 3)))
        np.testing.assert_array_equal(painted(border.select(border.value == error.number), case.truth.shape), expected)


@given(cases())
@settings(max_examples=200, deadline=None)
def test_pixels_of_some_errors_are_those_of_their_masks(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    chosen = errors[::2][::-1]  # not all, and in another order than they are numbered
    pixels, owner = pixels_of(chosen, case.truth.shape[1])
    assert len(pixels) == sum(error.area for error in chosen)
    for number, error in enumerate(chosen):
        np.testing.assert_array_equal(np.sort(pixels[owner == number]), np.flatnonzero(mask_of(error, case)))


@given(cases())
@settings(max_examples=100, deadline=None)
def test_the_most_important_comes_first(case: Case) -> None:
    gains = [error.gain for error in error_regions(case.truth, case.prediction, case.num_regions)]
    assert gains == sorted(gains, reverse=True)


def test_errors_that_gain_the_same_come_in_reading_order() -> None:
    truth = np.repeat([[0, 1]], 9, axis=0).repeat(5, axis=1)
    prediction = truth.copy()
    for y, x in ((2, 3), (4, 7), (4, 1), (6, 8), (0, 9)):
        prediction[y, x] = VOID
    corners = [error.box[:2] for error in error_regions(truth, prediction, 2)]
    assert corners == [(9, 0), (3, 2), (1, 4), (7, 4), (8, 6)]


def test_gain_by_hand() -> None:
    truth = np.array([[0, 0, 0, 0, 1, 1, 1, 1]])
    prediction = np.array([[0, 0, 0, 1, 1, 1, 1, VOID]])
    [first, second] = error_regions(truth, prediction, 2)
    # Region 0: 3/4 -> 1. Region 1: 3/5 -> 3/4 without the false positive, or -> 4/5 with its own missing pixel.
    assert (first.region, first.box, first.area) == (0, (3, 0, 4, 1), 1)
    assert first.gain == pytest.approx(((1 - 3 / 4) + (3 / 4 - 3 / 5)) / 2)
    assert (second.region, second.box) == (1, (7, 0, 8, 1))
    assert second.gain == pytest.approx((4 / 5 - 3 / 5) / 2)


def test_diagonal_neighbours_are_one_error_and_other_true_regions_another() -> None:
    truth = np.array([[0, 1], [1, 0]])
    prediction = np.full((2, 2), VOID)
    errors = error_regions(truth, prediction, 2)
    assert [(error.region, error.area) for error in errors] == [(0, 2), (1, 2)]


def test_background_given_to_a_region_widens_its_union_and_is_no_error() -> None:
    truth = np.array([[0, 0, 0, BACKGROUND, BACKGROUND, BACKGROUND]])
    assert error_regions(truth, np.array([[0, 0, 0, 0, VOID, VOID]]), 1) == []
    [error] = error_regions(truth, np.array([[0, 0, VOID, 0, 0, VOID]]), 1)
    assert (error.region, error.area) == (0, 1)
    assert error.gain == pytest.approx(3 / 5 - 2 / 5)


def test_no_error_in_a_perfect_prediction_or_on_void() -> None:
    truth = np.array([[0, 0, VOID], [1, 1, VOID]])
    prediction = np.array([[0, 0, 1], [1, 1, 0]])
    assert error_regions(truth, prediction, 2) == []


@pytest.mark.parametrize(
    ("truth", "prediction", "message"),
    [
        (np.zeros((2, 2), int), np.zeros((2, 3), int), r"prediction is \(2, 3\), truth is \(2, 2\)"),
        (np.full((2, 2), -3), np.zeros((2, 2), int), "truth holds regions -3 to -3 of 2"),
        (np.full((2, 2), 3), np.zeros((2, 2), int), "truth holds regions 3 to 3 of 2"),
        (np.zeros((2, 2), int), np.full((2, 2), -2), "prediction holds regions -2 to -2 of 2"),
    ],
)
def test_rejects_maps_that_do_not_fit(truth: NDArray[np.int64], prediction: NDArray[np.int64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        error_regions(truth, prediction, 2)
