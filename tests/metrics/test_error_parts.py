"""The boundary band against a search among all pixels, and the parts of the error against maps that are mended."""

import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray

from fullseg.metrics.error_parts import boundary_band, error_parts
from fullseg.metrics.region_iou import region_iou
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases


def plain_band(truth: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the pixels with another region, or BACKGROUND, at most 2 px away."""
    y, x = np.indices(truth.shape)
    near = (y.ravel()[:, None] - y.ravel()) ** 2 + (x.ravel()[:, None] - x.ravel()) ** 2 <= 2**2
    other = (truth.ravel()[:, None] != truth.ravel()) & (truth.ravel() != VOID)
    return (near & other).any(axis=1).reshape(truth.shape)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_the_band_has_the_pixels_within_2_px_of_another_region(case: Case) -> None:
    scored = case.truth != VOID
    np.testing.assert_array_equal(boundary_band(case.truth)[scored], plain_band(case.truth)[scored])


def test_the_band_is_two_pixels_wide_on_each_side_and_not_along_the_image() -> None:
    truth = np.zeros((9, 20), np.int64)
    truth[:, 10:] = 300  # a number that a byte cannot hold
    assert np.flatnonzero(boundary_band(truth).all(axis=0)).tolist() == [8, 9, 10, 11]
    assert boundary_band(truth).sum() == 4 * 9


@given(cases())
@settings(max_examples=200, deadline=None)
def test_parts_are_those_of_maps_that_are_mended(case: Case) -> None:
    truth, prediction, count = case.truth, case.prediction, case.num_regions
    band, scored = boundary_band(truth), truth != VOID
    right = np.where(truth == BACKGROUND, VOID, truth)
    wrong = (prediction != right) & scored

    found = error_parts(prediction, truth, band, count)

    assert (found.scored, found.at_boundary, found.inside) == (
        scored.sum(),
        (wrong & band).sum(),
        (wrong & ~band).sum(),
    )
    boundary_mended = region_iou(np.where(band & scored, right, prediction), truth, count)
    inside_mended = region_iou(np.where(~band & scored, right, prediction), truth, count)
    np.testing.assert_array_equal(found.iou_if_boundary_mended, boundary_mended)
    np.testing.assert_array_equal(found.iou_if_inside_mended, inside_mended)
