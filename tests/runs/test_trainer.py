"""The trainer that the options describe: its processes, and options that it takes as they are."""

from pathlib import Path
from typing import Any

import pytest
import torch

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.runs.folder import Result
from fullseg.runs.trainer import make_trainer, processes_of
from tests.tiny_runs import Runs


def config(*options: str) -> Config:
    return load_config(None, ["trainer.accelerator=cpu", "trainer.progress_bar=false", *options])


@pytest.mark.parametrize(
    ("gpus", "batch_size", "nodes", "trains", "processes"),
    [
        (0, 8, 1, True, 1),  # a CPU
        (8, 8, 1, True, 8),
        (8, 4, 1, True, 4),  # no more than can share the images of a step
        (6, 4, 1, True, 4),
        (8, 4, 1, False, 8),  # an evaluation shares none
        (8, 16, 2, True, 8),
        (8, 8, 2, True, 4),
        (3, 7, 1, True, 1),
    ],
)
def test_as_many_processes_as_can_share_a_step(
    gpus: int, batch_size: int, nodes: int, processes: int, *, trains: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    options = config(f"data.batch_size={batch_size}", f"trainer.num_nodes={nodes}")
    assert processes_of(options, gpus=gpus, trains=trains) == processes
    monkeypatch.setenv("WANDB_SWEEP_ID", "abc")  # `wandb agent` sets it for every cell
    assert processes_of(options, gpus=gpus, trains=trains) == 1


def test_the_trainer_gets_its_options() -> None:
    options = ("accumulate_grad_batches=3", "limit_train_batches=5", "strategy=ddp", "profiler=simple")
    trainer = make_trainer(config(*(f"trainer.{option}" for option in options), "trainer.fast_dev_run=2"))
    assert trainer.accumulate_grad_batches == 3
    assert trainer.fast_dev_run == 2
    assert trainer.limit_train_batches == 2  # fast_dev_run limits it further
    assert type(trainer.strategy).__name__ == "DDPStrategy"
    assert type(trainer.profiler).__name__ == "SimpleProfiler"
    plain: Any = make_trainer(config("trainer.limit_train_batches=0.5"))
    assert plain.limit_train_batches == 0.5
    assert type(make_trainer(config("trainer.limit_train_batches=5")).limit_train_batches) is int


@pytest.mark.slow
def test_training_takes_the_steps_that_its_options_say(runs: Runs) -> None:
    limited = runs.train("experiment=limited", "trainer.epochs=2", "trainer.limit_train_batches=3")
    assert last_step(limited) == 6
    several = runs.train("experiment=several", "trainer.epochs=2", "trainer.accumulate_grad_batches=2")
    assert last_step(several) == 4


@pytest.mark.slow
def test_a_test_run_leaves_no_checkpoint_and_no_numbers(runs: Runs) -> None:
    result = runs.train("experiment=tried", "trainer.fast_dev_run=true")
    assert "iou" in result.after
    names = {path.name for path in result.folder.rglob("*")}
    assert "config.yaml" in names
    assert not names & {"metrics.csv", "best.ckpt", "last.ckpt"}


def last_step(result: Result) -> int:
    path: Path = result.folder / "checkpoints" / "last.ckpt"
    step: int = torch.load(path, weights_only=True)["global_step"]
    return step
