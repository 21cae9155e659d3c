import numpy as np
import pytest

from fullseg.metrics.interaction import area_under_curve, bootstrap_band, effort, scribbles_to

IOU = np.array([[0.50, 0.90, 0.30], [0.86, 0.92, 0.40], [0.91, 0.95, 0.50]])  # 2 rounds, 3 regions
GIVEN = np.array([[0, 0, 0], [2, 0, 1], [3, 1, 2]])


def test_effort_by_hand() -> None:
    found = effort([IOU], [GIVEN], 0.85, budget=2)
    assert found.noc == pytest.approx((2 + 0 + 2) / 3)  # at once after 2 of its own; from the start; never: the budget
    assert found.failed_regions == pytest.approx(1 / 3)
    assert found.failed_images == 1
    assert found.nci == 2  # failed: 6 scribbles on 3 regions are the budget
    assert found.failed_regions_by_round == pytest.approx([2 / 3, 1 / 3, 1 / 3])
    assert found.failed_images_by_round == [1, 1, 1]
    lost = effort([IOU[:, :1], IOU[::-1, :1]], 2 * [GIVEN[:, :1]], 0.85, budget=2)
    assert lost.failed_regions_by_round == lost.failed_images_by_round == [0.5, 0, 0]  # once reached is reached
    better = effort([IOU[:, :2], IOU], [GIVEN[:, :2], GIVEN], 0.85, budget=2)
    assert better.nci == pytest.approx((2 / 2 + 2) / 2)  # 2 scribbles on 2 regions until both are good
    assert better.failed_images == 0.5
    assert better.failed_regions == pytest.approx(1 / 5)


def test_a_failed_region_that_got_more_than_the_budget_counts_as_what_it_got() -> None:
    found = effort([np.full((3, 1), 0.2)], [np.array([[0], [3], [5]])], 0.9, budget=2)
    assert (found.noc, found.nci, found.failed_regions) == (5, 5, 1)


def test_regions_without_a_score_and_empty_studies_do_not_count() -> None:
    with_nan = np.concatenate([IOU, np.full((3, 1), np.nan)], axis=1)
    given = np.concatenate([GIVEN, np.zeros((3, 1), int)], axis=1)
    assert effort([with_nan], [given], 0.85, 2).noc == effort([IOU], [GIVEN], 0.85, 2).noc
    assert np.isnan(effort([], [], 0.85, 2)[:4]).all()


def test_area_is_the_mean_height_up_to_the_budget_with_the_last_value_held() -> None:
    x, y = np.array([0.0, 1.0, 2.0]), np.array([0.5, 0.7, 0.8])
    assert area_under_curve(x, y, 2) == pytest.approx((0.6 + 0.75) / 2)
    assert area_under_curve(x, y, 4) == pytest.approx((0.6 + 0.75 + 2 * 0.8) / 4)
    assert area_under_curve(x, y, 1.5) == pytest.approx((0.6 + 0.5 * 0.725) / 1.5)  # what comes after does not count
    assert area_under_curve(x, y, 0) == 0.5
    assert area_under_curve(np.zeros(2), np.array([0.9, 0.9]), 3) == pytest.approx(0.9)


def test_scribbles_to_a_target_lie_between_the_rounds() -> None:
    x, y = np.array([0.0, 0.9, 1.9]), np.array([0.5, 0.8, 0.9])
    assert scribbles_to(x, y, 0.85) == pytest.approx(1.4)
    assert scribbles_to(x, y, 0.5) == 0
    assert scribbles_to(x, y, 0.95) is None


def test_bootstrap_band_is_that_of_the_mean() -> None:
    rng = np.random.default_rng(0)
    sums = rng.normal(5, 1, (400, 1))
    counts = np.full(400, 10)
    [[low, high]] = bootstrap_band(sums, counts, 2000, rng)
    centre, half = sums.mean() / 10, 1.96 * sums.std() / np.sqrt(400) / 10
    assert low == pytest.approx(centre - half, abs=half / 5)
    assert high == pytest.approx(centre + half, abs=half / 5)


def test_bootstrap_resamples_images_and_weighs_them_by_their_regions() -> None:
    sums, counts = np.array([[1.0], [0.0]]), np.array([1, 99])
    band = bootstrap_band(sums, counts, 1000, np.random.default_rng(0))
    assert band.tolist() == [[0.0, 1.0]]  # all one image or all the other
