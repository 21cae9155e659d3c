"""One training run, from a configuration to its numbers."""

import ctypes
import logging
import os
import sys
import time
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger
from torch import Tensor

from fullseg.config import Config, plain
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.model.segmenter import RegionSegmenter
from fullseg.options import ConfigError
from fullseg.training.callbacks import Pictures, StopAfterStep, Throughput
from fullseg.training.counterpart import load_counterpart, make_scribbler, start_from
from fullseg.training.folder import (
    RUN_VARIABLE,
    Interrupted,
    Metrics,
    Result,
    checkpoint_to_resume,
    open_folder,
    read_before,
    write_provenance,
    write_summary,
)
from fullseg.training.module import SegmenterModule
from fullseg.training.tracking import MetricsFile, finish_wandb, wandb_logger

ADVICE = (
    "The '.*_dataloader' does not have many",
    ".*srun",
    ".*LeafSpec",
    "You're resuming from a checkpoint that ended before",  # the sampler goes on where it stopped
    "Checkpoint directory .* exists",
    "Found .* module.* in eval mode",  # BatchNorm, on purpose
    "The number of training batches .* is smaller than the logging interval",
)


def train(config: Config) -> Result:
    """Train one experiment.

    Args:
        config: of ``load_config``.

    Returns:
        The run's folder and its metrics before and after training.

    Raises:
        ConfigError: if there is nothing to resume.
        DataError: for bad data.
        WeightsError: if ImageNet weights can't be had.
        Interrupted: after Ctrl-C, when the checkpoint to resume from is written.
    """
    prepare_process(config)
    checkpoint = checkpoint_to_resume(config)
    data = InteractiveDataModule(config.data, jitter=config.extreme_points.jitter, seed=config.seed)
    data.prepare_data()
    data.setup()
    counterpart = load_counterpart(config)
    module = _module(config, data, counterpart)
    folder = open_folder(config, checkpoint)
    os.environ[RUN_VARIABLE] = str(folder.resolve())
    try:
        return _train_in(folder, config, module, data, counterpart, checkpoint)
    except SystemExit as stop:  # how Lightning ends after Ctrl-C
        raise Interrupted(folder) from stop
    finally:
        finish_wandb()
        del os.environ[RUN_VARIABLE]


def _train_in(
    folder: Path,
    config: Config,
    module: SegmenterModule,
    data: InteractiveDataModule,
    counterpart: RegionSegmenter | None,
    checkpoint: Path | None,
) -> Result:
    trainer = _trainer(config, folder, data, checkpoint)
    if trainer.is_global_zero:
        write_provenance(folder, config, data.fingerprint())
    before = read_before(folder) if checkpoint else None
    if before is None:
        before = _evaluate(trainer, module, data)
        if trainer.is_global_zero:
            write_summary(folder, before)
    module.total_steps = config.trainer.epochs * data.steps_per_epoch(trainer.world_size)
    if config.scribbles.max_scribbles:
        data.scribbler = make_scribbler(config, module, counterpart, trainer)
    start = time.perf_counter()
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    after = _metrics(trainer.callback_metrics)
    if "iou" not in after:  # the resumed run was finished already
        after = _evaluate(trainer, module, data)
    result = Result(folder, before, after, time.perf_counter() - start)
    if trainer.is_global_zero:
        write_summary(*result)
    return result


def _module(config: Config, data: InteractiveDataModule, counterpart: RegionSegmenter | None) -> SegmenterModule:
    start = counterpart if config.scribbles.start_from_counterpart else None
    model = plain(config)["model"]
    model["num_classes"] = len(data.categories) if model.pop("class_specific") else 1
    model["pretrained"] &= start is None
    try:
        module = SegmenterModule(model, plain(config), [category._asdict() for category in data.categories])
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if start is not None:
        start_from(module, start, str(config.counterpart))
    return module


def _trainer(config: Config, folder: Path, data: InteractiveDataModule, checkpoint: Path | None) -> L.Trainer:
    options = config.trainer
    on_gpu = options.accelerator == "gpu" or (options.accelerator == "auto" and torch.cuda.is_available())
    return L.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=options.devices or ("auto" if on_gpu else 1),
        num_nodes=options.num_nodes,
        precision=_precision(options.precision, on_gpu=on_gpu),
        max_epochs=options.epochs,
        check_val_every_n_epoch=options.validate_every,
        num_sanity_val_steps=0,
        inference_mode=False,  # the metrics that are updated before training are updated again in it
        gradient_clip_val=config.optimizer.gradient_clip or None,
        use_distributed_sampler=False,  # the data module's samplers see every evaluation image exactly once
        logger=_loggers(config, folder, data, checkpoint),
        callbacks=_callbacks(config, folder),
        enable_progress_bar=options.progress_bar,
        enable_model_summary=False,
        log_every_n_steps=10,
        default_root_dir=folder,
    )


def _callbacks(config: Config, folder: Path) -> list[Callback]:
    checkpoints = folder / "checkpoints"
    callbacks: list[Callback] = [
        ModelCheckpoint(
            dirpath=checkpoints, filename="best", monitor="val/iou", mode="max", enable_version_counter=False
        ),
        ModelCheckpoint(
            dirpath=checkpoints, filename="last", save_on_train_epoch_end=True, enable_version_counter=False
        ),
        LearningRateMonitor(logging_interval="step"),
        Throughput(),
        Pictures(folder, config.tracking.pictures),
        StopAfterStep(checkpoints / "last.ckpt"),
    ]
    if config.trainer.progress_bar:
        callbacks.append(TQDMProgressBar(refresh_rate=1 if sys.stderr.isatty() else 20))
    return callbacks


def _loggers(config: Config, folder: Path, data: InteractiveDataModule, checkpoint: Path | None) -> list[Logger]:
    metrics = MetricsFile(folder / "metrics.csv")
    if checkpoint:
        metrics.forget_after(torch.load(checkpoint, weights_only=True, map_location="cpu")["global_step"])
    wandb = wandb_logger(config.tracking, folder, {**plain(config), "data_fingerprint": data.fingerprint()})
    return [metrics, *([wandb] if wandb else [])]


def _precision(wanted: str, *, on_gpu: bool) -> Literal["32-true", "bf16-mixed"]:
    if wanted == "32-true":
        return "32-true"
    cpuinfo = Path("/proc/cpuinfo")
    has_matrix_units = cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text()
    return "bf16-mixed" if wanted == "bf16-mixed" or on_gpu or has_matrix_units else "32-true"


def _evaluate(trainer: L.Trainer, module: SegmenterModule, data: InteractiveDataModule) -> Metrics:
    trainer.validate(module, datamodule=data, verbose=False)
    return _metrics(trainer.callback_metrics)


def _metrics(logged: Mapping[str, Tensor]) -> Metrics:
    return {key.removeprefix("val/"): float(value) for key, value in logged.items() if key.startswith("val/")}


def prepare_process(config: Config) -> None:
    """Seed, threads, memory; and silence advice of libraries that does not concern the user."""
    L.seed_everything(config.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    if not torch.cuda.is_available():
        _keep_memory()
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for advice in ADVICE:
        warnings.filterwarnings("ignore", message=advice)


def _keep_memory() -> None:
    """Let glibc keep freed memory: a step frees and asks for gigabytes, and fresh pages cost a quarter of its time."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_max = -1, -4  # names of mallopt's parameters in <malloc.h>
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
