"""The average of the weights: its value, what evaluations and checkpoints take, and what goes on in training."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from fullseg import Predictor
from fullseg.training.averaging import AveragedWeights, warmed_decay
from fullseg.training.module import SegmenterModule
from tests.tiny_runs import Runs

DECAY = 0.9


class Trajectory:
    """The weights of one layer after every step, and those that each evaluation used."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.trained: list[Tensor] = []
        self.evaluated: list[Tensor] = []
        step, evaluate = AveragedWeights.on_train_batch_end, SegmenterModule.validation_step

        def after_step(callback: AveragedWeights, trainer: Any, module: SegmenterModule, *rest: Any) -> None:
            self.trained.append(layer(module.segmenter).clone())
            step(callback, trainer, module, *rest)

        def evaluation(module: SegmenterModule, *rest: Any) -> Any:
            self.evaluated.append(layer(module.segmenter).clone())
            return evaluate(module, *rest)

        monkeypatch.setattr(AveragedWeights, "on_train_batch_end", after_step)
        monkeypatch.setattr(SegmenterModule, "validation_step", evaluation)


def layer(segmenter: Any) -> Tensor:
    [weight] = [w.detach() for name, w in segmenter.named_parameters() if name.endswith("convolutions.0.weight")]
    return weight


def average_of(trained: list[Tensor]) -> Tensor:
    average = trained[0]
    for number, weights in enumerate(trained[1:], start=1):
        keep = min(DECAY, (1 + number) / (10 + number))
        average = keep * average + (1 - keep) * weights
    return average


def test_the_average_forgets_more_in_the_first_steps() -> None:
    found = [float(warmed_decay(torch.tensor(steps), 0.999)) for steps in (0, 8, 90, 100000)]
    assert found == pytest.approx([0.1, 0.5, 0.91, 0.999])
    assert float(warmed_decay(torch.tensor(90), 0.5)) == 0.5


def test_evaluations_and_checkpoints_take_the_average_and_training_goes_on_without_it(
    runs: Runs, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ("trainer.epochs=3", "experiment=averaged")
    seen = Trajectory(monkeypatch)
    result = runs.train(*options, f"trainer.ema={DECAY}")
    assert len(seen.trained) == 12
    expected = [average_of(seen.trained[:steps]) for steps in (4, 8, 12)]
    in_training = [seen.evaluated[at] for at in (3, 6, 9)]  # three images each; the first evaluation is before training
    for got, wanted in zip(in_training, expected, strict=True):
        torch.testing.assert_close(got, wanted, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(expected[-1], seen.trained[-1], rtol=1e-3)

    last = torch.load(result.folder / "checkpoints" / "last.ckpt", weights_only=True)
    [name] = [name for name in last["state_dict"] if name.endswith("convolutions.0.weight")]
    torch.testing.assert_close(last["state_dict"][name], expected[-1], rtol=1e-5, atol=1e-7)
    assert torch.equal(last["current_model_state"][name], seen.trained[-1])
    best = torch.load(result.folder / "checkpoints" / "best.ckpt", weights_only=True)
    at = best["global_step"] // 4 - 1
    torch.testing.assert_close(
        layer(Predictor.from_checkpoint(result.folder).segmenter), expected[at], rtol=1e-5, atol=1e-7
    )
    plain = runs.train(*options, "trainer.ema=0")
    without = torch.load(plain.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    assert torch.equal(without[name], seen.trained[-1])


def test_buffers_are_those_of_training(runs: Runs) -> None:
    result = runs.train("experiment=averaged", "trainer.ema=0.9")
    kept = torch.load(result.folder / "checkpoints" / "last.ckpt", weights_only=True)
    buffers = [name for name in kept["state_dict"] if "running" in name or "mean" in name]
    assert buffers
    for name in buffers:
        assert torch.equal(kept["state_dict"][name], kept["current_model_state"][name])


def test_the_study_in_training_is_that_of_the_average(runs: Runs) -> None:
    result = runs.train("experiment=averaged", "trainer.ema=0.9", "study.every=1", "study.strategies=[free]")
    inside = json.loads((result.folder / "study.json").read_text())["strategies"]["free"]["iou"]
    _, content = runs.study(f"checkpoint={result.folder}", "study.strategies=[free]")
    assert inside == pytest.approx(content["strategies"]["free"]["iou"], abs=1e-4)  # threads may change a pixel


def test_a_finished_run_resumes_to_the_same_scores(runs: Runs, tmp_path: Path) -> None:
    options = ("experiment=averaged", "trainer.ema=0.9", f"runs={tmp_path}")
    first = runs.train(*options)
    again = runs.train(*options, "resume=latest")
    assert again.after["iou"] == first.after["iou"]
