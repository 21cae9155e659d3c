"""Regions that are annotated each by itself, against the same work done with images of one region."""

import numpy as np
from hypothesis import given, settings

from fullseg.metrics.region_iou import region_iou
from fullseg.simulation import error_regions
from fullseg.simulation.alone import ALONE, correct_alone, mask_alone, truth_alone
from fullseg.simulation.interaction import correct
from fullseg.simulation.noise import NO_NOISE
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases, mask_of


def masks_of(case: Case) -> np.ndarray:
    """Return masks that overlap: every other region also claims what its neighbour on the right has."""
    masks = case.prediction == np.arange(case.num_regions)[:, None, None]
    masks[::2] |= np.roll(masks[::2], -1, axis=2)
    return masks


@given(cases())
@settings(max_examples=150, deadline=None)
def test_every_region_that_lacks_pixels_gets_one_scribble_on_its_largest_error(case: Case) -> None:
    masks = masks_of(case)
    scribbles, errors = correct_alone(case.truth, masks, np.random.default_rng(case.seed))

    lacking = [r for r in range(case.num_regions) if ((case.truth == r) & ~masks[r]).any()]
    assert [scribble.region for scribble in scribbles] == [error.region for error in errors] == lacking
    for scribble, error in zip(scribbles, errors, strict=True):
        x, y = scribble.points.astype(int).T
        assert (case.truth[y, x] == scribble.region).all()
        missing = (case.truth == scribble.region) & ~masks[scribble.region]
        assert missing[y[0], x[0]]
        pixels = mask_of(error, case)
        assert (pixels <= missing).all()
        sizes = [e.area for e in error_regions(truth_alone(case.truth, error.region), mask_alone(~missing), 1)]
        assert error.area == max(sizes)  # with one region the largest error gains most
        before, after = (
            region_iou(mask_alone(mask), truth_alone(case.truth, error.region), 1)[0]
            for mask in (masks[error.region], masks[error.region] | pixels)
        )
        np.testing.assert_allclose(error.gain, after - before)


def test_others_do_not_matter() -> None:
    truth = np.array([[0, 0, 1, 1, BACKGROUND, VOID]])
    masks = np.array([[[1, 1, 1, 0, 1, 1]], [[1, 0, 0, 1, 0, 0]]], bool)
    scribbles, errors = correct(truth, masks, 2, ALONE, NO_NOISE, np.random.default_rng(0))

    assert [scribble.region for scribble in scribbles] == [1]  # no scribble tells region 0 what it has too much
    assert scribbles[0].points.tolist() == [[2, 0]]  # what region 0 claims there is nothing to region 1
    assert [(error.region, error.area) for error in errors] == [(1, 1)]
