"""metrics.csv has one row per step and loses nothing when a run is resumed."""

import csv
from pathlib import Path

from fullseg.tracking.metrics_file import MetricsFile


def read(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_one_row_a_step_and_a_column_a_metric(tmp_path: Path) -> None:
    file = MetricsFile(tmp_path / "metrics.csv")
    file.log_metrics({"epoch": 0, "loss": 0.5}, step=9)
    file.save()
    file.log_metrics({"epoch": 0, "rate": 0.1}, step=9)  # the same step, so the same row
    file.log_metrics({"epoch": 0, "loss": 0.25, "rate": 0.2}, step=19)
    file.save()
    file.log_metrics({"epoch": 0, "loss": 0.125}, step=29)
    file.finalize("success")

    assert read(tmp_path / "metrics.csv") == [
        {"epoch": "0", "step": "9", "loss": "0.5", "rate": "0.1"},
        {"epoch": "0", "step": "19", "loss": "0.25", "rate": "0.2"},
        {"epoch": "0", "step": "29", "loss": "0.125", "rate": ""},
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.csv"]


def test_a_resumed_run_keeps_what_was_and_forgets_what_it_repeats(tmp_path: Path) -> None:
    path = tmp_path / "metrics.csv"
    first = MetricsFile(path)
    for step in (9, 19, 29):
        first.log_metrics({"epoch": 0, "loss": step / 100}, step=step)
    first.save()

    second = MetricsFile(path)
    second.forget_after(20)
    second.log_metrics({"epoch": 0, "loss": 0.5}, step=29)
    second.save()

    assert [(row["step"], row["loss"]) for row in read(path)] == [("9", "0.09"), ("19", "0.19"), ("29", "0.5")]
