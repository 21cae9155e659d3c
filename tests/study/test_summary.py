"""The numbers of study.json, and the file when several studies write it at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.config.strategies import FROZEN, INTERACTIVE, SINGLE_REGION, SINGLE_REGION_CANVAS, STRATEGIES
from fullseg.simulation.allocation import ALLOCATIONS
from fullseg.simulation.alone import ALONE
from fullseg.study.baselines import BASELINES
from fullseg.study.plan import Predict
from fullseg.study.records import ImageRecord, study_image
from fullseg.study.summary import summarise, write_study
from fullseg.types import VOID, Annotations, Sample
from tests.study.conftest import CATEGORIES, PLAN, sample


def test_summary_is_over_all_regions_of_all_images(records: list[ImageRecord]) -> None:
    summary = summarise(records, CATEGORIES, rounds=3, resamplings=200, seed=0)
    iou = np.concatenate([record.iou for record in records], axis=1)
    given = sum(record.scribbles.sum(axis=1) for record in records)
    np.testing.assert_allclose(summary["iou"], iou.mean(axis=1))
    np.testing.assert_allclose(summary["scribbles_per_region"], given / 24)
    assert summary["scribbles_per_region"][0] == 0
    assert summary["iou"][0] < min(summary["iou"][1:])
    for value, (low, high) in zip(summary["iou"], summary["iou_ci95"], strict=True):
        assert low <= value <= high
    things = np.concatenate([record.iou[:, record.classes == 0] for record in records], axis=1)
    np.testing.assert_allclose(summary["iou_things"], things.mean(axis=1))
    np.testing.assert_allclose(summary["iou_small"], summary["iou"])
    assert summary["iou_large"] == [None] * 4
    assert set(summary["noc"]) == set(summary["nci"]) == set(summary["scribbles_to_iou"]) == {"0.85", "0.90"}
    assert 0 < summary["panoptic_quality"][0] < summary["panoptic_quality"][-1] <= 1
    json.dumps(summary)  # plain values


def oracle(of: Sample, spread: bool) -> Predict:
    """Return a model that mends the whole error around every scribble, or nothing at all."""
    shifted = np.roll(of.region_map, 5, axis=1)

    def predict(annotations: Annotations, _: int) -> NDArray[np.int64]:
        region_map = shifted.copy()
        for scribble in annotations.scribbles if spread else []:
            labels, _ = ndimage.label((of.region_map == scribble.region) & (shifted != of.region_map), np.ones((3, 3)))
            x, y = scribble.points[0].astype(int)
            region_map[labels == labels[y, x]] = scribble.region
        return region_map

    return predict


@pytest.mark.parametrize("spread", [True, False])
def test_eta_is_1_if_every_scribble_mends_its_error_and_0_if_none_changes_anything(spread: bool) -> None:
    images = [sample(index) for index in range(3)]
    records = [study_image(one, oracle(one, spread), "per_region", PLAN) for one in images]
    summary = summarise(records, CATEGORIES, rounds=3, resamplings=10, seed=0)
    if spread:
        given = [record.scribbles.sum(axis=1) for record in records]
        rounds = [number for number in (1, 2, 3) if any(g[number] > g[number - 1] for g in given)]
        assert [summary["eta"][number] for number in rounds] == pytest.approx([1] * len(rounds))
        assert summary["eta"][3] is None  # nothing is wrong any more
        assert summary["error_at_boundary"][-1] is None
        assert summary["scribble_length_median"][3] is None
    else:
        assert summary["eta"] == [None, 0, 0, 0]
        assert summary["iou"] == [summary["iou"][0]] * 4
    assert summary["eta_of_all_rounds"] == pytest.approx(float(spread))
    assert summary["mended_share"][:2] == [None, float(spread)]
    assert summary["damage"] == [None, 0, 0, 0]


def test_eta_and_the_other_curves_are_over_all_images_together(records: list[ImageRecord]) -> None:
    summary = summarise(records, CATEGORIES, rounds=3, resamplings=10, seed=0)
    iou = [np.sum([record.iou[number].sum() for record in records]) for number in range(4)]
    for number in (1, 2, 3):
        done = [record.corrections[number - 1] for record in records]
        ideal = sum(one.ideal_iou.sum() for one in done) - iou[number - 1]
        assert summary["eta"][number] == pytest.approx((iou[number] - iou[number - 1]) / ideal)
        area = sum(one.area.sum() for one in done)
        assert summary["mended_share"][number] == pytest.approx(sum(one.mended.sum() for one in done) / area)
        assert summary["damage"][number] == sum(one.damage for one in done) / (4 * 2400)
        assert summary["scribble_length_median"][number] == np.median(np.concatenate([one.length for one in done]))
    for number in range(4):
        parts = [record.errors[number] for record in records]
        wrong = sum(one.at_boundary + one.inside for one in parts)
        assert summary["pixel_error"][number] == wrong / (4 * 2400)
        assert summary["error_at_boundary"][number] == sum(one.at_boundary for one in parts) / wrong
        for key in ("iou_if_boundary_mended", "iou_if_inside_mended"):
            mended = np.mean([getattr(one, key) for one in parts])
            assert summary[key][number] == pytest.approx(mended)
            assert mended > summary["iou"][number]


def test_things_and_stuff_are_told_apart_only_where_there_are_both(records: list[ImageRecord]) -> None:
    only_things = [category._replace(isthing=True) for category in CATEGORIES]
    assert "iou_things" not in summarise(records, only_things, rounds=3, resamplings=10, seed=0)


def test_study_file_keeps_strategies_of_the_same_study_only(tmp_path: Path) -> None:
    path = tmp_path / "study.json"
    write_study(path, {"seed": 0, "images": 3}, {"free": {"auc": 1}})
    kept = write_study(path, {"seed": 0, "images": 3}, {"watershed": {"auc": 2}})
    assert kept == json.loads(path.read_text())
    assert kept["strategies"] == {"free": {"auc": 1}, "watershed": {"auc": 2}}
    other = write_study(path, {"seed": 1, "images": 3}, {"per_region": {"auc": 3}})
    assert list(other["strategies"]) == ["per_region"]


def test_studies_of_several_strategies_at_once_lose_none(tmp_path: Path) -> None:
    """As cells of a sweep do; a lock holds among threads as it does among processes."""

    def write(number: int) -> None:
        for step in range(10):
            write_study(tmp_path / "study.json", {"seed": 0}, {f"{number}-{step}": {"auc": 0.5}})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert len(json.loads((tmp_path / "study.json").read_text())["strategies"]) == 40


def test_a_region_without_any_pixel_is_left_out() -> None:
    one = sample(0)
    one = one._replace(region_map=np.where(one.region_map == 5, VOID, one.region_map))
    record = study_image(one, lambda *_: one.region_map, "free", PLAN)
    assert np.isnan(record.iou[:, 5]).all()
    summary = summarise([record], CATEGORIES, rounds=3, resamplings=10, seed=0)
    assert summary["iou"] == [1, 1, 1, 1]
    assert summary["auc"] == 1


def test_the_study_knows_the_model_and_the_allocation_of_every_strategy() -> None:
    models = {INTERACTIVE, FROZEN, SINGLE_REGION, SINGLE_REGION_CANVAS, *BASELINES}
    assert {strategy.model for strategy in STRATEGIES.values()} == models
    assert {strategy.allocation for strategy in STRATEGIES.values()} == {*ALLOCATIONS, ALONE}
    for strategy in STRATEGIES.values():  # only this model predicts masks that are each by itself
        assert (strategy.allocation == ALONE) == (strategy.model == SINGLE_REGION)
    assert len({(strategy.title, strategy.colour) for strategy in STRATEGIES.values()}) == len(STRATEGIES)
