"""Panoptic quality with classes and crowds, and boundary panoptic quality, against the rules of panopticapi."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.panoptic import PanopticCounts, Segments, count_segments
from fullseg.types import VOID

SKY, CAT = 7, 3  # category ids


@st.composite
def images(draw: st.DrawFn) -> tuple[Segments, Segments]:
    """Two divisions of one image that have much in common."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    height, width, count = int(rng.integers(1, 30)), int(rng.integers(1, 30)), int(rng.integers(1, 6))
    blocks = rng.integers(VOID, count, (height // 5 + 1, width // 5 + 1)).repeat(5, axis=0).repeat(5, axis=1)
    truth = blocks[:height, :width].astype(np.int64)
    prediction = np.where(rng.random(truth.shape) < rng.random() / 2, rng.integers(VOID, count), truth)
    classes = rng.integers(0, 3, (2, count))
    classes[1] = np.where(rng.random(count) < 0.7, classes[0], classes[1])
    crowd = rng.random(count) < 0.3
    return Segments(prediction, classes[1], np.zeros(count, np.bool_)), Segments(truth, classes[0], crowd)


def by_the_rules(given_: Segments, wanted: Segments) -> dict[int, PanopticCounts]:
    """Count as panopticapi's ``pq_compute_single_core`` does, with sets of pixels."""
    void = wanted.region_map == VOID
    predicted = {k: given_.region_map == k for k in range(len(given_.categories)) if (given_.region_map == k).any()}
    true = {k: wanted.region_map == k for k in range(len(wanted.categories)) if (wanted.region_map == k).any()}
    counts: dict[int, list[float]] = {int(c): [0.0, 0, 0, 0] for c in (*given_.categories, *wanted.categories)}
    matched: set[tuple[str, int]] = set()
    for t, p in itertools.product(true, predicted):
        if wanted.crowd[t] or wanted.categories[t] != given_.categories[p]:
            continue
        overlap = (true[t] & predicted[p]).sum()
        iou = overlap / (predicted[p].sum() + true[t].sum() - overlap - (predicted[p] & void).sum())
        if iou > 0.5:
            counts[int(wanted.categories[t])][0] += iou
            counts[int(wanted.categories[t])][1] += 1
            matched |= {("true", t), ("predicted", p)}
    for t in true:
        counts[int(wanted.categories[t])][3] += ("true", t) not in matched and not wanted.crowd[t]
    for p, mask in predicted.items():
        crowds = [true[t] for t in true if wanted.crowd[t] and wanted.categories[t] == given_.categories[p]]
        excused = sum((mask & other).sum() for other in (void, *crowds))
        counts[int(given_.categories[p])][2] += ("predicted", p) not in matched and not excused / mask.sum() > 0.5
    return {category: PanopticCounts(*one) for category, one in counts.items()}  # type: ignore[arg-type]


@given(images())
@settings(max_examples=200, deadline=None)
def test_equals_the_rules(pair: tuple[Segments, Segments]) -> None:
    got, expected = dict(count_segments(*pair, boundary=False)), by_the_rules(*pair)
    assert got.keys() == expected.keys()
    for category, counts in got.items():
        assert counts == pytest.approx(expected[category])


def test_boundary_quality_takes_the_smaller_of_both() -> None:
    truth: NDArray[np.int64] = np.zeros((200, 200), np.int64)
    truth[50:150, 50:150] = 1
    shifted = np.roll(truth, 2, axis=1)
    categories, crowd = np.array([SKY, CAT]), np.zeros(2, np.bool_)
    counts = dict(
        count_segments(Segments(shifted, categories, crowd), Segments(truth, categories, crowd), boundary=True)
    )
    ious = boundary_iou(shifted, truth, 2)
    assert counts[CAT] == pytest.approx((ious[1], 1, 0, 0))
    assert 0.5 < ious[1] < 0.75
    far = np.roll(truth, 6, axis=1)  # IoU 0.89, boundary IoU below one half: no match any more
    counts = dict(count_segments(Segments(far, categories, crowd), Segments(truth, categories, crowd), boundary=True))
    assert counts[CAT] == PanopticCounts(0, 0, 1, 1)
