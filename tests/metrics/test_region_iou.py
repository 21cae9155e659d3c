"""Region IoU against boolean masks, and its mean over regions, sizes, batches and ranks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg.metrics.region_iou import independent_iou, region_iou
from fullseg.types import BACKGROUND, VOID


def plain_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]:
    """Region by region with boolean masks."""
    scored = truth != VOID
    result = np.full(num_regions, np.nan)
    for region in range(num_regions):
        given, wanted = (prediction == region) & scored, (truth == region) & scored
        if (given | wanted).any():
            result[region] = (given & wanted).sum() / (given | wanted).sum()
    return result


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1, 2, 5, 100]), st.integers(1, 13), st.integers(1, 15))
def test_equals_boolean_masks(seed: int, regions: int, height: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    truth = rng.integers(BACKGROUND, regions, (height, width))
    prediction = np.where(rng.random((height, width)) < 0.6, truth, rng.integers(VOID, regions, (height, width)))
    prediction = np.maximum(prediction, VOID)

    iou = region_iou(prediction, truth, regions)

    assert isinstance(iou, np.ndarray)
    assert iou.dtype == np.float64
    np.testing.assert_array_equal(iou, plain_iou(prediction, truth, regions))
    of_tensors = region_iou(torch.from_numpy(prediction), torch.from_numpy(truth), regions)
    assert isinstance(of_tensors, torch.Tensor)
    np.testing.assert_array_equal(of_tensors.numpy(), iou)


def test_void_in_the_truth_is_not_scored_and_void_in_the_prediction_is_a_miss() -> None:
    truth = np.array([[0, 0, 0, 0, VOID, VOID]])
    prediction = np.array([[0, 0, 0, VOID, 0, 1]])

    np.testing.assert_array_equal(region_iou(prediction, truth, 2), [0.75, np.nan])


def test_background_is_a_false_positive_of_the_region_that_has_it_and_right_where_none_has() -> None:
    truth = np.array([[0, 0, 0, BACKGROUND, BACKGROUND, VOID]])

    np.testing.assert_array_equal(region_iou(np.array([[0, 0, 0, VOID, VOID, 0]]), truth, 2), [1, np.nan])
    np.testing.assert_array_equal(region_iou(np.array([[0, 0, 0, 0, 1, 1]]), truth, 2), [0.75, 0])


def test_false_positives_count_and_a_region_that_is_only_predicted_has_0() -> None:
    np.testing.assert_array_equal(region_iou(np.array([[0, 1, 1, 2]]), np.array([[0, 0, 1, 1]]), 3), [0.5, 1 / 3, 0])


def test_perfect_prediction_has_iou_1() -> None:
    truth = np.arange(15).reshape(3, 5) % 4

    np.testing.assert_array_equal(region_iou(truth, truth, 4), np.ones(4))


def test_no_region_has_no_iou() -> None:
    assert region_iou(np.full((3, 5), VOID), np.full((3, 5), VOID), 0).shape == (0,)


@pytest.mark.parametrize(
    ("prediction", "truth", "message"),
    [
        (np.zeros((3, 5), int), np.zeros((5, 3), int), r"prediction is \(3, 5\), truth is \(5, 3\)"),
        (np.full((3, 5), 2), np.zeros((3, 5), int), "prediction holds regions 2 to 2 of 2"),
        (np.zeros((3, 5), int), np.full((3, 5), -3), "truth holds regions -3 to -3 of 2"),
        (np.full((3, 5), -2), np.zeros((3, 5), int), "prediction holds regions -2 to -2 of 2"),
    ],
)
def test_wrong_maps_are_named(prediction: NDArray[np.int64], truth: NDArray[np.int64], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        region_iou(prediction, truth, 2)


def test_masks_alone_are_scored_on_background_and_not_on_void() -> None:
    truth = torch.tensor([[0, 0, 1, BACKGROUND, VOID]])
    masks = torch.tensor([[[1, 1, 0, 1, 1]], [[1, 0, 1, 0, 1]]], dtype=torch.bool)
    assert independent_iou(masks, truth).tolist() == [2 / 3, 1 / 2]


def test_masks_alone_may_overlap_and_without_a_pixel_there_is_no_iou() -> None:
    rng = np.random.default_rng(0)
    truth, masks = rng.integers(BACKGROUND, 3, (9, 11)), rng.random((4, 9, 11)) < 0.5
    masks[3] = False
    expected = [plain_iou(np.where(mask, region, VOID), truth, 4)[region] for region, mask in enumerate(masks)]
    found = independent_iou(torch.from_numpy(masks), torch.from_numpy(truth))
    np.testing.assert_array_equal(found, expected)
    assert math.isnan(found[3])
