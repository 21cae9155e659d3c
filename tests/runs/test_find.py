"""A checkpoint is found by its file, a run folder or an experiment."""

import os
from pathlib import Path

import pytest

from fullseg.errors import ConfigError
from fullseg.model.released import WEIGHTS
from fullseg.runs.find import BEST, LAST, find_checkpoint, find_run


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Return a folder of runs. Those made later are newer, whatever their names."""
    runs = tmp_path / "runs"
    for age, run in enumerate(("new/1", "scribble/zebra", "scribble/20260101-000000", "reproduced/scribble/1")):
        for name in (BEST, LAST):
            path = runs / run / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            os.utime(path, (1000 + age, 1000 + age))
    (runs / "scribble" / "20260101-000000" / LAST).unlink()
    (runs / "scribble" / "latest").symlink_to("zebra")
    (runs / "scribble" / "20270101-000000" / "checkpoints").mkdir(parents=True)  # a run without a checkpoint
    return runs


def test_a_file_a_folder_and_an_experiment_are_found(runs: Path) -> None:
    newest = runs / "scribble" / "20260101-000000"
    for value in (newest / BEST, newest, "scribble"):
        assert find_checkpoint("--checkpoint", str(value), runs) == newest / BEST
    assert find_checkpoint("resume", "scribble", runs, LAST) == runs / "scribble" / "zebra" / LAST
    assert find_checkpoint("x", str(runs / "scribble" / "latest"), runs) == runs / "scribble" / "zebra" / BEST
    assert find_run("scribble", runs) == newest
    assert find_run(str(runs / "new" / "1"), runs) == runs / "new" / "1"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("nothing.ckpt", "checkpoint=nothing.ckpt: no such checkpoint"),
        ("other", r"checkpoint=other: no such checkpoint or run folder, and no trained run in .*runs/other; train it"),
    ],
)
def test_says_what_is_missing(runs: Path, value: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        find_checkpoint("checkpoint", value, runs)
    with pytest.raises(ConfigError, match=f"{value}: no such run folder"):
        find_run(value, runs)


def test_a_folder_without_checkpoint_is_named(runs: Path) -> None:
    with pytest.raises(ConfigError, match=r"no checkpoints/last.ckpt in it"):
        find_checkpoint("resume", str(runs / "scribble" / "20260101-000000"), runs, LAST)


def test_a_released_model_is_found_by_name_if_no_experiment_has_this_name(runs: Path) -> None:
    assert find_checkpoint("--checkpoint", "photos", runs) == WEIGHTS / "photos.ckpt"
    (runs / "photos" / "1" / BEST).parent.mkdir(parents=True)
    (runs / "photos" / "1" / BEST).touch()
    assert find_checkpoint("--checkpoint", "photos", runs) == runs / "photos" / "1" / BEST
