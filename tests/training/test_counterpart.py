"""Training on scribbles: on errors of the counterpart, which also gives the first weights, or of the model itself."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from fullseg.errors import ConfigError
from fullseg.runs.folder import Result
from fullseg.runs.stopping import Interrupted
from fullseg.training.callbacks import Throughput
from tests.tiny_runs import Runs

pytestmark = pytest.mark.slow


def weights(result: Result) -> dict[str, torch.Tensor]:
    loaded = torch.load(result.folder / "checkpoints" / "last.ckpt", weights_only=True)
    state: dict[str, torch.Tensor] = loaded["state_dict"]
    return state


def test_training_scribbles_depend_on_neither_workers(runs: Runs) -> None:
    options = ("experiment=again", "counterpart=plain", "scribbles.max_scribbles=2")
    first, again = runs.train(*options), runs.train(*options, "scribbles.workers=2", "data.workers=1")
    assert weights(first).keys() == weights(again).keys()
    for key, value in weights(first).items():
        assert torch.equal(value, weights(again)[key]), key
    without = runs.train("experiment=again", "counterpart=plain", "scribbles.max_scribbles=0")
    assert any(not torch.equal(value, weights(without)[key]) for key, value in weights(first).items())


def test_ctrl_c_within_an_epoch_and_resume_continue_exactly(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("counterpart=plain", "scribbles.max_scribbles=2", "trainer.epochs=2")
    whole = runs.train("experiment=whole", *options)
    original = Throughput.on_train_batch_end

    def press_ctrl_c(self: Throughput, trainer: Any, *arguments: Any) -> None:
        original(self, trainer, *arguments)
        if trainer.global_step == 6:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Throughput, "on_train_batch_end", press_ctrl_c)
    with pytest.raises(Interrupted, match="go on exactly from there with resume="):
        runs.train("experiment=stopped", *options)
    monkeypatch.undo()
    resumed = runs.train("experiment=stopped", "resume=latest", *options)
    for key, value in weights(whole).items():
        assert torch.equal(value, weights(resumed)[key]), key


def test_two_ranks_train_on_scribbles_as_one(runs: Runs) -> None:
    options = ("counterpart=plain", "scribbles.max_scribbles=2", "trainer.epochs=2", "scribbles.workers=1")
    one = runs.train(*options, "experiment=ranks1", "trainer.devices=1", "data.batch_size=4")
    command = [sys.executable, "-m", "fullseg", "train", str(Path("experiments/default.yaml").resolve())]
    command += [*runs.options, *options, "experiment=ranks2", "trainer.devices=2", "data.batch_size=4"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    two = json.loads((runs.runs / "ranks2" / "latest" / "summary.json").read_text())
    assert one.after["iou"] == pytest.approx(two["after"]["iou"], abs=0.01)  # sums in another order


def test_model_goes_on_from_its_counterpart_unless_told_not_to(runs: Runs) -> None:
    options = ("experiment=start", "counterpart=plain", "scribbles.max_scribbles=2", "optimizer.learning_rate=0")
    options += ("optimizer.backbone_learning_rate=0",)
    result = runs.train(*options)
    counterpart = json.loads((runs.runs / "plain" / "latest" / "summary.json").read_text())
    assert result.before["iou"] == result.after["iou"] == pytest.approx(counterpart["after"]["iou"])
    anew = runs.train(*options, "scribbles.start_from_counterpart=false")
    assert anew.before["iou"] != result.before["iou"]


def test_a_model_can_scribble_on_its_own_errors(runs: Runs) -> None:
    result = runs.train("experiment=own", "scribbles.max_scribbles=2", "scribbles.predictor=self", "trainer.epochs=3")
    header = (result.folder / "metrics.csv").read_text().splitlines()[0]
    assert "train/counterpart" in header
    assert "train/data_wait" in header


def test_sessions_need_no_counterpart_but_may_start_from_its_weights(runs: Runs) -> None:
    options = ("experiment=sessions", "scribbles.rounds=2", "optimizer.learning_rate=0")
    options += ("optimizer.backbone_learning_rate=0",)
    alone = runs.train(*options)
    started = runs.train(*options, "counterpart=plain")
    counterpart = json.loads((runs.runs / "plain" / "latest" / "summary.json").read_text())
    assert started.before["iou"] == started.after["iou"] == pytest.approx(counterpart["after"]["iou"])
    assert alone.before["iou"] != started.before["iou"]
    _, content = runs.study(f"checkpoint={started.folder}", "study.strategies=[free]")
    assert content["counterpart"] is None  # the model has learnt round 0 itself


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["scribbles.max_scribbles=2"], "scribbles.predictor=counterpart: name the non-interactive model"),
        (
            ["scribbles.max_scribbles=2", "counterpart=plain", "model.head_channels=9"],
            "its weights do not fit this model",
        ),
    ],
)
def test_names_a_counterpart_that_is_missing_or_does_not_fit(runs: Runs, overrides: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        runs.train(*overrides)
