"""Masks that are each by itself: no competition, no neighbour's scribble, and the numbers of their study."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from numpy.typing import NDArray

from fullseg import Predictor
from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.region_iou import region_iou
from fullseg.model.canvas import project_to_canvas
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.simulation.alone import ALONE, mask_alone, truth_alone
from fullseg.study.records import ImageRecord, study_image, write_records, write_scribbles
from fullseg.study.summary import summarise
from fullseg.types import BACKGROUND, VOID, Annotations, Sample, Scribble
from tests.study.conftest import CATEGORIES, PLAN, sample


@pytest.fixture
def predictor(tiny_model: dict[str, Any]) -> Predictor:
    torch.manual_seed(1)
    predictor = Predictor(RegionSegmenter(**{**tiny_model, "share": "none"}), (), "cpu", hold_scribbles=True)
    predictor.set_image(sample(0).image)
    return predictor


ACROSS = Scribble(1, np.array([[1.0, 12.0], [55.0, 12.0]], np.float32))  # through the boxes of three regions


def test_masks_neither_compete_nor_lose_pixels_to_a_neighbours_line(predictor: Predictor) -> None:
    one = sample(0)
    everything = np.broadcast_to(one.extreme_points[:1], one.extreme_points.shape).copy()
    everything[:, :, 0] = [0, 30, 59, 30]  # all boxes are the whole image
    everything[:, :, 1] = [20, 0, 20, 39]
    region_map = predictor.predict(Annotations(everything, []))
    masks = predictor.masks()
    state = predictor._last("a test")
    logits = torch.stack(state.states.logits())
    canvas = project_to_canvas(logits, torch.tensor(state.states.boxes(), dtype=torch.float32), one.region_map.shape)  # type: ignore[arg-type]

    np.testing.assert_array_equal(masks, canvas.numpy() > 0)
    assert masks.dtype == bool
    assert (masks.sum(axis=0) != 1).any()  # they overlap, or leave pixels to nobody
    corrected = predictor.predict(Annotations(everything, [ACROSS]))
    assert ((corrected == 1) & (region_map != 1)).sum() > 50  # the canvas gives the line's pixels to region 1,
    others = [0, 2, 3, 4, 5]
    np.testing.assert_array_equal(predictor.masks()[others], masks[others])  # while the masks of the others keep them
    assert predictor.masks()[1, 12, 1:56].all()


def test_without_holding_a_scribble_only_informs(predictor: Predictor) -> None:
    free = Predictor(predictor.segmenter, (), "cpu", hold_scribbles=False)
    annotations = Annotations(sample(0).extreme_points, [ACROSS])
    free.set_image(sample(0).image)
    for each in (free, predictor):
        each.predict(annotations)
    on_line = np.zeros_like(free.masks())
    on_line[1, 12, 1:56] = True
    np.testing.assert_array_equal(predictor.masks(), free.masks() | on_line)
    assert not (free.masks() >= on_line).all()


def claims(of: Sample) -> Any:
    """Return a model whose masks are shifted truths that grow to the right, plus scribbles five pixels wide."""

    def predict(annotations: Annotations, _: int) -> NDArray[np.bool_]:
        masks = np.roll(of.region_map == np.arange(6)[:, None, None], 5, axis=2)
        masks[:2] |= np.roll(masks[:2], 3, axis=2)
        for region, points in annotations.scribbles:
            for x, y in points.astype(int):
                masks[region, max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = True
        return masks

    return predict


def with_void(number: int) -> Sample:
    one = sample(number)
    truth = one.region_map.copy()
    truth[:, 25:28], truth[30:, 50:] = VOID, BACKGROUND
    return one._replace(region_map=truth)


def test_record_is_that_of_an_image_with_one_region_for_every_region() -> None:
    one = with_void(3)
    record = study_image(one, claims(one), ALONE, PLAN)
    states = list(PLAN.annotate(one, claims(one), ALONE))
    for number, state in enumerate(states):
        for region in range(6):
            mask, truth = mask_alone(state.prediction[region]), truth_alone(one.region_map, region)
            assert record.iou[number, region] == region_iou(mask, truth, 1)[0]
            assert record.boundary_iou[number, region] == boundary_iou(mask, truth, 1)[0]
    for (before, after), done in zip(pairwise(states), record.corrections, strict=True):
        assert done.region.tolist() == [scribble.region for scribble in after.new_scribbles]
        right, ideal = one.region_map == np.arange(6)[:, None, None], before.prediction.copy()
        for error, mended, area in zip(after.errors, done.mended, done.area, strict=True):
            x0, y0, x1, y1 = error.box
            pixels = np.zeros_like(one.region_map, bool)
            pixels[y0:y1, x0:x1] = error.mask
            assert mended == (pixels & after.prediction[error.region]).sum() > 0
            assert area == pixels.sum()
            ideal[error.region] |= pixels
        for region in range(6):
            expected = region_iou(mask_alone(ideal[region]), truth_alone(one.region_map, region), 1)[0]
            assert done.ideal_iou[region] == expected
        broken = (before.prediction == right) & (after.prediction != right) & (one.region_map != VOID)
        assert done.damage == broken.sum()


def test_numbers_that_need_a_partition_are_left_out(tmp_path: Path) -> None:
    images = [sample(index) for index in range(3)]
    records: list[ImageRecord] = [study_image(one, claims(one), ALONE, PLAN) for one in images]
    summary = summarise(records, CATEGORIES, rounds=3, resamplings=10, seed=0)
    for key in ("panoptic_quality", "pixel_error", "error_at_boundary", "damage"):
        assert summary[key] == [None] * 4
    assert summary["iou"] == sorted(summary["iou"])
    assert 0 < summary["eta"][1] < 1
    assert summary["eta_of_all_rounds"] > 0
    write_records(tmp_path / "t.parquet", records, CATEGORIES)
    write_scribbles(tmp_path / "s.parquet", records)
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 3 * 6 * 4
    given = sum(record.scribbles[-1].sum() for record in records)
    assert pq.read_table(tmp_path / "s.parquet").num_rows == given > 0
