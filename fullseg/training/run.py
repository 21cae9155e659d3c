"""Runs one training, from a configuration to its scores."""

import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, EarlyStopping, LearningRateMonitor, ModelCheckpoint
from lightning.pytorch.loggers import Logger
from torch import Tensor

from fullseg.config.load import plain
from fullseg.config.schema import Config, epochs_between_evaluations
from fullseg.config.strategies import INTERACTIVE, STRATEGIES
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.steps import share_of_batch
from fullseg.data.workers import naming_lost_workers
from fullseg.errors import ConfigError
from fullseg.model.factory import without_initial_weights
from fullseg.model.segmenter import Segmenter
from fullseg.runs.checkpoints import check_model, checkpoint_to_resume, load_checkpoint
from fullseg.runs.folder import Metrics, Result, open_folder, read_before, write_summary
from fullseg.runs.provenance import NamesProvenance, provenance, write_provenance
from fullseg.runs.ranks import end_other_ranks
from fullseg.runs.stopping import StopAfterStep, interrupted
from fullseg.runs.trainer import make_trainer, prepare_process
from fullseg.tracking.artifacts import log_checkpoint, log_used_artifacts
from fullseg.tracking.metrics_file import MetricsFile
from fullseg.tracking.wandb_run import add_to_config, finish_wandb, wandb_logger
from fullseg.training.averaging import AveragedWeights
from fullseg.training.callbacks import Pictures, Throughput
from fullseg.training.counterpart import load_counterpart, start_from
from fullseg.training.diverging import StopWhenDiverged
from fullseg.training.model_options import model_arguments
from fullseg.training.module import SegmenterModule
from fullseg.training.run_study import training_study
from fullseg.training.step_cost import checkpoint_activations, compile_backbone
from fullseg.training.step_parts import StepParts


def train(config: Config) -> Result:
    """Train one experiment.

    Args:
        config: the complete configuration.

    Returns:
        The run's folder and its metrics before and after training.

    Raises:
        ConfigError: if an option is wrong, or there is no good checkpoint to resume from.
        CheckpointError: if a checkpoint cannot be written. The earlier one is still there.
        DataError: for bad data.
        WeightsError: if pretrained weights cannot be had.
        Interrupted: after Ctrl-C or SIGTERM, when a checkpoint has been written.
    """
    prepare_process(config)
    checkpoint = checkpoint_to_resume(config)
    counterpart = load_counterpart(config)
    data = InteractiveDataModule.from_config(config, counterpart)
    data.prepare_data()
    data.setup()
    module = _module(config, data, counterpart, resumes=checkpoint is not None)
    if checkpoint:
        check_model(checkpoint, module.hparams["model"])
    folder = open_folder(config, checkpoint)
    step = load_checkpoint(checkpoint)["global_step"] if checkpoint else None
    stopper, named = StopAfterStep(folder / "checkpoints" / "last.ckpt"), NamesProvenance()
    trainer: L.Trainer | None = None
    try:
        loggers = _loggers(config, folder, data, step)
        callbacks = [named, *_callbacks(config, folder, counterpart, stopper)]
        trainer = make_trainer(config, callbacks, loggers, trains=True)
        share_of_batch(config.data.batch_size, trainer.world_size)  # an error of the user, before anything is computed
        named.facts = provenance(trainer, data, counterpart)
        if trainer.is_global_zero:
            write_provenance(folder, config, named.facts, step)
            add_to_config(loggers, {"provenance": named.facts})
        used = {"counterpart": Path(str(config.counterpart))} if counterpart is not None else {}
        return _train_in(folder, config, trainer, module, data, used, checkpoint)
    except SystemExit as stop:  # Lightning raises it after Ctrl-C
        finish_wandb()
        raise interrupted(folder, stopper.asked) from stop
    except BaseException:
        if trainer is not None:
            end_other_ranks(trainer)
        raise
    finally:
        finish_wandb()


def _train_in(
    folder: Path,
    config: Config,
    trainer: L.Trainer,
    module: SegmenterModule,
    data: InteractiveDataModule,
    used: dict[str, Path],
    checkpoint: Path | None,
) -> Result:
    before = read_before(folder) if checkpoint else None
    if before is None:
        before = _evaluate(trainer, module, data)
        if trainer.is_global_zero:
            write_summary(folder, before)
    log_used_artifacts(trainer, config.data.format, data.fingerprint(), used)
    if config.trainer.compile:
        compile_backbone(module.segmenter, backend="inductor")
    if config.trainer.checkpoint_activations:
        checkpoint_activations(module.segmenter)
    start = time.perf_counter()
    if config.trainer.epochs or checkpoint:
        with naming_lost_workers():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    else:
        for name in ("best", "last"):
            trainer.save_checkpoint(folder / "checkpoints" / f"{name}.ckpt")
    after = _metrics(trainer.callback_metrics)
    if "iou" not in after:  # the resumed run had finished already
        after = _evaluate(trainer, module, data)
    result = Result(folder, before, after, time.perf_counter() - start, _step_parts(trainer))
    if trainer.is_global_zero:
        write_summary(*result)
    for name in ("last", "best"):  # W&B's own alias "latest" is then the best one
        log_checkpoint(trainer, folder / "checkpoints" / f"{name}.ckpt", name)
    return result


def _module(
    config: Config, data: InteractiveDataModule, counterpart: Segmenter | None, *, resumes: bool
) -> SegmenterModule:
    start = counterpart if config.scribbles.start_from_counterpart else None
    model = model_arguments(config, len(data.categories), background=data.has_background)
    if start is not None:
        model = without_initial_weights(model)
    try:
        categories = [category._asdict() for category in data.categories]
        module = SegmenterModule(model, plain(config), categories, initial_weights=not resumes)
    except ValueError as error:
        raise ConfigError(str(error)) from error
    if start is not None:
        start_from(module, start, str(config.counterpart))
    return module


def _callbacks(config: Config, folder: Path, counterpart: Segmenter | None, stopper: StopAfterStep) -> list[Callback]:
    checkpoints = folder / "checkpoints"
    strategies = [name for name in config.study.strategies if STRATEGIES[name].model == INTERACTIVE]
    studied = config.study.every > 0 and len(strategies) > 0
    score = f"val/{strategies[-1]}_auc" if studied else "val/iou"
    best = ModelCheckpoint(
        dirpath=checkpoints,
        filename="best",
        monitor=score,
        mode="max",
        every_n_epochs=epochs_between_evaluations(config.trainer) * max(1, config.study.every),
        enable_version_counter=False,
    )
    callbacks: list[Callback] = [
        StopWhenDiverged(),  # before all that save or evaluate weights
        LearningRateMonitor(logging_interval="step"),
        Throughput(),
        Pictures(folder, config.tracking.pictures),
    ]
    if config.tracking.step_parts:
        callbacks.append(StepParts())
    if studied:
        round_0 = None if config.scribbles.rounds else counterpart
        callbacks.append(training_study(config, folder, strategies, round_0))
    if config.trainer.patience:
        callbacks.append(EarlyStopping(score, mode="max", patience=config.trainer.patience))
    if config.trainer.ema:
        callbacks.append(AveragedWeights(config.trainer.ema))  # after all that use the model in an evaluation
    every, minutes = config.trainer.checkpoint_every, config.trainer.checkpoint_minutes
    last: list[dict[str, Any]] = [{"save_on_train_epoch_end": True}]
    if every:
        last.append({"every_n_train_steps": every})
    if minutes:
        last.append({"train_time_interval": timedelta(minutes=minutes)})
    return [
        *callbacks,
        stopper,
        best,
        *(ModelCheckpoint(checkpoints, "last", enable_version_counter=False, **when) for when in last),
    ]


def _loggers(config: Config, folder: Path, data: InteractiveDataModule, step: int | None) -> list[Logger]:
    metrics = MetricsFile(folder / "metrics.csv")
    if config.trainer.fast_dev_run:  # Lightning logs nothing then, but its callbacks want a logger
        return [metrics]
    if step is not None:
        metrics.forget_after(step)
    options = {**plain(config), "data_fingerprint": data.fingerprint()}
    wandb = wandb_logger(config.tracking, folder, options, job="train")
    return [metrics, *([wandb] if wandb else [])]


def _evaluate(trainer: L.Trainer, module: SegmenterModule, data: InteractiveDataModule) -> Metrics:
    trainer.validate(module, datamodule=data, verbose=False)
    return _metrics(trainer.callback_metrics)


def _step_parts(trainer: L.Trainer) -> Metrics:
    parts = [callback for callback in trainer.callbacks if isinstance(callback, StepParts)]  # type: ignore[attr-defined]
    return parts[0].seconds_per_step() if parts else {}


def _metrics(logged: Mapping[str, Tensor]) -> Metrics:
    return {key.removeprefix("val/"): float(value) for key, value in logged.items() if key.startswith("val/")}
