import numpy as np

from fullseg.simulation.seconds import PAPER, Seconds


def test_time_grows_with_every_scribble_and_its_length() -> None:
    seconds = Seconds(7, 2, 0.1)
    rounds = [np.array([10.0, 0.0]), np.zeros(0), np.array([30.0])]
    assert seconds.of_rounds(3, rounds).tolist() == [21, 26, 26, 31]
    assert seconds.known


def test_the_paper_knows_the_time_of_extreme_points_alone() -> None:
    assert PAPER.region == 7
    assert not PAPER.known
