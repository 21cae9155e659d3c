import numpy as np

from fullseg.simulation.noise import NO_NOISE, disturb_points, disturb_scribble
from fullseg.types import Scribble

SIZE = (400, 600)
PATH = np.stack([np.arange(200, 300), np.full(100, 150)], axis=1).astype(np.float32)


def test_no_noise_changes_nothing() -> None:
    points = np.random.default_rng(0).random((5, 4, 2)).astype(np.float32)
    np.testing.assert_array_equal(disturb_points(points, SIZE, NO_NOISE, np.random.default_rng(0)), points)
    scribble = disturb_scribble(Scribble(2, PATH), 5, SIZE, NO_NOISE, np.random.default_rng(0))
    assert scribble.region == 2
    np.testing.assert_array_equal(scribble.points, PATH)


def test_points_move_by_the_stated_deviation_and_stay_in_the_image() -> None:
    points = np.full((1000, 4, 2), 200, np.float32)
    moved = disturb_points(points, SIZE, NO_NOISE._replace(points=6), np.random.default_rng(0))
    assert abs((moved - points).std() - 6) < 0.3
    assert abs((moved - points).mean()) < 0.3
    edge = disturb_points(
        np.zeros((1000, 4, 2), np.float32), SIZE, NO_NOISE._replace(points=50), np.random.default_rng(0)
    )
    assert edge.min() == 0
    assert edge.dtype == np.float32


def test_a_scribble_is_shifted_as_a_whole() -> None:
    noise = NO_NOISE._replace(scribble_offset=4)
    shifts = []
    for seed in range(400):
        moved = disturb_scribble(Scribble(0, PATH), 3, SIZE, noise, np.random.default_rng(seed)).points - PATH
        assert np.ptp(moved, axis=0).max() < 1e-3
        shifts.append(moved[0])
    assert abs(np.std(shifts) - 4) < 0.4


def test_a_scribble_loses_up_to_the_stated_part_at_its_end() -> None:
    noise = NO_NOISE._replace(scribble_short=0.5)
    lengths = []
    for seed in range(400):
        left = disturb_scribble(Scribble(0, PATH), 3, SIZE, noise, np.random.default_rng(seed)).points
        np.testing.assert_array_equal(left, PATH[: len(left)])
        lengths.append(len(left))
    assert 50 <= min(lengths) < 55
    assert 95 < max(lengths) <= 100
    dot = disturb_scribble(Scribble(0, PATH[:1]), 3, SIZE, noise._replace(scribble_short=1), np.random.default_rng(0))
    assert len(dot.points) == 1


def test_a_scribble_is_misplaced_with_the_stated_probability_in_another_region() -> None:
    noise = NO_NOISE._replace(scribble_misplaced=0.3)
    regions = [
        disturb_scribble(Scribble(2, PATH), 5, SIZE, noise, np.random.default_rng(seed)).region for seed in range(1000)
    ]
    share = np.bincount(regions, minlength=5) / 1000
    assert abs(share[2] - 0.7) < 0.05
    assert (np.abs(np.delete(share, 2) - 0.075) < 0.03).all()
    alone = disturb_scribble(Scribble(0, PATH), 1, SIZE, noise._replace(scribble_misplaced=1), np.random.default_rng(0))
    assert alone.region == 0


def test_scribbles_end_at_lengths_with_a_median_and_a_spread() -> None:
    noise = NO_NOISE._replace(scribble_length=20, scribble_spread=0.5)
    long = np.stack([np.arange(200.0), np.full(200, 5.0)], axis=1).astype(np.float32)
    ends = [
        len(disturb_scribble(Scribble(0, long), 1, SIZE, noise, np.random.default_rng(seed)).points) - 1
        for seed in range(2000)
    ]
    assert np.median(ends) == 20 or abs(np.median(ends) - 20) <= 1
    assert abs(np.std(np.log(np.array(ends) + 0.5)) - 0.5) < 0.05
    fixed = disturb_scribble(Scribble(0, long), 1, SIZE, NO_NOISE._replace(scribble_length=7), np.random.default_rng(0))
    assert np.array_equal(fixed.points, long[:8])


def test_some_scribbles_are_dots_on_their_first_point() -> None:
    noise = NO_NOISE._replace(scribble_dot=0.3)
    drawn = [disturb_scribble(Scribble(0, PATH), 3, SIZE, noise, np.random.default_rng(seed)) for seed in range(1000)]
    dots = [one for one in drawn if len(one.points) == 1]
    assert abs(len(dots) - 300) < 50
    assert all(np.array_equal(one.points, PATH[:1]) for one in dots)
