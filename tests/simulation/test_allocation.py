import numpy as np
import pytest
from hypothesis import given, settings

from fullseg.simulation import allocate, error_regions, simulate_scribbles
from fullseg.simulation.allocation import spread
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases, mask_of


@given(cases())
@settings(max_examples=200, deadline=None)
def test_per_region_gives_every_wrong_region_exactly_one_scribble(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    chosen = allocate(errors, case.num_regions, "per_region")
    of_region = case.truth >= 0  # what a scribble can say
    wrong = [((case.truth == r) != (case.prediction == r)) & of_region for r in range(case.num_regions)]
    assert len(chosen) == sum(mask.any() for mask in wrong)
    assert {error.region for error in chosen} == {error.region for error in errors}
    gains = [error.gain for error in chosen]
    assert gains == sorted(gains, reverse=True)
    for region in {error.region for error in errors}:  # a region that lacks pixels gets its most important error
        mine = [error for error in errors if error.region == region]
        assert any(error is mine[0] for error in chosen)
    for mask in wrong:  # every wrong region is helped
        assert not mask.any() or any((mask_of(error, case) & mask).any() for error in chosen)


def test_a_region_that_only_has_too_much_gets_a_scribble_on_the_largest_part_of_it() -> None:
    truth = np.array([[0] * 6 + [1] * 6 + [2] * 6]).repeat(4, axis=0)
    prediction = truth.copy()
    prediction[0, 6:8] = 0  # region 0 takes 2 px of region 1,
    prediction[2:, 6:8] = 0  # 4 px of region 1, region 1's most important error,
    prediction[1, 12:15] = 0  # and 3 px of region 2
    prediction[3, 13:18] = 1  # region 1 takes 5 px of region 2, region 2's most important error
    errors = error_regions(truth, prediction, 3)

    chosen = allocate(errors, 3, "per_region")

    assert sorted((error.region, error.area) for error in chosen) == [(1, 4), (2, 3), (2, 5)]  # 3 px: for region 0
    [scribble] = simulate_scribbles(truth, [error for error in chosen if error.area == 3], np.random.default_rng(0))
    assert scribble.region == 2  # it says whose pixels they are


def test_two_regions_may_share_the_only_error() -> None:
    truth = np.array([[0, 0, 0, 1, 1, 1]])
    errors = error_regions(truth, np.array([[0, 0, 0, 0, 1, 1]]), 2)

    assert allocate(errors, 2, "per_region") == [errors[0], errors[0]]
    assert allocate(error_regions(truth, truth, 2), 2, "per_region") == []


def test_what_is_background_needs_no_scribble() -> None:
    truth = np.array([[0, 0, BACKGROUND, BACKGROUND]])

    assert allocate(error_regions(truth, np.array([[0, 0, 0, VOID]]), 1), 1, "per_region") == []


@given(cases())
@settings(max_examples=100, deadline=None)
def test_free_gives_the_most_important_of_the_whole_image(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    chosen = allocate(errors, case.num_regions, "free")
    assert len(chosen) == min(case.num_regions, len(errors))
    left_out = [error.gain for error in errors if not any(error is other for other in chosen)]
    assert min((error.gain for error in chosen), default=1) >= max(left_out, default=0)


def test_names_an_unknown_strategy() -> None:
    with pytest.raises(ValueError, match="strategy='fre': choose one of per_region, free"):
        allocate([], 3, "fre")


@given(cases())
@settings(max_examples=100, deadline=None)
def test_spreading_gives_each_next_scribble_where_halved_gains_are_largest(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    count, most = 2 * case.num_regions, 3
    chosen = spread(errors, count, most)
    halved = sorted((error.gain / 2**k for error in errors for k in range(most)), reverse=True)[:count]
    times: dict[int, int] = {}
    given_gains = []
    for error in chosen:
        times[id(error)] = times.get(id(error), -1) + 1
        given_gains.append(error.gain / 2 ** times[id(error)])
    assert given_gains == pytest.approx(halved)
