import numpy as np
import torch
from hypothesis import given, settings
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.model.annotation_maps import draw_scribbles
from fullseg.simulation import ErrorRegion, error_regions, simulate_scribble
from fullseg.simulation.scribbles import _bezier
from fullseg.types import VOID, Scribble
from tests.simulation.strategies import Case, cases


def everywhere(case: Case, error: ErrorRegion) -> NDArray[np.bool_]:
    mask = np.zeros(case.truth.shape, bool)
    x0, y0, x1, y1 = error.box
    mask[y0:y1, x0:x1] = error.mask
    return mask


def pixels_of(scribble: Scribble) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    x, y = scribble.points.astype(np.int64).T
    np.testing.assert_array_equal(scribble.points, np.stack([x, y], axis=1))
    return y, x


@given(cases())
@settings(max_examples=150, deadline=None)
def test_starts_in_its_error_region_and_stays_in_its_true_region(case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    for error in error_regions(case.truth, case.prediction, case.num_regions)[:6]:
        scribble = simulate_scribble(case.truth, case.prediction, error, rng)
        y, x = pixels_of(scribble)
        assert scribble.region == error.region
        assert everywhere(case, error)[y[0], x[0]]
        assert (case.truth[y, x] == error.region).all()
        steps = np.abs(np.diff(scribble.points, axis=0))
        assert (steps.max(axis=1, initial=0) <= 1).all()  # each pixel is a neighbour of the last,
        assert (steps.sum(axis=1) > 0).all()  # and another one


@given(cases())
@settings(max_examples=150, deadline=None)
def test_starts_next_to_what_is_right_where_the_error_touches_it(case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    for error in error_regions(case.truth, case.prediction, case.num_regions)[:6]:
        correct = (case.truth == error.region) & (case.prediction == error.region)
        border = everywhere(case, error) & ndimage.binary_dilation(correct, np.ones((3, 3)))
        y, x = pixels_of(simulate_scribble(case.truth, case.prediction, error, rng))
        if border.any():
            assert border[y[0], x[0]]


def test_is_a_smooth_curve_through_its_three_points() -> None:
    controls = np.array([[[0, 0], [10, 4], [20, 0]], [[5, 5], [5, 5], [5, 5]]])
    curve = _bezier(controls)
    t = np.linspace(0, 1, curve.shape[1])
    np.testing.assert_allclose(curve[0, 0], [0, 0])
    np.testing.assert_allclose(curve[0, -1], [20, 0])
    middle = [np.interp(0.5, t, curve[0, :, axis]) for axis in (0, 1)]
    np.testing.assert_allclose(middle, [10, 4], atol=0.05)
    np.testing.assert_allclose(curve[0, :, 1], 16 * t * (1 - t), atol=1e-9)  # the parabola through the three
    np.testing.assert_allclose(curve[1], 5)
    assert np.abs(np.diff(curve, axis=1)).max() <= 0.5 + 1e-9


def test_is_a_dot_where_no_curve_stays_inside() -> None:
    truth = np.indices((41, 41)).sum(axis=0) % 2  # a chessboard: any longer curve crosses the other colour
    prediction = np.where(truth == 0, 1, 0)
    error = error_regions(truth, prediction, 2)[0]
    scribbles = [simulate_scribble(truth, prediction, error, np.random.default_rng(k)) for k in range(20)]
    lengths = [len(scribble.points) for scribble in scribbles]
    assert lengths.count(1) >= 15
    for scribble in scribbles:
        y, x = pixels_of(scribble)
        assert (truth[y, x] == error.region).all()


def test_is_long_in_a_large_error_and_drawn_inside_it() -> None:
    truth = np.zeros((100, 200), np.int64)
    prediction = np.zeros_like(truth)
    prediction[20:80, 40:160] = 1
    [error] = error_regions(truth, prediction, 2)
    lengths = []
    for seed in range(20):
        scribble = simulate_scribble(truth, prediction, error, np.random.default_rng(seed))
        lengths.append(len(scribble.points))
        drawn = draw_scribbles(
            torch.zeros(1, 100, 200),
            torch.from_numpy(scribble.points),
            torch.tensor([len(scribble.points)]),
            torch.tensor([0]),
        )
        assert drawn.sum() >= len(scribble.points)
    assert np.median(lengths) > 60  # the longest of ten


def test_follows_from_its_randomness_alone() -> None:
    truth = np.zeros((30, 30), np.int64)
    prediction = np.full((30, 30), VOID)
    [error] = error_regions(truth, prediction, 1)
    first, again, other = (
        simulate_scribble(truth, prediction, error, np.random.default_rng(seed)).points for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(first, again)
    assert first.shape != other.shape or (first != other).any()
