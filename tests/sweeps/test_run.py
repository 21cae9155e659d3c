"""A sweep of two tiny trainings. One of them is killed half-way, and the second start resumes it."""

import csv
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from fullseg.__main__ import main
from fullseg.errors import ConfigError, DataError
from fullseg.sweeps.run import sweep

EXPERIMENT = Path(__file__).parents[2] / "experiments" / "default.yaml"
TEXT = f"""
method: grid
command: ["${{interpreter}}", -m, fullseg, train, {EXPERIMENT}, "${{args_no_hyphens}}"]
parameters:
  loss: {{values: [pixelwise, maskwise]}}
  study.every: {{value: 4}}
  study.rounds: {{value: 2}}
  study.strategies: {{value: "[free]"}}
"""


@pytest.mark.slow
def test_a_killed_cell_goes_on_from_its_checkpoint(
    tmp_path: Path,
    tiny_data: Path,
    tiny_options: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in {"OMP_NUM_THREADS": "1", "WANDB_MODE": "offline"}.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "s.yaml").write_text(TEXT)
    options = [*tiny_options, f"data.root={tiny_data}", "trainer.epochs=4", "study.bootstrap=20", "study.workers=1"]
    command = ["sweep", str(tmp_path / "s.yaml"), "--runs", str(tmp_path / "runs"), "--jobs", "2", *options]
    killer = threading.Thread(target=_kill_after_its_first_epoch, args=(tmp_path / "runs" / "sweeps" / "s",))
    killer.start()
    first = main(command)
    killer.join()
    output = capsys.readouterr().out

    place = tmp_path / "runs" / "sweeps" / "s"
    [killed], [other] = place.glob("loss=pixelwise-*"), place.glob("loss=maskwise-*")
    assert first == 1
    assert json.loads((killed / "cell.json").read_text())["status"] == "interrupted"
    assert "interrupted, exit status -9" in output
    assert "s: 1 of 2 cells" in output

    assert main(command) == 0
    state = json.loads((killed / "cell.json").read_text())
    assert (state["status"], state["attempts"]) == ("done", 1)
    assert state["command"][-1] == f"resume={(killed / 'latest').resolve()}"
    assert (other / "log.txt").read_text().count("$ ") == 1  # it was done before, and not started again
    [run] = (path for path in killed.iterdir() if path.is_dir() and not path.is_symlink())
    with (run / "metrics.csv").open() as file:
        evaluated = [int(row["step"]) for row in csv.DictReader(file) if row["val/iou"]]
    assert evaluated == [0, *range(3, 16, 4)]  # every epoch once

    with (place / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [(row["loss"], row["status"], row["strategy"]) for row in rows] == [
        ("pixelwise", "done", "free"),
        ("maskwise", "done", "free"),
    ]
    assert all(0 < float(row[key]) <= 1 for row in rows for key in ("iou", "iou_best", "iou_at_end", "auc"))
    assert all(float(row["seconds_per_round"]) > 0 for row in rows)
    assert Image.open(place / "results.png").width > 500
    assert "s: 2 of 2 cells" in capsys.readouterr().out
    assert [_records(folder / "latest", "run")[0]["run_group"] for folder in (killed, other)] == 2 * ["sweeps/s"]
    assert _records(place, "run")[0]["run_group"] == "sweeps/s"  # the table and the picture have a W&B run of their own
    logged = {key for record in _records(place, "history") for key in record["item"]}
    assert {"sweep/results._type", "sweep/picture._type"} <= logged


def test_missing_data_and_models_stop_a_sweep_before_any_cell_runs(tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(TEXT)

    def run(*overrides: str) -> int:
        runs = tmp_path / "runs"
        return sweep(tmp_path / "s.yaml", overrides, experiment=None, runs=runs, jobs=None, dry_run=False)

    with pytest.raises(DataError, match=r"data.root=/nowhere: no such folder"):
        run("data.format=bsds500", "data.root=/nowhere", "trainer.epochs=4")
    with pytest.raises(ConfigError, match="counterpart=plain: no such checkpoint or run folder"):
        run("counterpart=plain", "scribbles.max_scribbles=2", "trainer.epochs=4")
    assert not (tmp_path / "runs").exists()


def test_options_may_stand_before_and_behind_overrides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.yaml").write_text(TEXT)
    for words in (["--dry-run", "seed=3"], ["seed=3", "--dry-run"]):
        assert main(["sweep", str(tmp_path / "s.yaml"), *words]) == 0
        assert capsys.readouterr().out.count("'study.strategies=[free]' seed=3\n") == 2
    assert main(["sweep", str(tmp_path / "s.yaml"), "--dry-run", "sede=3"]) == 2
    assert "unknown option 'sede' (value 3); did you mean 'seed'?" in capsys.readouterr().err


def _kill_after_its_first_epoch(place: Path) -> None:
    """Kill the pixel-wise cell with all of its processes, as if the machine went down."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        for checkpoint in place.glob("loss=pixelwise-*/latest/checkpoints/last.ckpt"):
            state = json.loads((checkpoint.parents[2] / "cell.json").read_text())
            os.killpg(state["process"], signal.SIGKILL)
            return
        time.sleep(0.02)


def _records(place: Path, kind: str) -> list[dict[str, Any]]:
    """Return the records of the newest offline W&B run in a folder."""
    folder = sorted((place / "wandb").glob("offline-run-*"))[-1]
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(folder)]
    records = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [record[kind] for record in map(json.loads, records.splitlines()) if record["type"] == kind]
