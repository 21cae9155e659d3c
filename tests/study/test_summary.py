"""Records of the study, their summary, and study.json when several studies write it."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from fullseg.config.strategies import INTERACTIVE, SINGLE_REGION, STRATEGIES
from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.region_iou import region_iou
from fullseg.simulation import simulate_extreme_points
from fullseg.simulation.allocation import ALLOCATIONS
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.baselines import BASELINES
from fullseg.study.plan import Plan
from fullseg.study.records import ImageRecord, study_image, write_records
from fullseg.study.summary import summarise, write_study
from fullseg.types import VOID, Annotations, Category, Sample, SampleKey

PLAN = Plan(3, NO_NOISE, 0)
CATEGORIES = [Category(1, "cup", isthing=True), Category(2, "sky", isthing=False)]


def sample(index: int) -> Sample:
    rng = np.random.default_rng(index)
    truth = rng.permutation(6).reshape(2, 3).repeat(20, axis=0).repeat(20, axis=1).astype(np.int64)
    points = simulate_extreme_points(truth, 6, 0, rng)
    image = rng.integers(0, 255, (*truth.shape, 3), dtype=np.uint8)
    classes = np.array([0, 1, 0, 1, 0, 1])
    return Sample(SampleKey(0, index), f"{index}.png", image, truth, classes, points)


def painter(of: Sample) -> Any:
    """Return a model that shifts the truth, and paints scribbles five pixels wide."""

    def predict(annotations: Annotations, _: int) -> NDArray[np.int64]:
        region_map = np.roll(of.region_map, 5, axis=1)
        for scribble in annotations.scribbles:
            for x, y in scribble.points.astype(int):
                region_map[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = scribble.region
        return region_map

    return predict


@pytest.fixture(scope="module")
def records() -> list[ImageRecord]:
    return [study_image(sample(index), painter(sample(index)), "free", PLAN) for index in range(4)]


def test_record_has_the_quality_after_every_round() -> None:
    one = sample(3)
    record = study_image(one, painter(one), "per_region", PLAN)
    states = list(PLAN.annotate(one, painter(one), "per_region"))
    assert len(states) == len(record.iou) == 4
    for number, state in enumerate(states):
        np.testing.assert_array_equal(record.iou[number], region_iou(state.prediction, one.region_map, 6))
        np.testing.assert_array_equal(record.boundary_iou[number], boundary_iou(state.prediction, one.region_map, 6))
        given = [scribble.region for scribble in state.annotations.scribbles]
        np.testing.assert_array_equal(record.scribbles[number], np.bincount(given, minlength=6))
    assert record.area.tolist() == [400] * 6
    assert (record.index, record.name) == (3, "3.png")
    assert (record.seconds > 0).all()


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


def test_table_has_a_row_an_image_region_and_round(records: list[ImageRecord], tmp_path: Path) -> None:
    write_records(tmp_path / "t.parquet", records, CATEGORIES)
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.num_rows == 4 * 6 * 4
    row = next(r for r in table.to_pylist() if (r["image"], r["region"], r["round"]) == (2, 5, 3))
    assert row["iou"] == records[2].iou[3, 5]
    assert row["scribbles"] == records[2].scribbles[3, 5]
    assert (row["name"], row["class"], row["area"]) == ("2.png", "sky", 400)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


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
