import numpy as np
import pytest

from fullseg.simulation.seconds import PAPER, Seconds


def test_time_grows_with_every_scribble_and_its_length() -> None:
    seconds = Seconds(7, 2, 0.1)
    rounds = [np.array([10.0, 0.0]), np.zeros(0), np.array([30.0])]
    assert seconds.of_rounds(3, rounds, np.random.default_rng(0)).tolist() == [21, 26, 26, 31]
    assert seconds.known


def test_hesitation_spreads_the_times_and_keeps_their_mean() -> None:
    lengths = np.full(200_000, 10.0)
    times = Seconds(7, 2, 0.1, hesitation=0.5).of_scribbles(lengths, np.random.default_rng(0))
    assert times.mean() == pytest.approx(3, rel=0.01)
    assert np.log(times).std() == pytest.approx(0.5, rel=0.01)


def test_the_paper_knows_the_time_of_extreme_points_alone() -> None:
    assert PAPER.region == 7
    assert not PAPER.known
