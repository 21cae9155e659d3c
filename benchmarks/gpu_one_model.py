"""Trains models for some seconds each, and studies them: one of the processes of benchmarks/gpu_models.py.

python benchmarks/gpu_one_model.py --rows FILE --seconds SECONDS [--tiny] EXPERIMENT...
    All EXPERIMENTs share the SECONDS of training. A later one may name an earlier one as its counterpart. The learning
    rates fall with the time, not with the steps. So a run cannot be repeated exactly.
"""

import argparse
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from gpu_rows import Row, data_options, device, out_folder, part_parser, record, try_row
from lightning.pytorch.callbacks import Callback

from fullseg.config.load import load_config, plain
from fullseg.config.schema import Config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.runs.trainer import precision_of, prepare_process
from fullseg.training.averaging import AveragedWeights
from fullseg.training.counterpart import load_counterpart, start_from
from fullseg.training.model_options import model_arguments
from fullseg.training.module import SegmenterModule
from fullseg.training.run_study import study
from fullseg.training.schedule import warmup_then_cosine

WARM_UP = 0.1  # part of the time in which the learning rates rise
ROUNDS, SHOWN = 8, (0, 2, 4)  # of scribbles; scribbles per region at which the IoU is shown
GOALS = {"beyond/looks": "90 at 2, 93.5 at 4"}
OPTIONS = ["data.workers=1", "scribbles.workers=1", "study.workers=2", "study.strategies=[free]", "study.bootstrap=100"]
OPTIONS += [
    "data.val_fraction=1/2",
    "tracking.wandb=disabled",
    "tracking.artifacts=false",
    "trainer.progress_bar=false",
]
TINY = ["data.crop_size=64", "data.batch_size=2", "data.workers=0", "scribbles.workers=0", "data.val_fraction=1/1"]
TINY += ["model.feature_channels=8", "model.head_channels=8", "model.roi_size=9", "model.mask_size=9"]
TINY += ["model.pretrained=false", "trainer.threads=1"]


class FallsWithTime(Callback):
    """Lets the learning rates rise, then fall to 0 with the time: a training of known length, not of known steps."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.start = seconds, 0.0

    def on_train_start(self, *_: Any) -> None:  # noqa: ANN401
        """Begin to count."""
        self.start = time.monotonic()

    def on_train_batch_start(self, trainer: L.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Set the learning rates of this step."""
        moment, whole = 1000 * (time.monotonic() - self.start), 1000 * self.seconds
        factor = warmup_then_cosine(round(moment), warmup=round(WARM_UP * whole), total=whole)
        for group in trainer.optimizers[0].param_groups:
            group["lr"] = group["initial_lr"] * factor


def train(config: Config, seconds: float, checkpoint: Path) -> int:
    """Train an experiment for so many seconds, save it, and return its steps."""
    prepare_process(config)
    counterpart = load_counterpart(config)
    data = InteractiveDataModule.from_config(config, counterpart)
    data.prepare_data()
    data.setup()
    model = model_arguments(config, len(data.categories), background=data.has_background)
    module = SegmenterModule(model, plain(config), [category._asdict() for category in data.categories])
    if counterpart is not None and config.scribbles.start_from_counterpart:
        start_from(module, counterpart, str(config.counterpart))
    callbacks: list[Callback] = [FallsWithTime(seconds)]
    if config.trainer.ema:
        callbacks.append(AveragedWeights(config.trainer.ema))
    trainer = L.Trainer(
        accelerator="gpu" if device() == "cuda" else "cpu",
        devices=1,
        precision=precision_of(config.trainer.precision, on_gpu=device() == "cuda"),
        max_epochs=-1,
        max_time=timedelta(seconds=seconds),
        gradient_clip_val=config.optimizer.gradient_clip or None,
        limit_val_batches=0,
        callbacks=callbacks,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, datamodule=data)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trainer.save_checkpoint(checkpoint)
    return trainer.global_step


def run(arguments: argparse.Namespace, name: str, seconds: float, made: dict[str, Path]) -> None:
    """Train and study one experiment, and record its rows."""
    out, rounds = out_folder() / "models", 2 if arguments.tiny else ROUNDS
    options = [*OPTIONS, *data_options(tiny=arguments.tiny), *(TINY if arguments.tiny else [])]
    options += [f"study.rounds={rounds}", f"runs={out}"]
    config = load_config(f"experiments/{name}.yaml", options)
    if config.counterpart in made:
        config.counterpart = str(made[config.counterpart])
    checkpoint = out / f"{name}.ckpt"
    steps = train(config, seconds, checkpoint)
    made[name] = checkpoint
    images = steps * config.data.batch_size / seconds
    note = f"{seconds:.0f} s, {steps} steps of {config.data.batch_size} images, {images:.1f} images/s beside the others"
    record(arguments.rows, Row(f"{name}: trained", f"{steps} steps", note=note))
    config.checkpoint = str(checkpoint)
    _, content = study(config)
    curve = content["strategies"]["free"]
    x, y = curve["scribbles_per_region"], curve["iou"]
    iou = [f"{100 * np.interp(number, x, y):.1f}" if number <= x[-1] else "not reached" for number in SHOWN]
    note = f"{content['images']} images of {config.data.format}, free allocation, seed {config.seed}"
    title = f"{name}: mean IoU at {', '.join(map(str, SHOWN))} scribbles per region"
    record(arguments.rows, Row(title, f"{', '.join(iou)} %", GOALS.get(name, ""), note))


def main() -> None:
    """Train and study all experiments, one after another."""
    parser = part_parser(__doc__)
    parser.add_argument("experiments", nargs="+")
    arguments = parser.parse_args()
    made: dict[str, Path] = {}
    for name in arguments.experiments:
        share = arguments.seconds / len(arguments.experiments)
        try_row(arguments.rows, name, partial(run, arguments, name, share, made))


if __name__ == "__main__":
    main()
