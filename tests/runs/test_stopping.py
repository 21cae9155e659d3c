"""Real trainings are stopped, killed, or die. None hangs, and a resumed one ends like one without interruption."""

import os
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fullseg.config.load import load_config
from fullseg.runs import stopping
from fullseg.training.run import train
from tests.training.test_run import rows, weights

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
TWO_RANKS = ("trainer.devices=2", "data.batch_size=2")
OWN_SCRIBBLES = ("scribbles.max_scribbles=1", "scribbles.predictor=self", "scribbles.workers=0")
SESSIONS = ("scribbles.rounds=3", "scribbles.workers=1", "trainer.ema=0.9")
EXPERIMENT = "experiments/default.yaml"
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def options(tiny_options: list[str], tiny_data: Path) -> list[str]:
    """Return the overrides of all runs in this file, without ``runs=``."""
    own = [f"data.root={tiny_data}", "run_id=a", "resume=auto", "trainer.epochs=3", "tracking.wandb=disabled"]
    return [*tiny_options, *own]


@pytest.fixture
def start(options: list[str], tmp_path: Path) -> Start:
    """Return a function that starts training in a process. Its first argument names the folder of the runs."""

    def start(runs: str, *overrides: str) -> subprocess.Popen[str]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [sys.executable, "-m", "fullseg", "train", EXPERIMENT, *options, f"runs={tmp_path / runs}"]
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        return subprocess.Popen(
            [*command, *overrides],
            cwd=ROOT,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    return start


def finish(process: "subprocess.Popen[str]") -> str:
    _, errors = process.communicate(timeout=200)
    assert process.returncode == 0, errors[-2000:]
    return errors


def wait_for_step(checkpoint: Path, step: int, process: "subprocess.Popen[str]") -> None:
    seen = 0
    while process.poll() is None:
        time.sleep(0.01)
        written = checkpoint.stat().st_mtime_ns if checkpoint.is_file() else 0
        if written != seen and torch.load(checkpoint, weights_only=True)["global_step"] >= step:
            return
        seen = written
    raise AssertionError(process.communicate()[1][-2000:])


def assert_same_run(first: Path, second: Path) -> None:
    assert weights(first) == weights(second)
    columns = ("step", "train/loss", "val/iou", "val/class_accuracy")
    assert [[row[key] for key in columns] for row in rows(first)] == [[r[key] for key in columns] for r in rows(second)]


def test_kill_9_loses_the_steps_since_the_last_checkpoint_alone(
    start: Start, options: list[str], tmp_path: Path
) -> None:
    train(load_config(ROOT / EXPERIMENT, [*options, f"runs={tmp_path / 'whole'}", *OWN_SCRIBBLES]))
    broken = start("broken", *OWN_SCRIBBLES, "trainer.checkpoint_every=1")
    folder = tmp_path / "broken" / "default" / "a"
    wait_for_step(folder / "checkpoints" / "last.ckpt", 6, broken)
    broken.send_signal(signal.SIGKILL)
    broken.communicate()
    reached = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert 6 <= reached < 12
    again = start("broken", *OWN_SCRIBBLES, "trainer.checkpoint_every=1")
    finish(again)
    assert_same_run(folder, tmp_path / "whole" / "default" / "a")


@pytest.mark.parametrize("scribbles", [OWN_SCRIBBLES, SESSIONS], ids=["at once", "in sessions"])
def test_sigterm_to_one_of_two_ranks_stops_both_and_they_go_on_exactly(
    start: Start, tmp_path: Path, scribbles: tuple[str, ...]
) -> None:
    plan = (*TWO_RANKS, *scribbles, "trainer.epochs=12", "trainer.validate_every=6")
    stopped = start("stopped", *plan, "trainer.checkpoint_every=5")
    folder = tmp_path / "stopped" / "default" / "a"
    wait_for_step(folder / "checkpoints" / "last.ckpt", 5, stopped)
    stopped.send_signal(signal.SIGTERM)
    output, errors = stopped.communicate(timeout=200)
    assert stopped.returncode == 128 + signal.SIGTERM, errors
    assert errors.count("SIGTERM: stopping after this step.") == 1
    assert errors.count(f"go on exactly from there with resume={folder}") == 1
    assert "Traceback" not in errors
    assert output == ""
    reached = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["global_step"]
    assert reached < 48
    finish(start("stopped", *plan))
    finish(start("longer", *plan))
    assert_same_run(folder, tmp_path / "longer" / "default" / "a")


def test_a_terminal_that_closes_stops_training_with_a_checkpoint(options: list[str], tmp_path: Path) -> None:
    terminal, inside = os.openpty()
    plan = [*options, f"runs={tmp_path / 'runs'}", "trainer.epochs=500", "trainer.checkpoint_every=1"]
    command = [sys.executable, "-m", "fullseg", "train", EXPERIMENT, *plan, "trainer.progress_bar=true"]
    process = subprocess.Popen(command, cwd=ROOT, stdout=inside, stderr=inside, start_new_session=True)
    os.close(inside)
    checkpoint = tmp_path / "runs" / "default" / "a" / "checkpoints" / "last.ckpt"
    try:
        while not checkpoint.is_file() and process.poll() is None:
            if select.select([terminal], [], [], 0.1)[0]:
                os.read(terminal, 1 << 16)  # or the training waits until somebody reads
        os.close(terminal)  # from here on every write to the terminal fails
        process.send_signal(signal.SIGHUP)
        assert process.wait(timeout=200) == 128 + signal.SIGHUP
    finally:
        process.kill()
    reached = torch.load(checkpoint, weights_only=True)["global_step"]
    assert 0 < reached < 2000


@pytest.mark.parametrize("refused", [False, True])
def test_a_job_that_is_not_put_into_the_queue_again_has_failed(
    refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked: list[list[str]] = []

    def scontrol(command: list[str], **_: object) -> "subprocess.CompletedProcess[str]":
        asked.append(command)
        return subprocess.CompletedProcess(command, int(refused), "", "Requested operation is presently disabled")

    monkeypatch.setattr(stopping.subprocess, "run", scontrol)
    monkeypatch.setenv("SLURM_JOB_ID", "12")
    stop = stopping.interrupted(tmp_path, signal.SIGUSR1)
    assert asked == [["scontrol", "requeue", "12"]]
    assert stop.status == (128 + signal.SIGUSR1 if refused else 0)
    assert ("job 12 is queued again" in str(stop)) != refused
    assert ("presently disabled" in capsys.readouterr().err) == refused


def test_a_rank_that_dies_ends_the_run_with_its_error(start: Start, tiny_data: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    image = sorted((data / "train" / "images").iterdir())[0]
    image.write_bytes(image.read_bytes()[:300])
    process = start("dies", *TWO_RANKS, "data.max_bad=0", f"data.root={data}")
    _, errors = process.communicate(timeout=200)  # a rank that waits for the other one would wait longer
    assert process.returncode not in (0, None)
    assert "1 samples can't be read, more than data.max_bad=0" in errors
    assert image.name in errors
    assert not subprocess.run(["pgrep", "-f", f"runs={tmp_path / 'dies'}"], capture_output=True, check=False).stdout
