"""The whole chain on a tiny COCO, from ``fullseg paper`` to the table: every training and study is real."""

import json
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fullseg.__main__ import main
from fullseg.sweeps import runner as sweep_runner
from tests.paper import forking

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("project", "quick_start")]


@pytest.fixture
def quick_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the stages start from a process that has imported the libraries already."""
    forking.client(tmp_path / "python", tmp_path / "socket")
    process = forking.start(tmp_path / "socket")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sweep_runner, "PAUSE", 0.02)
    yield
    process.kill()
    process.wait()


def test_the_chain_runs_once_and_then_only_what_is_missing(
    coco: Path, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = tmp_path / "runs" / "paper"
    command = ["paper", str(coco), "--runs", str(tmp_path / "runs"), *options, "--seeds", "0", "1"]
    assert main(command) == 0, failures(place)
    table = (place / "paper.md").read_text()
    rows = rows_of(table)
    written = times(place)
    assert len([name for name in written if name.endswith("best.ckpt")]) == 2 * 9
    assert len([name for name in written if name.endswith("study.json")]) == 2

    # Every number is that of the runs themselves.
    for title, stage, key in (
        ("mask-wise loss, not shared", "table2/maskwise", "iou"),
        ("pixel-wise loss, extreme points shared", "table2/pixelwise_shared", "iou"),
        ("ours, single region, two-stage head", "table1/single_region_two_stage", "iou_independent"),
        ("DEXTR, trained here", "table1/dextr", "iou_independent"),
    ):
        scores = [100 * summary(place / f"seed{seed}" / stage)["after"][key] for seed in (0, 1)]
        mean, spread = sum(scores) / 2, abs(scores[0] - scores[1]) / 2**0.5
        assert rows[title][0] == f"{mean:.1f} ± {spread:.1f}", title
        assert rows[title][2] == " ".join(f"{score:.1f}" for score in scores)
    study = [json.loads(next((place / f"seed{seed}").rglob("study.json")).read_text()) for seed in (0, 1)]
    starts = [100 * one["strategies"]["free"]["iou"][0] for one in study]
    assert rows["full image, free allocation, at 0"][2] == " ".join(f"{start:.1f}" for start in starts)
    assert [one["hold_scribbles"] for one in study] == [False, False]
    assert rows["DEXTR (released)"][0] == ""

    # Every interactive model was trained with its counterpart of the same seed.
    for seed in (0, 1):
        for name, counterpart in (("full_image_scribble", "pixelwise_shared"), ("single_region_scribble", "maskwise")):
            mine, theirs = (place / f"seed{seed}" / part for part in (f"fig5/{name}", f"table2/{counterpart}"))
            saved = torch.load(mine / "latest/checkpoints/best.ckpt", weights_only=True)["hyper_parameters"]["config"]
            assert saved["counterpart"] == str((theirs / "latest/checkpoints/best.ckpt").resolve())
            assert saved["seed"] == seed

    capsys.readouterr()
    assert main(command) == 0
    assert times(place) == written
    assert (place / "paper.md").read_text() == table
    assert "20 stages, 20 done before" in capsys.readouterr().out

    shutil.rmtree(place / "seed1" / "table1" / "dextr")
    assert main(command) == 0
    again = times(place)
    changed = {name for name in again if again[name] != written.get(name)}
    assert changed
    assert all(name.startswith("seed1/table1/dextr/") for name in changed)
    assert rows_of((place / "paper.md").read_text()) == rows  # the same seed has the same result, bit for bit


def times(place: Path) -> dict[str, int]:
    """Return when each file of the runs was written, by its path below the folder of the stages."""
    files = (path for path in place.glob("seed*/**/*") if path.is_file())
    return {str(path.relative_to(place)): path.stat().st_mtime_ns for path in files}


def rows_of(table: str) -> dict[str, list[str]]:
    lines = [re.split(r" ?\| ?", line)[1:-1] for line in table.splitlines() if line.startswith("| ")]
    return {title: cells for title, *cells in lines}


def summary(stage: Path) -> dict[str, dict[str, float]]:
    content: dict[str, dict[str, float]] = json.loads((stage / "latest" / "summary.json").read_text())
    return content


def failures(place: Path) -> str:
    return "\n".join(path.read_text()[-2000:] for path in place.rglob("log.txt") if "rror" in path.read_text())
