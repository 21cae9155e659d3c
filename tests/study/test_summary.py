"""The numbers of study.json, and the file when several studies write it at once."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from fullseg.config.strategies import INTERACTIVE, SINGLE_REGION, STRATEGIES
from fullseg.simulation.allocation import ALLOCATIONS
from fullseg.study.baselines import BASELINES
from fullseg.study.records import ImageRecord, study_image
from fullseg.study.summary import summarise, write_study
from fullseg.types import VOID
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
    assert {strategy.model for strategy in STRATEGIES.values()} == {INTERACTIVE, SINGLE_REGION, *BASELINES}
    assert {strategy.allocation for strategy in STRATEGIES.values()} == set(ALLOCATIONS)
    assert len({(strategy.title, strategy.colour) for strategy in STRATEGIES.values()}) == len(STRATEGIES)
