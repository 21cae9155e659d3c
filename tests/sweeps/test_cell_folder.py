"""The result that a run leaves for its sweep."""

import json
from pathlib import Path

import pytest

from fullseg.sweeps.cell_folder import RESULT_VARIABLE, leave_result


def test_what_a_run_leaves_for_its_sweep(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run.mkdir()
    (run / "summary.json").write_text(json.dumps({"before": {"iou": 0.9}, "after": {"iou": 0.5}, "seconds": 3}))
    (run / "metrics.csv").write_text("step,val/iou\n0,0.9\n1,\n3,0.6\n7,0.5\n")
    leave_result(run)  # this process is not a cell of a sweep
    monkeypatch.setenv(RESULT_VARIABLE, str(tmp_path / "result.json"))
    leave_result(run)
    content = json.loads((tmp_path / "result.json").read_text())
    assert (content["after"], content["best"], content["study"]) == ({"iou": 0.5}, 0.6, None)  # 0.9 is before training
    assert 1e8 < content["memory"] < 1e12
    leave_result(run, {"strategies": {}})
    assert json.loads((tmp_path / "result.json").read_text())["after"] is None
