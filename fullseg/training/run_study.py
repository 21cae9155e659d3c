"""Runs the study of a trained model, from a configuration to ``study.json``."""

import functools
import sys
from pathlib import Path
from typing import Any

import lightning as L

from fullseg.config.load import plain
from fullseg.config.schema import Config
from fullseg.config.strategies import SINGLE_REGION, SINGLE_REGION_CANVAS, STRATEGIES
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.runs.find import find_checkpoint
from fullseg.runs.provenance import provenance
from fullseg.runs.ranks import end_other_ranks
from fullseg.runs.stopping import Interrupted
from fullseg.runs.trainer import make_trainer, prepare_process
from fullseg.simulation.noise import Noise
from fullseg.simulation.seconds import Seconds
from fullseg.tracking.artifacts import log_made_artifact, log_used_artifacts, study_artifact
from fullseg.tracking.wandb_run import add_to_config, finish_wandb, wandb_logger
from fullseg.training.counterpart import find_counterpart, load_module, spread_as
from fullseg.training.module import SegmenterModule
from fullseg.training.study_callback import Study
from fullseg.training.study_folder import study_folder, study_header

SINGLE_REGION_MODELS = (SINGLE_REGION, SINGLE_REGION_CANVAS)


def study(config: Config) -> tuple[Path, dict[str, Any]]:
    """Study the checkpoint that the configuration names.

    Args:
        config: the complete configuration.

    Returns:
        The folder and the content of ``study.json``.

    Raises:
        ConfigError: if a model is missing or does not fit the data.
        DataError: if the data is missing or bad.
        Interrupted: after Ctrl-C. An earlier study.json stays as it was.
    """
    prepare_process(config)
    path = find_checkpoint("checkpoint", config.checkpoint or config.experiment, config.runs)
    module, step = load_module(path)
    counterpart = find_counterpart(config.counterpart, config.runs, path, module)
    spread_as(module.segmenter, path, config)
    data = _evaluation_data(config)
    _check_classes(path, module, data)
    single_region = _single_region_checkpoint(config, path)
    fingerprint = str(data.fingerprint()["val_hash"])
    models = {"checkpoint": str(path), "step": step, "counterpart": str(counterpart) if counterpart else None}
    header = {**models, **study_header(config), "data": fingerprint}
    folder = study_folder(path, config, module.hparams["config"], fingerprint)
    callback = _study_callback(config, folder, header, counterpart, single_region)
    used = {"checkpoint": path, "counterpart": counterpart, "single_region": single_region}
    try:
        logger = wandb_logger(config.tracking, folder, {**plain(config), "study": header}, job="study")
        loggers = [logger] if logger else []
        trainer = make_trainer(config, [callback], loggers)
        if trainer.is_global_zero:
            add_to_config(loggers, {"provenance": provenance(trainer, data, callback.counterpart)})
        log_used_artifacts(
            trainer, config.data.format, data.fingerprint(), {role: file for role, file in used.items() if file}
        )
        content = _annotate(trainer, module, data, callback)
        if content:
            log_made_artifact(trainer, functools.partial(study_artifact, folder=folder, content=content))
    finally:
        finish_wandb()
    return folder, content


def _study_callback(
    config: Config, folder: Path, header: dict[str, Any], counterpart: Path | None, single_region: Path | None
) -> Study:
    strategies = list(dict.fromkeys(config.study.strategies))
    if single_region is None:
        strategies = [name for name in strategies if STRATEGIES[name].model not in SINGLE_REGION_MODELS]
    return Study(
        folder,
        **_plan(config),
        strategies=strategies,
        counterpart=_counterpart(config, counterpart),
        networks=dict.fromkeys(SINGLE_REGION_MODELS, _single_region_networks(config, single_region))
        if single_region
        else {},
        about=header,
        checkpoints={name: str(single_region) for name in strategies if STRATEGIES[name].model in SINGLE_REGION_MODELS},
    )


def _plan(config: Config) -> dict[str, Any]:
    """Return the arguments of ``Study`` that the options say."""
    options = config.study
    return {
        "rounds": options.rounds,
        "noise": Noise(**vars(options.noise)),
        "seconds": Seconds(**vars(options.seconds)),
        "seed": config.seed,
        "resamplings": options.bootstrap,
        "workers": options.workers,
        "hold_scribbles": options.hold_scribbles,
    }


def _counterpart(config: Config, checkpoint: Path | None) -> Segmenter | None:
    if checkpoint is None:
        return None
    segmenter = Predictor.from_checkpoint(checkpoint).segmenter
    spread_as(segmenter, checkpoint, config)
    return segmenter


def _evaluation_data(config: Config) -> InteractiveDataModule:
    data = InteractiveDataModule(config.data, seed=config.seed)
    data.prepare_data()
    data.setup("validate")
    return data


def _annotate(
    trainer: L.Trainer, module: SegmenterModule, data: InteractiveDataModule, callback: Study
) -> dict[str, Any]:
    """Annotate all images. Return the content of ``study.json`` on rank 0, nothing on other ranks."""
    try:
        trainer.validate(module, datamodule=data, verbose=False)
    except SystemExit as stop:  # how Lightning ends after Ctrl-C
        raise Interrupted(
            "Stopped. The files of an earlier study have not changed. The same command starts this study again"
        ) from stop
    except BaseException:
        end_other_ranks(trainer)
        raise
    return callback.result or {}


def _single_region_checkpoint(config: Config, studied: Path) -> Path | None:
    """Return the checkpoint of the strategies with the single-region model; None if they or the model are not named.

    An experiment that names itself means the studied checkpoint, which need not be its newest run.

    Raises:
        ConfigError: if the model is missing, or if it is not named and there is no other strategy.
    """
    names = [name for name in config.study.strategies if STRATEGIES[name].model in SINGLE_REGION_MODELS]
    if not names:
        return None
    if config.study.single_region == config.experiment:
        return studied
    if config.study.single_region is not None:
        return find_checkpoint("study.single_region", config.study.single_region, config.runs)
    if set(names) == set(config.study.strategies):
        raise ConfigError(f"study.strategies=[{','.join(names)}]: name its model, study.single_region=EXPERIMENT")
    sys.stderr.write(f"study.single_region names no model: the curve {' and '.join(names)} is left out\n")
    return None


def _single_region_networks(config: Config, checkpoint: Path) -> tuple[Segmenter, Segmenter | None]:
    """Return the single-region model and its counterpart, if it has one.

    Raises:
        ConfigError: if its masks mean nothing by themselves, and are asked for.
    """
    module, _ = load_module(checkpoint)
    alone = any(STRATEGIES[name].model == SINGLE_REGION for name in config.study.strategies)
    if alone and module.hparams["config"]["loss"] == "pixelwise" and not module.segmenter.background:
        raise ConfigError(
            f"study.single_region={config.study.single_region}: {checkpoint} was trained with loss=pixelwise, so its "
            "masks mean nothing by themselves; name a model with loss=maskwise, or let its masks compete, "
            "study.strategies=[single_region_canvas]"
        )
    counterpart = find_counterpart(None, config.runs, checkpoint, module)
    return module.segmenter, Predictor.from_checkpoint(counterpart).segmenter if counterpart else None


def training_study(config: Config, folder: Path, strategies: list[str], counterpart: Segmenter | None) -> Study:
    """Return the callback that studies the model in training at every ``study.every``-th evaluation.

    Args:
        config: configuration of the training.
        folder: the run folder.
        strategies: names of strategies whose model is the one in training.
        counterpart: model that predicts in round 0, or None.
    """
    return Study(
        folder,
        **_plan(config),
        strategies=strategies,
        every=config.study.every,
        after_training_starts=True,
        counterpart=counterpart,
    )


def _check_classes(path: Path, module: SegmenterModule, data: InteractiveDataModule) -> None:
    mine = [category["name"] for category in module.hparams["categories"]]
    theirs = [category.name for category in data.categories]
    if module.segmenter.knows_classes and mine != theirs:
        raise ConfigError(
            f"checkpoint={path}: trained on {len(mine)} classes, but the data set has {len(theirs)} other classes; "
            "study it on data of the same categories, or train with model.class_maps=one"
        )
