"""Confidence intervals over seeds."""

import numpy as np
import pytest
from scipy import stats

from fullseg.metrics.confidence import student_interval


def test_the_interval_is_that_of_a_t_test() -> None:
    values = [0.3, -0.1, 0.4]
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert student_interval(values) == pytest.approx((expected.low, expected.high))
    assert student_interval(values[:1]) is None


def test_it_holds_the_mean_as_often_as_it_says() -> None:
    draws = np.random.default_rng(0).normal(2.0, 3.0, (4000, 3))
    held = [low < 2.0 < high for low, high in (student_interval(list(one)) or (0.0, 0.0) for one in draws)]
    assert np.mean(held) == pytest.approx(0.95, abs=0.012)
