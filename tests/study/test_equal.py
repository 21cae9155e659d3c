"""Strategies at equal numbers of scribbles per region."""

from typing import Any

import pytest

from fullseg.study.equal import area_up_to, common_scribbles, numbers_up_to, value_at

FREE: dict[str, Any] = {"scribbles_per_region": [0, 1, 2, 3], "iou": [0.5, 0.7, 0.8, 0.9], "eta": [None, 0.5, 0.3, 0.1]}
SLOW: dict[str, Any] = {"scribbles_per_region": [0, 0.8, 1.6, 2.4], "iou": [0.5, 0.6, 0.7, 0.7]}


def test_strategies_are_compared_no_further_than_all_reach() -> None:
    common = common_scribbles([FREE, SLOW])
    assert common == 2.4
    assert numbers_up_to(common) == [0, 1, 2, 2.4]
    assert numbers_up_to(2.99) == [0, 1, 2, 2.99]
    assert numbers_up_to(3.02) == [0, 1, 2, 3]
    assert numbers_up_to(0) == [0]
    for number in numbers_up_to(common):
        assert None not in [value_at(strategy, "iou", number) for strategy in (FREE, SLOW)]


def test_values_lie_between_the_rounds() -> None:
    assert value_at(SLOW, "iou", 1) == pytest.approx(0.625)
    assert value_at(FREE, "iou", 2.4) == pytest.approx(0.84)
    assert value_at(FREE, [1.0, 2.0, 3.0, 4.0], 0.5) == 1.5
    assert value_at(SLOW, "iou", 2.5) is None  # it never gave so many
    assert value_at(SLOW, "eta", 1) is None  # a study by an earlier version
    assert value_at(FREE, "eta", 0.5) is None
    assert value_at(FREE, "eta", 1) == 0.5
    same = {"scribbles_per_region": [0, 0.5, 0.5], "iou": [0.8, 1.0, 1.0]}  # nothing is wrong after round 1
    assert value_at(same, "iou", 0.5) == 1


def test_area_is_up_to_the_same_number() -> None:
    assert area_up_to(SLOW, 1.6) == pytest.approx((0.55 + 0.65) / 2)
    assert area_up_to(FREE, 1.6) == pytest.approx((0.6 + 0.6 * 0.73) / 1.6)
