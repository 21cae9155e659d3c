"""The record of one image, and the table of all records."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.error_parts import boundary_band, error_parts
from fullseg.metrics.region_iou import region_iou
from fullseg.study.corrections import judge
from fullseg.study.records import ImageRecord, study_image, write_records, write_scribbles
from tests.study.conftest import CATEGORIES, PLAN, painter, sample


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


def test_table_has_a_row_an_image_region_and_round(records: list[ImageRecord], tmp_path: Path) -> None:
    write_records(tmp_path / "t.parquet", records, CATEGORIES)
    table = pq.read_table(tmp_path / "t.parquet")
    assert table.num_rows == 4 * 6 * 4
    row = next(r for r in table.to_pylist() if (r["image"], r["region"], r["round"]) == (2, 5, 3))
    assert row["iou"] == records[2].iou[3, 5]
    assert row["scribbles"] == records[2].scribbles[3, 5]
    assert (row["name"], row["class"], row["area"]) == ("2.png", "sky", 400)
    assert [path.name for path in tmp_path.iterdir()] == ["t.parquet"]


def test_record_has_the_errors_and_what_every_round_did(records: list[ImageRecord]) -> None:
    one = sample(3)
    states = list(PLAN.annotate(one, painter(one), "free"))
    band = boundary_band(one.region_map)
    assert (len(records[3].errors), len(records[3].corrections)) == (4, 3)
    for state, found in zip(states, records[3].errors, strict=True):
        np.testing.assert_equal(found, error_parts(state.prediction, one.region_map, band, 6))
    for before, after, done in zip(states, states[1:], records[3].corrections, strict=False):
        np.testing.assert_equal(done, judge(before.prediction, after, one.region_map, 6))


def test_table_of_scribbles_has_a_row_a_scribble(records: list[ImageRecord], tmp_path: Path) -> None:
    write_scribbles(tmp_path / "t.parquet", records)
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert len(rows) == sum(record.scribbles[-1].sum() for record in records)
    row = next(r for r in rows if (r["image"], r["round"], r["scribble"]) == (2, 3, 4))
    done = records[2].corrections[2]
    expected = {"image": 2, "name": "2.png", "round": 3, "scribble": 4, "region": done.region[4]}
    expected |= {"true_region": done.true_region[4], "length": done.length[4], "area": done.area[4]}
    assert row == {**expected, "mended_share": done.mended[4] / done.area[4], "damage_in_round": done.damage}


def test_table_of_scribbles_may_be_empty(tmp_path: Path) -> None:
    one = sample(0)
    record = study_image(one, lambda *_: one.region_map, "free", PLAN)
    write_scribbles(tmp_path / "t.parquet", [record])
    assert pq.read_table(tmp_path / "t.parquet").num_rows == 0
