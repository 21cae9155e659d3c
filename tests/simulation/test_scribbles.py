import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.model.annotation_maps import draw_scribbles
from fullseg.simulation import ErrorRegion, error_regions, simulate_scribble, simulate_scribbles
from fullseg.simulation.scribbles import TRIES, _bezier_curves, _bounds, _pixels
from fullseg.types import VOID, Scribble
from tests.simulation.strategies import Case, cases, mask_of


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
        assert mask_of(error, case)[y[0], x[0]]
        assert (case.truth[y, x] == error.region).all()
        steps = np.abs(np.diff(scribble.points, axis=0))
        assert (steps.max(axis=1, initial=0) <= 1).all()  # each pixel is a neighbour of the one before,
        assert (steps.sum(axis=1) > 0).all()  # and not the same


@given(cases())
@settings(max_examples=150, deadline=None)
def test_starts_next_to_what_is_right_where_the_error_touches_it(case: Case) -> None:
    rng = np.random.default_rng(case.seed)
    for error in error_regions(case.truth, case.prediction, case.num_regions)[:6]:
        correct = (case.truth == error.region) & (case.prediction == error.region)
        border = mask_of(error, case) & ndimage.binary_dilation(correct, np.ones((3, 3)))
        y, x = pixels_of(simulate_scribble(case.truth, case.prediction, error, rng))
        if border.any():
            assert border[y[0], x[0]]


def plain_scribble(case: Case, error: ErrorRegion, draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Do as the docstring of simulate_scribbles says, with loops over curves and samples; draws are (TRIES, 3)."""
    y, x = np.nonzero(mask_of(error, case))
    inside = list(zip(x.tolist(), y.tolist(), strict=True))
    correct = (case.truth == error.region) & (case.prediction == error.region)
    near = ndimage.binary_dilation(correct, np.ones((3, 3)))
    first = [(x, y) for x, y in inside if near[y, x]] or inside
    tries = [
        [np.array(c[int(u * len(c))], float) for c, u in zip((first, inside, inside), row, strict=True)]
        for row in draws
    ]
    handles = [2 * middle - (start + end) / 2 for start, middle, end in tries]
    sides = [np.linalg.norm([h - s, e - h], axis=1).max() for (s, _, e), h in zip(tries, handles, strict=True)]
    best, longest = [tries[0][0]], -1.0
    for (start, _, end), handle in zip(tries, handles, strict=True):
        path = []
        for t in np.linspace(0, 1, int(np.ceil(4 * max(sides))) + 2):
            pixel = np.floor(start * (1 - t) ** 2 + handle * (2 * t * (1 - t)) + end * t**2 + 0.5)
            if not path or (pixel != path[-1]).any():
                path.append(pixel)
        size = case.truth.shape[::-1]
        good = all(((p >= 0) & (p < size)).all() and case.truth[int(p[1]), int(p[0])] == error.region for p in path)
        length = np.linalg.norm(np.diff(path, axis=0), axis=1).sum() if len(path) > 1 else 0.0
        if good and length > longest + 1e-9:
            best, longest = path, length
    return np.array(best)


@given(cases())
@settings(max_examples=100, deadline=None)
def test_all_at_once_are_one_by_one_and_those_of_plain_loops(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)[:4]
    errors += errors[:1]  # one error comes twice

    together = simulate_scribbles(case.truth, errors, np.random.default_rng(case.seed))

    rng, draws = np.random.default_rng(case.seed), np.random.default_rng(case.seed)
    assert len(together) == len(errors)
    for error, scribble in zip(errors, together, strict=True):
        alone = simulate_scribble(case.truth, case.prediction, error, rng)
        expected = plain_scribble(case, error, draws.random((TRIES, 3)))
        assert scribble.region == alone.region == error.region
        assert scribble.points.dtype == np.float32
        np.testing.assert_array_equal(scribble.points, alone.points)
        # Of two equally long curves either may be kept: sums of lengths differ in the last digit.
        assert len(scribble.points) == len(expected) or np.isclose(length(scribble.points), length(expected))


def length(points: NDArray[np.floating]) -> float:
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())


def test_no_error_takes_no_scribble_and_no_randomness() -> None:
    rng = np.random.default_rng(0)
    assert simulate_scribbles(np.zeros((3, 3), np.int64), [], rng) == []
    assert rng.random() == np.random.default_rng(0).random()


def test_rejects_errors_of_several_images() -> None:
    truth, prediction = np.zeros((3, 3), np.int64), np.full((3, 3), VOID)
    errors = [*error_regions(truth, prediction, 1), *error_regions(truth, prediction, 1)]
    with pytest.raises(ValueError, match="more than one call"):
        simulate_scribbles(truth, errors, np.random.default_rng(0))


def test_is_a_smooth_curve_through_its_three_points() -> None:
    controls = np.array([[[[0, 0], [10, 4], [20, 0]], [[5, 5], [5, 5], [5, 5]]], [[[0, 0], [2, 0], [4, 0]]] * 2])
    curves, counts = _bezier_curves(controls)
    assert counts[1] == np.ceil(4 * 2) + 2  # two samples per pixel at the highest speed: twice a side of 2 px
    pixels = _pixels(curves.reshape(3, 2, -1), counts.repeat(2))
    first, second, third, _ = np.split(pixels, np.cumsum(counts.repeat(2))[:-1], axis=1)
    t = np.linspace(0, 1, counts[0])
    np.testing.assert_array_equal(first[:, [0, -1]], [[0, 20], [0, 0]])
    np.testing.assert_allclose(first, [20 * t, 16 * t * (1 - t)], atol=0.5 + 1e-9)  # the parabola through the three
    assert (second == 5).all()
    np.testing.assert_array_equal(np.unique(third, axis=1), [[0, 1, 2, 3, 4], [0, 0, 0, 0, 0]])
    assert np.abs(np.diff(first, axis=1)).max() == 1


@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 30, 300]))
@settings(max_examples=100, deadline=None)
def test_no_path_is_longer_than_its_bound_and_the_bound_is_tight(seed: int, size: int) -> None:
    curves, counts = _bezier_curves(np.random.default_rng(seed).integers(0, size, (20, 1, 3, 2)))
    curves = curves[..., 0]
    paths = np.split(_pixels(curves, counts), np.cumsum(counts)[:-1], axis=1)
    for path, bound in zip(paths, _bounds(curves), strict=True):
        assert length(path.T) <= bound <= 2 * length(path.T) + 8


@pytest.mark.parametrize("shape", [(1, 400), (400, 1), (300, 300)])
def test_curves_that_overshoot_the_image_are_not_kept(shape: tuple[int, int]) -> None:
    truth, prediction = np.zeros(shape, np.int64), np.full(shape, VOID)
    [error] = error_regions(truth, prediction, 1)
    for scribble in simulate_scribbles(truth, 100 * [error], np.random.default_rng(0)):
        assert (scribble.points >= 0).all()
        assert (scribble.points < shape[::-1]).all()


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
