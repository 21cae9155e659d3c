"""Checkpoints are written whole or not at all. A run refuses a damaged one and names one that is good."""

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from fullseg.config.schema import Config
from fullseg.errors import CheckpointError, ConfigError
from fullseg.runs.checkpoints import RESUMED, WholeCheckpoints, check_model, checkpoint_to_resume

GOOD = dict.fromkeys(RESUMED, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run" / "checkpoints"
    folder.mkdir(parents=True)
    for age, name in ((300, "best"), (200, "older"), (0, "last")):
        torch.save(GOOD | {"state_dict": torch.arange(1000)}, folder / f"{name}.ckpt")
        os.utime(folder / f"{name}.ckpt", (1e9 - age, 1e9 - age))
    return folder


def test_a_truncated_checkpoint_is_refused_and_the_newest_good_one_named(folder: Path) -> None:
    last = folder / "last.ckpt"
    assert checkpoint_to_resume(Config(resume=str(folder.parent))) == last.resolve()
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(
        ConfigError, match=rf"resume={folder.parent}: {last} is damaged or no checkpoint .*resume={folder}/older.ckpt$"
    ):
        checkpoint_to_resume(Config(resume=str(folder.parent)))


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ({"state_dict": 1, "epoch": 3}, "it lacks optimizer_states, lr_schedulers, loops"),
        ([1, 2], "no checkpoint of fullseg"),
        ({**GOOD, "loops": Path("x")}, "is damaged or no checkpoint"),  # not only plain values: not unpickled
    ],
)
def test_a_foreign_checkpoint_is_refused(folder: Path, content: object, problem: str) -> None:
    torch.save(content, folder / "last.ckpt")
    (folder / "older.ckpt").write_text("no checkpoint at all")
    with pytest.raises(ConfigError, match=rf"{problem}.*beside it is resume={folder}/best.ckpt"):
        checkpoint_to_resume(Config(resume=str(folder / "last.ckpt")))
    (folder / "best.ckpt").unlink()
    with pytest.raises(ConfigError, match="leave resume out to start a new run"):
        checkpoint_to_resume(Config(resume=str(folder / "last.ckpt")))


def test_a_checkpoint_of_another_model_is_refused(folder: Path) -> None:
    model = {"roi_size": 9, "share": "all", "pretrained": True}
    path = folder / "last.ckpt"
    torch.save({"hyper_parameters": {"model": {**model, "pretrained": False}}}, path)
    check_model(path, model)
    with pytest.raises(ConfigError, match=rf"{path} holds another model: roi_size=9; .*{folder.parent}/config.yaml"):
        check_model(path, {**model, "roi_size": 14})


def test_auto_goes_on_where_there_is_a_checkpoint(folder: Path) -> None:
    options = {"runs": str(folder.parents[2]), "experiment": folder.parents[1].name, "resume": "auto"}
    assert checkpoint_to_resume(Config(**options, run_id="run")) == (folder / "last.ckpt").resolve()  # type: ignore[arg-type]
    assert checkpoint_to_resume(Config(**options, run_id="other")) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("broken", ["fsync", "save"])
def test_what_breaks_off_leaves_the_last_one(folder: Path, broken: str, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "last.ckpt").read_bytes()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(*{"fsync": (os, "fsync", full), "save": (torch, "save", full)}[broken])
    with pytest.raises(CheckpointError, match=rf"the disk is full .*the earlier .*is still.*resume={folder.parent}$"):
        WholeCheckpoints().save_checkpoint(GOOD, folder / "last.ckpt")
    assert (folder / "last.ckpt").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["best.ckpt", "last.ckpt", "older.ckpt"]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 1 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=False).returncode:
        pytest.skip("a small disk can be mounted by root alone")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_disk_that_is_really_full(small_disk: Path) -> None:
    path = small_disk / "run" / "checkpoints" / "last.ckpt"
    WholeCheckpoints().save_checkpoint({"weights": torch.zeros(100_000)}, path)
    with pytest.raises(CheckpointError, match=rf"checkpoint {path} cannot be written: the disk is full \(1 MiB free\)"):
        WholeCheckpoints().save_checkpoint({"weights": torch.ones(200_000)}, path)
    assert torch.load(path)["weights"].sum() == 0
    assert list(path.parent.iterdir()) == [path]
