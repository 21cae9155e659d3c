"""The factors of the learning rates."""

import math

import pytest

from fullseg.training.schedule import growth_with_batch, warmup_then_cosine


def rates(warmup: int, total: int) -> list[float]:
    return [warmup_then_cosine(step, warmup=warmup, total=total) for step in range(total + 3)]


def test_rises_linearly_then_falls_as_a_cosine_to_0() -> None:
    found = rates(4, 12)
    assert found[:5] == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])
    assert found[4:13] == pytest.approx([(1 + math.cos(math.pi * done / 8)) / 2 for done in range(9)])
    assert found[12:] == [0, 0, 0]


def test_without_warmup_the_first_step_has_the_whole_rate() -> None:
    assert rates(0, 10)[0] == 1


def test_a_run_that_ends_in_its_warmup_never_falls() -> None:
    assert rates(5, 3)[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])


@pytest.mark.parametrize(("images", "base", "growth"), [(4, 4, 1), (64, 4, 4), (2, 8, 0.5), (64, 0, 1)])
def test_grows_with_the_root_of_the_batch(images: int, base: int, growth: float) -> None:
    assert growth_with_batch(images, base) == growth
