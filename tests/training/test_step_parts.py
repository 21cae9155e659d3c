"""The parts of a training step add up to the step, and after measuring all methods are as before."""

import csv
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from fullseg.cli.tables import print_result
from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.runs import stopping
from fullseg.runs.folder import Result
from fullseg.training import callbacks, step_parts
from fullseg.training.run import train
from fullseg.training.step_parts import PARTS, StepParts

INTERACTIVE = ["scribbles.max_scribbles=2", "scribbles.predictor=self", "scribbles.workers=0"]


@pytest.fixture
def run(tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> Callable[..., tuple[Result, Config]]:
    def run(*overrides: str) -> tuple[Result, Config]:
        options = [*tiny_options, "trainer.epochs=3", f"data.root={tiny_data}", f"runs={tmp_path}"]
        config = load_config(None, [*options, "tracking.wandb=disabled", *overrides])
        return train(config), config

    return run


def logged(folder: Path) -> list[dict[str, float]]:
    """Return the rows of metrics.csv that have parts: {part: seconds}."""
    with (folder / "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row.get("train/seconds_backward")]
    prefix = "train/seconds_"
    return [{key.removeprefix(prefix): float(row[key]) for key in row if key.startswith(prefix)} for row in rows]


def test_parts_are_all_there_and_add_up_to_the_step(
    run: Callable[..., tuple[Result, Config]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    steps: list[float] = []  # seconds from the end of one step to the end of the next, epoch by epoch
    original, last = callbacks.Throughput.on_train_epoch_start, [0.0]

    def begin(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        last[0] = time.perf_counter()

    def end(self: Any, *arguments: Any) -> None:  # noqa: ARG001
        steps.append(time.perf_counter() - last[0])
        last[0] = time.perf_counter()

    monkeypatch.setattr(callbacks.Throughput, "on_train_epoch_start", begin)
    monkeypatch.setattr(stopping.StopAfterStep, "on_train_batch_end", end)
    result, config = run("tracking.step_parts=true", *INTERACTIVE)

    assert len(steps) == 12
    assert list(result.step_parts) == list(PARTS)
    assert all(seconds > 0 for seconds in result.step_parts.values())
    mean = sum(steps[1:]) / 11  # the first step is a warm-up
    assert sum(result.step_parts.values()) == pytest.approx(mean, rel=0.05, abs=1e-3)

    [parts] = logged(result.folder)  # the means of steps 2 to 10
    assert sum(parts.values()) == pytest.approx(sum(steps[1:10]) / 9, rel=0.05, abs=1e-3)
    print_result(result, config)
    printed = capsys.readouterr().out
    assert all(title in printed for title in (*PARTS.values(), "whole step"))


def test_off_by_default_and_then_nothing_is_watched(
    run: Callable[..., tuple[Result, Config]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(StepParts, "__init__", None)  # making one raises
    result, config = run("trainer.epochs=1")

    assert result.step_parts == {}
    assert logged(result.folder) == []
    print_result(result, config)
    assert "whole step" not in capsys.readouterr().out


class Segmenter:
    """Sleeps for 10 ms per image in ``region_inputs`` and for 20 ms in ``head``."""

    def region_inputs(self) -> str:
        time.sleep(0.01)
        return "inputs"

    def head(self) -> str:
        time.sleep(0.02)
        return "logits"


class Stage:
    """A training loop by hand: a trainer, a module, and the metrics that it logs."""

    def __init__(self, device: str) -> None:
        self.segmenter = Segmenter()
        self.module: Any = SimpleNamespace(
            segmenter=self.segmenter,
            device=torch.device(device),
            log=lambda name, value, **_: self.log.append((name, value)),
        )
        self.trainer: Any = SimpleNamespace(datamodule=None, global_step=0, log_every_n_steps=2)
        self.log: list[tuple[str, float]] = []

    def steps(self, parts: StepParts, count: int) -> None:
        parts.on_train_epoch_start(self.trainer, self.module)
        for _ in range(count):
            time.sleep(0.005)
            parts.on_train_batch_start(self.trainer, self.module)
            for _ in range(3):  # images
                assert self.segmenter.region_inputs() == "inputs"
            assert self.segmenter.head() == "logits"
            parts.on_before_backward(self.trainer, self.module)
            time.sleep(0.015)
            parts.on_after_backward(self.trainer, self.module)
            self.trainer.global_step += 1
            parts.on_train_batch_end(self.trainer, self.module)


def test_every_part_is_its_own_time_and_evaluation_is_nobodys() -> None:
    stage, parts = Stage("cpu"), StepParts()
    parts.on_train_start(stage.trainer, stage.module)
    stage.steps(parts, 2)
    stage.segmenter.head()  # evaluation after the epoch
    time.sleep(0.3)
    stage.steps(parts, 2)
    parts.on_train_end(stage.trainer, stage.module)

    expected = {"data": 0.005, "regions": 0.03, "head": 0.02, "backward": 0.015}
    for part, seconds in parts.seconds_per_step().items():
        assert expected.get(part, 0) <= seconds < expected.get(part, 0) + 0.015, part
    assert parts.all_steps == 3
    assert len(stage.log) == 2 * len(PARTS)  # at steps 2 and 4


@pytest.mark.parametrize("hook", ["on_train_end", "on_exception"])
def test_methods_are_themselves_again(hook: str) -> None:
    stage, parts = Stage("cpu"), StepParts()
    stage.segmenter.head = changed = lambda: "changed"  # type: ignore[method-assign]  # checkpointing replaces it in the same way
    parts.on_train_start(stage.trainer, stage.module)
    assert "region_inputs" in vars(stage.segmenter)
    getattr(parts, hook)(stage.trainer, stage.module)

    assert vars(stage.segmenter) == {"head": changed}


def test_on_a_gpu_only_logging_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    class Event:
        """A CUDA event of a GPU that takes twice the time."""

        waits = 0

        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = 2 * time.perf_counter()

        def synchronize(self) -> None:
            Event.waits += 1

        def elapsed_time(self, end: "Event") -> float:
            assert Event.waits, "read before it was waited for"
            return 1e3 * (end.at - self.at)

    monkeypatch.setattr(step_parts.torch.cuda, "Event", Event)
    stage, parts = Stage("cuda"), StepParts()
    parts.on_train_start(stage.trainer, stage.module)
    stage.steps(parts, 6)

    assert Event.waits == 3
    assert dict(stage.log)["train/seconds_head"] == pytest.approx(0.04, abs=0.02)
