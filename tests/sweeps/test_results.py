import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from fullseg.config.load import load_config
from fullseg.sweeps.cell_folder import State, write_state
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.file import Sweep
from fullseg.sweeps.results import Group, Row, at_equal_scribbles, group, metrics_in_table, read_rows, write_results

STUDY = {
    "scribbles_per_region": [0.0, 2.0, 6.0],
    "iou": [0.5, 0.6, 0.8],
    "auc": 0.65,
    "noc": {"0.85": 4.5},
    "seconds_per_round": 0.25,
}


def cell(name: str, parameters: dict[str, Any], strategies: str = "[free]") -> Cell:
    config = load_config(None, [f"study.strategies={strategies}"])
    return Cell(name, name, parameters, [], "train", config, [], "")


def leave(
    folder: Path, iou: float | None, study: dict[str, Any] | None = None, seconds: float = 60.0, status: str = "done"
) -> None:
    write_state(folder, State(status=status, seconds=seconds))
    after = {"iou": iou, "seconds_per_image": 0.02} if iou is not None else None
    content = {"folder": "", "after": after, "best": iou, "study": study, "memory": 2e9}
    (folder / "result.json").write_text(json.dumps(content))


@pytest.fixture
def results(tmp_path: Path) -> tuple[list[Group], str, list[dict[str, str]]]:
    """Return groups, the printed table and the rows of results.csv of five cells, one of which failed."""
    cells = []
    for loss, seed, iou in (
        ("maskwise", 0, 0.7),
        ("maskwise", 1, 0.72),
        ("pixelwise", 0, 0.75),
        ("pixelwise", 1, 0.77),
    ):
        cells.append(cell(f"{loss}-{seed}", {"loss": loss, "seed": seed, "model.share": "all"}))
        leave(tmp_path / cells[-1].name, iou)
    cells.append(cell("failed", {"loss": "pixelwise", "seed": 2, "model.share": "all"}))
    write_state(tmp_path / "failed", State(status="failed"))
    console = Console(width=140, record=True)
    groups = write_results(tmp_path, Sweep("s", "", [], [], ["loss", "seed"]), cells, console)
    with (tmp_path / "results.csv").open() as file:
        return groups, console.export_text(), list(csv.DictReader(file))


def test_seeds_are_one_line_of_the_table(results: Any) -> None:
    groups, text, _ = results
    assert [one.values for one in groups] == [{"loss": "maskwise"}, {"loss": "pixelwise"}]
    assert groups[0].mean("iou") == pytest.approx(0.71)
    assert groups[0].deviation("iou") == pytest.approx(0.02 / math.sqrt(2))
    lines = [" ".join(line.replace("│", " ").split()) for line in text.splitlines()]
    assert "maskwise 2 71.0 ± 1.4 20 ± 0 2.00 ± 0.00 1.0 ± 0.0" in lines
    assert "pixelwise 2 76.0 ± 1.4 20 ± 0 2.00 ± 0.00 1.0 ± 0.0" in lines
    assert "s: 4 of 5 cells" in lines


def test_the_table_spares_what_another_column_tells_as_well() -> None:
    def shown(**metrics: float) -> list[str]:
        return metrics_in_table([Group({}, [Row("", {}, "", metrics, None)])])

    assert shown(iou=0.5, iou_best=0.5, seconds_per_image=1) == ["iou", "seconds_per_image"]
    assert shown(iou=0.5, iou_best=0.6, iou_at_end=0.7) == ["iou", "iou_best", "iou_at_end"]
    assert shown(iou_at_4=0.6, iou_at_end=0.7, seconds_per_image=1, seconds_per_round=2) == [
        "iou_at_4",
        "seconds_per_round",
    ]


def test_results_csv_has_every_cell(results: Any) -> None:
    _, _, rows = results
    assert [(row["cell"], row["status"], row["iou"]) for row in rows] == [
        ("maskwise-0", "done", "0.7"),
        ("maskwise-1", "done", "0.72"),
        ("pixelwise-0", "done", "0.75"),
        ("pixelwise-1", "done", "0.77"),
        ("failed", "failed", ""),
    ]
    assert (rows[0]["loss"], rows[0]["model.share"], rows[0]["seed"], rows[0]["memory"]) == (
        "maskwise",
        "all",
        "0",
        "2000000000.0",
    )


def test_a_studied_cell_has_a_row_a_strategy_that_it_asked_for(tmp_path: Path) -> None:
    one = cell("a", {"seed": 0}, "[free, per_region]")
    study = {"strategies": {"per_region": {**STUDY, "auc": 0.6}, "free": STUDY, "watershed": STUDY}}
    leave(tmp_path, None, study)
    free, per_region = read_rows(one, tmp_path)
    assert (free.strategy, per_region.strategy) == ("free", "per_region")
    assert free.metrics == pytest.approx(
        {
            "iou": 0.5,  # from round 0 of the study, because nothing was trained
            "iou_at_4": 0.7,  # half-way from 2 to 6 scribbles
            "iou_at_end": 0.8,
            "auc": 0.65,
            "noc_85": 4.5,
            "seconds_per_round": 0.25,
            "memory": 2e9,
            "seconds": 60.0,
        }
    )
    assert per_region.metrics["auc"] == 0.6
    np.testing.assert_array_equal(free.curve, [[0, 0.5], [2, 0.6], [6, 0.8]])
    assert [entry.values for entry in group([free, per_region], ["seed", "study.strategies"])] == [
        {"strategy": "free"},
        {"strategy": "per_region"},
    ]


def test_a_study_of_fewer_scribbles_has_no_iou_at_4(tmp_path: Path) -> None:
    leave(tmp_path, 0.5, {"strategies": {"free": {**STUDY, "scribbles_per_region": [0, 1.5, 3.9]}}})
    [row] = read_rows(cell("a", {}), tmp_path)
    assert "iou_at_4" not in row.metrics
    assert (row.metrics["iou"], row.metrics["iou_at_end"]) == (0.5, 0.8)


def test_rows_are_compared_at_equal_scribbles_per_region(tmp_path: Path) -> None:
    leave(tmp_path, None, {"strategies": {"free": STUDY, "per_region": {**STUDY, "scribbles_per_region": [0, 2, 4]}}})
    rows = read_rows(cell("a", {}, "[free, per_region]"), tmp_path)
    free, per_region = at_equal_scribbles([*rows, rows[0]._replace(curve=None)])[:2]
    assert free.metrics["iou_at_end"] == pytest.approx(0.7)  # half-way from 2 to 6 scribbles: at 4, as per_region
    assert per_region.metrics["iou_at_end"] == pytest.approx(0.8)
    assert free.metrics["auc"] == pytest.approx((0.55 * 2 + 0.65 * 2) / 4)
    assert per_region.metrics["auc"] == pytest.approx((0.55 * 2 + 0.7 * 2) / 4)


def test_an_unfinished_cell_has_no_row(tmp_path: Path) -> None:
    leave(tmp_path, 0.5, status="interrupted")  # the result of an earlier attempt
    assert read_rows(cell("a", {}), tmp_path) == []
