import pytest
from hypothesis import given, settings

from fullseg.simulation import allocate, error_regions
from fullseg.simulation.allocation import spread
from tests.simulation.strategies import Case, cases


@given(cases())
@settings(max_examples=100, deadline=None)
def test_per_region_gives_every_region_with_an_error_exactly_one_its_most_important(case: Case) -> None:
    errors = error_regions(case.truth, case.prediction, case.num_regions)
    chosen = allocate(errors, case.num_regions, "per_region")
    assert sorted(error.region for error in chosen) == sorted({error.region for error in errors})
    for error in chosen:
        assert error.gain == max(other.gain for other in errors if other.region == error.region)


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
