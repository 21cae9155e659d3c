"""The mean over all regions, by size: independent of order and ranks."""

import math
from typing import Any

import numpy as np
import pytest
import torch

from fullseg.metrics.mean_iou import RegionIoU

Images = list[tuple[torch.Tensor, torch.Tensor]]


@pytest.fixture
def images() -> Images:
    """IoU and area of the regions of several images; some IoU are NaN, one image has no region."""
    rng = np.random.default_rng(0)
    result = []
    for regions in (1, 7, 0, 20, 100):
        iou = rng.random(regions)
        iou[rng.random(regions) < 0.1] = np.nan
        result.append((torch.from_numpy(iou), torch.from_numpy(rng.integers(1, 150, regions) ** 2)))
    return result


def updated(images: Images) -> RegionIoU:
    metric = RegionIoU()
    for iou, area in images:
        metric.update(iou, area)
    return metric


def values(metric: RegionIoU) -> dict[str, Any]:
    return {name: float(value) for name, value in metric.compute().items()}


def test_mean_is_over_all_regions_not_over_images(images: Images) -> None:
    iou = np.concatenate([each.numpy() for each, _ in images])
    area = np.concatenate([each.numpy() for _, each in images])
    expected = {
        "iou": np.nanmean(iou),
        "iou_small": np.nanmean(iou[area < 1024]),
        "iou_medium": np.nanmean(iou[(area >= 1024) & (area < 9216)]),
        "iou_large": np.nanmean(iou[area >= 9216]),
        "regions": (~np.isnan(iou)).sum(),
    }

    assert values(updated(images)) == pytest.approx(expected, rel=1e-12)


def test_sizes_begin_at_32_and_96_px() -> None:
    iou, area = torch.tensor([0.1, 0.2, 0.3, 0.4]).double(), torch.tensor([32**2 - 1, 32**2, 96**2 - 1, 96**2])

    result = values(updated([(iou, area)]))

    assert result["iou_small"] == pytest.approx(0.1)
    assert result["iou_medium"] == pytest.approx(0.25)
    assert result["iou_large"] == pytest.approx(0.4)


def test_order_and_split_over_ranks_change_nothing(images: Images) -> None:
    other = updated(images[::2])
    of_other_rank = {state.dtype: state for state in (other.sums, other.counts)}

    def gather(state: torch.Tensor, group: object) -> list[torch.Tensor]:  # noqa: ARG001  torchmetrics passes it
        return [state, of_other_rank[state.dtype]]

    metric = RegionIoU(dist_sync_fn=gather, distributed_available_fn=lambda: True)
    for iou, area in images[1::2]:
        metric.update(iou, area)

    assert values(metric) == pytest.approx(values(updated(images)), rel=1e-12)


def test_no_region_of_a_size_is_nan_and_reset_forgets(images: Images) -> None:
    metric = updated(images)
    metric.reset()
    metric.update(torch.tensor([0.5]).double(), torch.tensor([4]))

    result = values(metric)

    assert result["iou"] == result["iou_small"] == 0.5
    assert math.isnan(result["iou_medium"])
    assert math.isnan(result["iou_large"])
    assert result["regions"] == 1
