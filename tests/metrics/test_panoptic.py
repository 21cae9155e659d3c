"""Panoptic quality against the rules of COCO's panopticapi, written out plainly."""

import numpy as np
import pytest
from hypothesis import given, settings
from numpy.typing import NDArray

from fullseg.metrics.panoptic import PanopticCounts, panoptic_counts
from fullseg.types import BACKGROUND, VOID
from tests.simulation.strategies import Case, cases


def by_the_rules(prediction: NDArray[np.int64], truth: NDArray[np.int64]) -> PanopticCounts:
    """Count as COCO's panopticapi does for one category, in its order, pixel sets instead of histograms."""
    void = truth == VOID
    given = {int(k): prediction == k for k in np.unique(prediction) if k != VOID}
    wanted = {int(k): truth == k for k in np.unique(truth) if k >= 0}
    matched_given, matched_wanted, total = set(), set(), 0.0
    for k, mask in given.items():
        for t, true_mask in wanted.items():
            overlap = (mask & true_mask).sum()
            iou = overlap / (mask.sum() + true_mask.sum() - overlap - (mask & void).sum())
            if iou > 0.5:
                matched_given.add(k)
                matched_wanted.add(t)
                total += iou
    false_positives = 0
    for k, mask in given.items():
        if k not in matched_given and not (mask & void).sum() / mask.sum() > 0.5:
            false_positives += 1
    return PanopticCounts(total, len(matched_given), false_positives, len(wanted) - len(matched_wanted))


@given(cases())
@settings(max_examples=200, deadline=None)
def test_panoptic_counts_follow_the_rules(case: Case) -> None:
    background = np.random.default_rng(case.seed).random(case.truth.shape) < 0.2
    for truth in (case.truth, np.where(background, BACKGROUND, case.truth)):
        got = panoptic_counts(case.prediction, truth, case.num_regions)
        assert got == pytest.approx(by_the_rules(case.prediction, truth))


TRUTH = np.array([[0, 0, 0, 0, 1, 1, 1, 1, VOID, VOID, VOID, VOID]])


@pytest.mark.parametrize(
    ("prediction", "expected"),
    [
        ([0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1], PanopticCounts(2.0, 2, 0, 0)),  # void does not count in the union
        ([0, 0, 0, VOID, 1, 1, 1, 1, VOID, VOID, VOID, VOID], PanopticCounts(1.75, 2, 0, 0)),  # a hole
        ([VOID] * 4 + [1] * 4 + [VOID] * 4, PanopticCounts(1.0, 1, 0, 1)),  # an unlabelled region
        ([1, 1, 1, 1, 0, 0, 0, 0, 2, 2, 2, 2], PanopticCounts(2.0, 2, 0, 0)),  # other numbers; region 2 lies on void
        ([0, 0, 0, 0, 1, 1, 2, 2, 2, 2, VOID, VOID], PanopticCounts(1.0, 1, 2, 1)),  # halves match nothing
    ],
)
def test_panoptic_counts_by_hand(prediction: list[int], expected: PanopticCounts) -> None:
    assert panoptic_counts(np.array([prediction]), TRUTH, 3) == pytest.approx(expected)


def test_an_image_without_regions_counts_nothing() -> None:
    empty = np.full((2, 3), VOID)
    assert panoptic_counts(empty, np.where(np.eye(2, 3) > 0, BACKGROUND, empty), 0) == PanopticCounts(0, 0, 0, 0)


def test_background_is_in_the_union_of_what_is_predicted_there() -> None:
    truth = np.array([[0, 0, 0, 0, BACKGROUND, BACKGROUND, VOID, VOID]])
    got = panoptic_counts(np.array([[0, 0, 0, 0, 0, 1, 0, 1]]), truth, 2)
    assert got == pytest.approx(PanopticCounts(4 / 5, 1, 1, 0))  # region 1 lies by no more than half on void


def test_an_unlabelled_region_halves_quality_where_torchmetrics_would_not() -> None:
    counts = panoptic_counts(np.array([[0, 0, VOID, VOID]]), np.array([[0, 0, 1, 1]]), 2)
    assert counts.quality() == pytest.approx(1 / 1.5)
    assert np.isnan(PanopticCounts(0, 0, 0, 0).quality())
