"""The record of one image, and the table of all records."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.region_iou import region_iou
from fullseg.study.records import ImageRecord, study_image, write_records
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
