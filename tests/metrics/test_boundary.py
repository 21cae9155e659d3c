"""Boundary IoU against the published procedure, written out plainly."""

import cv2
import numpy as np
from hypothesis import given, settings
from numpy.typing import NDArray

from fullseg.metrics.boundary import boundary_iou
from fullseg.types import VOID
from tests.simulation.strategies import Case, cases


def band_as_published(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """Mask minus its erosion by a 3 x 3 square, done ``reach`` times, with a frame of zeros around the image."""
    padded = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=reach)[1:-1, 1:-1]
    return mask & (eroded == 0)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_boundary_iou_equals_the_published_procedure(case: Case) -> None:
    truth, prediction = (m.repeat(9, axis=0).repeat(9, axis=1) for m in (case.truth, case.prediction))
    reach = max(1, round(0.02 * float(np.hypot(*truth.shape))))
    got = boundary_iou(prediction, truth, case.num_regions)
    for region in range(case.num_regions):
        mine, wanted = (band_as_published(m == region, reach) & (truth != VOID) for m in (prediction, truth))
        union = (mine | wanted).sum()
        expected = (mine & wanted).sum() / union if union else np.nan
        np.testing.assert_equal(got[region], expected)


def test_boundary_iou_sees_a_shift_that_iou_hardly_sees() -> None:
    truth = np.zeros((400, 400), np.int64)
    truth[50:350, 50:350] = 1
    shifted = np.roll(truth, 6, axis=1)
    assert boundary_iou(truth, truth, 2).tolist() == [1, 1]
    assert boundary_iou(shifted, truth, 2)[1] < 0.75  # IoU is 0.96
