"""Module, data module and study under Lightning's own Trainer, which is given nothing but usual arguments."""

import csv
import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import lightning as L
import pytest
import torch
from lightning.pytorch.callbacks import LearningRateMonitor
from lightning.pytorch.loggers import CSVLogger

from fullseg.config.load import load_config, plain
from fullseg.config.schema import Config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError
from fullseg.metrics.region_iou import region_iou
from fullseg.model.factory import without_initial_weights
from fullseg.training.module import SegmenterModule
from fullseg.training.study_callback import Study

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
QUIET: dict[str, Any] = {"enable_progress_bar": False, "enable_model_summary": False, "accelerator": "cpu"}


class Steps(L.Callback):
    """Keeps the rates (head, backbone), the keys and the number of scribbles of every step."""

    def __init__(self) -> None:
        self.rates: list[tuple[float, ...]] = []
        self.keys: list[list[list[int]]] = []
        self.scribbles: list[int] = []

    def on_train_batch_start(self, trainer: L.Trainer, module: Any, batch: Any, batch_idx: int) -> None:  # noqa: ARG002
        self.rates.append(tuple(group["lr"] for group in trainer.optimizers[0].param_groups))
        self.keys.append(batch.keys.tolist())
        self.scribbles.append(len(batch.scribble_lengths))


@pytest.fixture
def config(tiny_options: list[str], tiny_data: Path) -> Config:
    return load_config(None, [*tiny_options, f"data.root={tiny_data}", "scribbles.workers=0"])


@pytest.fixture
def checkpoint(config: Config, tiny_model: dict[str, Any], tmp_path: Path) -> Path:
    """Return a checkpoint that Lightning has saved, of a tiny model that names ImageNet weights."""
    torch.manual_seed(0)
    model = {"name": "region", **tiny_model, "pretrained": True, "backbone": "resnet10t", "num_classes": 16}
    categories = [{"id": number, "name": f"class {number}", "isthing": True} for number in range(16)]
    module = SegmenterModule(without_initial_weights(model), plain(config), categories)
    module.hparams["model"] = model
    trainer = L.Trainer(**QUIET, logger=False, enable_checkpointing=False, default_root_dir=tmp_path)
    trainer.strategy.connect(module)
    trainer.save_checkpoint(tmp_path / "start.ckpt")
    return tmp_path / "start.ckpt"


@pytest.fixture
def fit(config: Config, checkpoint: Path, tmp_path: Path) -> Any:
    """Return a function that fits the module of the checkpoint and returns its steps, the trainer and the module."""

    def fit(data: InteractiveDataModule | None = None, resume: Path | None = None, **options: Any) -> Any:
        steps = Steps()
        module = SegmenterModule.load_from_checkpoint(checkpoint)
        defaults = {"logger": False, "enable_checkpointing": False, "max_epochs": 2, "default_root_dir": tmp_path}
        callbacks = [*options.pop("callbacks", []), steps]
        trainer = L.Trainer(**QUIET | defaults | options, callbacks=callbacks)
        trainer.fit(module, datamodule=data or InteractiveDataModule.from_config(config), ckpt_path=resume)
        return steps, trainer, module

    return fit


def test_a_loaded_module_trains_with_the_rates_of_its_options(fit: Any, checkpoint: Path) -> None:
    """The checkpoint names ImageNet weights of a ResNet, which cannot be had here and are not asked for."""
    before = torch.load(checkpoint, weights_only=True)
    assert before["hyper_parameters"]["model"]["pretrained"]
    steps, _, module = fit()
    head, backbone = zip(*steps.rates, strict=True)
    factors = [rate / (1e-3 * 0.5**0.5) for rate in head]  # two images a step, of the four that the options are for
    # one step of warm-up (1/2 and 1), then half a cosine over the other seven
    cosine = [0.5 * (1 + torch.cos(torch.tensor(torch.pi * k / 7)).item()) for k in range(7)]
    assert factors == pytest.approx([0.5, *cosine], rel=1e-5)
    assert backbone == pytest.approx([0.2 * rate for rate in head])
    changed = [
        name for name, weight in module.state_dict().items() if not torch.equal(weight, before["state_dict"][name])
    ]
    assert any("convolutions" in name for name in changed)


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ({"max_epochs": 3}, 12),
        ({"max_epochs": 3, "limit_train_batches": 2}, 6),
        ({"max_epochs": 3, "accumulate_grad_batches": 2}, 6),
        ({"max_epochs": 3, "accumulate_grad_batches": 3}, 6),  # an epoch has a step of 3 batches and a step of 1
        ({"max_epochs": -1, "max_steps": 5}, 5),
    ],
)
def test_the_schedule_spans_the_steps_of_the_trainer(fit: Any, options: dict[str, Any], steps: int) -> None:
    _, trainer, _ = fit(**options)
    assert trainer.global_step == steps
    assert trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0, abs=1e-12)  # just now, and not before
    rates = trainer.lr_scheduler_configs[0].scheduler
    peak = 1e-3 * (2 * trainer.accumulate_grad_batches / 4) ** 0.5
    assert rates.base_lrs == pytest.approx([peak, 0.2 * peak])
    assert rates.lr_lambdas[0](steps - 1) > 0


def test_base_batch_0_scales_no_rate(config: Config, checkpoint: Path, tmp_path: Path) -> None:
    module = SegmenterModule.load_from_checkpoint(checkpoint)
    module.options = {**module.options, "base_batch": 0}
    trainer = L.Trainer(**QUIET, fast_dev_run=True, default_root_dir=tmp_path)
    trainer.fit(module, datamodule=InteractiveDataModule.from_config(config))
    assert trainer.lr_scheduler_configs[0].scheduler.base_lrs == [1e-3, 2e-4]


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("step", [5, 8])
def test_a_resumed_fit_takes_the_other_steps_of_the_whole_one(
    fit: Any, config: Config, tmp_path: Path, step: int, workers: int
) -> None:
    """Step 5 is within the second epoch, and 8 at its end. Loader processes must not begin with another epoch's."""
    config.data.workers = workers
    whole, _, one = fit(max_epochs=3)
    fit(max_epochs=3, callbacks=[StopAt(step, tmp_path / "stopped.ckpt")])
    rest, _, other = fit(max_epochs=3, resume=tmp_path / "stopped.ckpt")
    assert rest.keys == whole.keys[step:]
    assert rest.rates == whole.rates[step:]
    for name, weight in one.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name]), name


class StopAt(L.Callback):
    """Saves a checkpoint after a step and stops."""

    def __init__(self, step: int, path: Path) -> None:
        self.step, self.path = step, path

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:
        if trainer.global_step == self.step:
            trainer.save_checkpoint(self.path)
            trainer.should_stop = True
            trainer.limit_val_batches = 0


def test_validation_before_training_changes_nothing_and_scribbles_survive_it(
    fit: Any, config: Config, checkpoint: Path
) -> None:
    config.scribbles.max_scribbles, config.scribbles.predictor = 2, "self"
    alone, _, expected = fit()
    assert sum(alone.scribbles) > 0
    data = InteractiveDataModule.from_config(config)
    steps, module = Steps(), SegmenterModule.load_from_checkpoint(checkpoint)
    trainer = L.Trainer(**QUIET, logger=False, enable_checkpointing=False, max_epochs=2, callbacks=[steps])
    [scores] = trainer.validate(module, datamodule=data, verbose=False)
    assert 0 < scores["val/iou"] <= 1
    trainer.fit(module, datamodule=data)
    assert (steps.scribbles, steps.keys) == (alone.scribbles, alone.keys)
    for name, weight in expected.state_dict().items():
        assert torch.equal(weight, module.state_dict()[name]), name
    again = Steps()
    trainer = L.Trainer(**QUIET, logger=False, enable_checkpointing=False, max_epochs=1, callbacks=[again])
    trainer.fit(module, datamodule=data)  # the same data module trains once more
    assert sum(again.scribbles) > 0


def test_sessions_need_nothing_but_the_options_of_the_data_module(fit: Any, config: Config) -> None:
    config.scribbles.rounds = 3
    data = InteractiveDataModule.from_config(config)
    steps, _, _ = fit(data, max_epochs=6)
    assert len(steps.keys) == 24
    first = {
        tuple(map(tuple, keys)): count for keys, count in zip(steps.keys[::-1], steps.scribbles[::-1], strict=True)
    }
    assert set(first.values()) == {0}  # a batch begins with extreme points alone
    later = [count for count in steps.scribbles if count]
    assert later  # and comes back with scribbles on the module's own errors
    assert len(first) + len(later) == 24


@pytest.mark.parametrize("step", [7, 8])
def test_sessions_resume_under_a_plain_trainer(fit: Any, config: Config, tmp_path: Path, step: int) -> None:
    config.scribbles.rounds = 3
    whole, _, _ = fit(max_epochs=4)
    fit(max_epochs=4, callbacks=[StopAt(step, tmp_path / "stopped.ckpt")])
    rest, _, _ = fit(max_epochs=4, resume=tmp_path / "stopped.ckpt")
    assert (rest.keys, rest.scribbles) == (whole.keys[step:], whole.scribbles[step:])


def test_a_counterpart_may_be_a_path_and_is_asked_for(config: Config, fit: Any, tiny_checkpoint: Path) -> None:
    config.scribbles.max_scribbles = 2
    with pytest.raises(ConfigError, match=r"scribbles\.predictor=counterpart: name the non-interactive model"):
        InteractiveDataModule.from_config(config)
    steps, _, _ = fit(InteractiveDataModule.from_config(config, tiny_checkpoint), max_epochs=1)
    assert sum(steps.scribbles) > 0


def test_study_takes_plain_arguments(fit: Any, config: Config, tmp_path: Path) -> None:
    callback = Study(tmp_path / "study", rounds=1, strategies=["free"], every=2, resamplings=10, workers=1)
    _, trainer, module = fit(max_epochs=2, callbacks=[callback], num_sanity_val_steps=2)
    content = json.loads((tmp_path / "study" / "study.json").read_text())
    assert content["rules"] == 2  # what a reader tells earlier definitions by
    assert (content["checkpoint"], content["rounds"], content["images"]) == ("step 8", 1, 3)
    assert list(content["strategies"]) == ["free"]
    assert trainer.callback_metrics["val/free_auc"] == pytest.approx(content["strategies"]["free"]["auc"])
    assert (tmp_path / "study" / "figures" / "fig5.png").is_file()

    alone = Study(tmp_path / "alone", rounds=1, strategies=["free"], resamplings=10, workers=1)
    trainer = L.Trainer(**QUIET, logger=False, callbacks=[alone], default_root_dir=tmp_path)
    trainer.validate(module, datamodule=InteractiveDataModule.from_config(config), verbose=False)
    studied = json.loads((tmp_path / "alone" / "study.json").read_text())
    assert studied["strategies"]["free"]["iou"] == content["strategies"]["free"]["iou"]


@pytest.mark.parametrize(
    ("strategies", "message"),
    [
        (["fre"], "'fre': choose of per_region, free, .*did you mean 'free'"),
        (["single_region"], "'single_region' needs the network 'single_region'"),
        ([], "name at least one"),
    ],
)
def test_study_refuses_strategies_that_it_cannot_run(tmp_path: Path, strategies: list[str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        Study(tmp_path, strategies=strategies)


def test_test_and_predict_are_the_evaluation(config: Config, checkpoint: Path, tmp_path: Path) -> None:
    module = SegmenterModule.load_from_checkpoint(checkpoint)
    data = InteractiveDataModule.from_config(config)
    trainer = L.Trainer(**QUIET, logger=False, default_root_dir=tmp_path)
    [validated] = trainer.validate(module, datamodule=data, verbose=False)
    [tested] = trainer.test(module, datamodule=data, verbose=False)
    del validated["val/seconds_per_image"]
    same = {key.replace("test/", "val/"): value for key, value in tested.items() if "seconds" not in key}
    assert same == pytest.approx(validated, nan_ok=True)
    predictions = trainer.predict(module, datamodule=data)
    truths = [batch.region_maps for batch in data.val_dataloader()]
    assert [prediction.shape for prediction in predictions] == [truth.shape for truth in truths]
    right = [region_iou(p[0], t[0], int(t.max()) + 1) for p, t in zip(predictions, truths, strict=True)]
    assert float(torch.cat(right).nanmean()) == pytest.approx(validated["val/iou"], abs=1e-6)


def test_rates_are_logged_by_the_names_of_their_layers(fit: Any, tmp_path: Path) -> None:
    fit(max_epochs=1, logger=CSVLogger(tmp_path), log_every_n_steps=1, callbacks=[LearningRateMonitor("step")])
    [path] = tmp_path.rglob("metrics.csv")
    with path.open() as file:
        columns = next(csv.reader(file))
    assert {"lr-AdamW/head", "lr-AdamW/backbone"} <= set(columns)


RANKS = """
import sys
import lightning as L
from fullseg import InteractiveDataModule, SegmenterModule
from fullseg.config.load import load_config

class Keys(L.Callback):
    def on_train_batch_start(self, trainer, module, batch, batch_idx):
        with open(f"keys{trainer.global_rank}", "a") as file:
            print(trainer.current_epoch, *(int(key[1]) for key in batch.keys), file=file)

data = InteractiveDataModule.from_config(load_config(None, sys.argv[3:]))
trainer = L.Trainer(accelerator="cpu", devices=2, max_epochs=2, logger=False, enable_checkpointing=False,
                    enable_progress_bar=False, callbacks=[Keys()], default_root_dir=sys.argv[2])
trainer.fit(SegmenterModule.load_from_checkpoint(sys.argv[1]), datamodule=data)
if trainer.is_global_zero:
    print("steps", trainer.global_step, *trainer.lr_scheduler_configs[0].scheduler.base_lrs)
"""


def test_two_ranks_of_a_default_trainer_see_every_sample_once_an_epoch(
    checkpoint: Path, tiny_options: list[str], tiny_data: Path, tmp_path: Path
) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(probe.getsockname()[1])}
    (tmp_path / "ranks.py").write_text(RANKS)
    command = [sys.executable, "ranks.py", str(checkpoint), str(tmp_path), *tiny_options, f"data.root={tiny_data}"]
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    files = [(tmp_path / f"keys{rank}").read_text() for rank in (0, 1)]
    assert [len(file.splitlines()) for file in files] == [8, 8]
    lines = [map(int, line.split()) for file in files for line in file.splitlines()]
    seen = [(epoch, key) for epoch, *keys in lines for key in keys]
    assert sorted(seen) == [(epoch, key) for epoch in (0, 1) for key in range(8)]
    [(_, steps, *rates)] = (line.split() for line in done.stdout.splitlines() if line.startswith("steps"))
    assert int(steps) == 8  # of two images each, as on one rank
    assert [float(rate) for rate in rates] == pytest.approx([1e-3 * 0.5**0.5, 2e-4 * 0.5**0.5])
