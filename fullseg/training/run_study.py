"""The study of a trained model, from a configuration to ``study.json``."""

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.config import Config, StudyConfig, plain
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import RegionSegmenter
from fullseg.options import ConfigError
from fullseg.simulation.noise import Noise
from fullseg.study import Plan, Predict
from fullseg.training.counterpart import find_checkpoint
from fullseg.training.folder import Interrupted
from fullseg.training.module import SegmenterModule
from fullseg.training.study import Study, model_of
from fullseg.training.tracking import finish_wandb, wandb_logger
from fullseg.training.trainer import make_trainer, prepare_process


def study(config: Config) -> tuple[Path, dict[str, Any]]:
    """Study the checkpoint that the configuration names.

    Args:
        config: of ``load_config``.

    Returns:
        The folder and the content of ``study.json``.

    Raises:
        ConfigError: if a model is missing or does not fit the data.
        DataError: for bad data.
        Interrupted: after Ctrl-C; an earlier study.json stays.
    """
    prepare_process(config)
    path = find_checkpoint("checkpoint", config.checkpoint or config.experiment, config.runs)
    module = load_module(path)
    counterpart = find_counterpart(config, path, module)
    data = InteractiveDataModule(config.data, jitter=0, seed=config.seed)
    data.prepare_data()
    data.setup()
    _check_classes(path, module, data)
    folder = study_folder(path, config.study)
    asked = {"checkpoint": str(path), "counterpart": None if counterpart is None else str(counterpart)}
    head = {**asked, **study_head(config)}
    logger = wandb_logger(config.tracking, folder, {**plain(config), "study": head}, job="study")
    trainer = make_trainer(config, folder, [logger] if logger else [], [])
    strategies, models, checkpoints = _other_models(config, trainer)
    callback = Study(
        folder,
        head={**head, "checkpoints": checkpoints},
        plan=study_plan(config),
        strategies=strategies,
        models=models,
        counterpart=load_module(counterpart).segmenter if counterpart else None,
        every=1,
        workers=config.study.workers,
        hold_scribbles=config.study.hold_scribbles,
    )
    trainer.callbacks.append(callback)  # type: ignore[attr-defined]
    try:
        trainer.validate(module, datamodule=data, verbose=False)
    except SystemExit as stop:  # how Lightning ends after Ctrl-C
        raise Interrupted(
            "Stopped. What an earlier study wrote is as it was; the same command starts this one anew"
        ) from stop
    finally:
        finish_wandb()
    return folder, callback.result or {}


def load_module(path: Path) -> SegmenterModule:
    """Return the Lightning module of a checkpoint, without ImageNet weights having been asked for."""
    Predictor.from_checkpoint(path)  # names what is wrong with the file
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    options = checkpoint["hyper_parameters"]
    module = SegmenterModule({**options["model"], "pretrained": False}, options["config"], options["categories"])
    module.load_state_dict(checkpoint["state_dict"])
    return module


def find_counterpart(config: Config, checkpoint: Path, module: SegmenterModule) -> Path | None:
    """Return the model to ask in round 0: a file that is named, else the one that the checkpoint was trained with.

    Raises:
        ConfigError: if that is not there.
    """
    if config.counterpart == "none":
        return None
    if config.counterpart is not None and Path(config.counterpart).exists():
        return find_checkpoint("counterpart", config.counterpart, config.runs)
    trained_with = module.hparams["config"].get("counterpart")
    if trained_with is not None and Path(trained_with).is_file():
        return Path(trained_with)
    if config.counterpart is not None:
        return find_checkpoint("counterpart", config.counterpart, config.runs)
    if trained_with is not None:
        raise ConfigError(
            f"{checkpoint} was trained with counterpart={trained_with}, which is not there: name it, "
            "counterpart=CHECKPOINT, or leave round 0 to the model itself, counterpart=none"
        )
    return None


def _other_models(
    config: Config, trainer: L.Trainer
) -> tuple[list[str], dict[str, Callable[[NDArray[np.uint8]], Predict]], dict[str, str]]:
    """Return the strategies that there are models for, the single-region model, and its checkpoint."""
    strategies = list(dict.fromkeys(config.study.strategies))
    if "single_region" not in strategies:
        return strategies, {}, {}
    if config.study.single_region is None:
        sys.stderr.write("study.single_region names no model: that curve is left out\n")
        return [name for name in strategies if name != "single_region"], {}, {}
    path = find_checkpoint("study.single_region", config.study.single_region, config.runs)
    module = load_module(path)
    counterpart = find_counterpart(replace(config, counterpart=None), path, module)
    on_image = model_of(
        module.segmenter,
        load_module(counterpart).segmenter if counterpart else None,
        str(trainer.strategy.root_device),
        trainer.precision_plugin.forward_context,
        hold_scribbles=config.study.hold_scribbles,
    )
    return strategies, {"single_region": on_image}, {"single_region": str(path)}


def training_study(config: Config, folder: Path, strategies: list[str], counterpart: RegionSegmenter | None) -> Study:
    """Return the callback that studies a model at the end of every ``study.every``-th evaluation of its training."""
    return Study(
        folder,
        head=study_head(config),
        plan=study_plan(config),
        strategies=strategies,
        models={},
        counterpart=counterpart,
        every=config.study.every,
        workers=config.study.workers,
        hold_scribbles=config.study.hold_scribbles,
    )


def _check_classes(path: Path, module: SegmenterModule, data: InteractiveDataModule) -> None:
    mine = [category["name"] for category in module.hparams["categories"]]
    theirs = [category.name for category in data.categories]
    if len(mine) > 1 and mine != theirs:
        raise ConfigError(
            f"checkpoint={path}: trained on {len(mine)} classes, but the data set has {len(theirs)} others; "
            "study it on data of the same categories, or train with model.class_specific=false"
        )


def study_folder(checkpoint: Path, options: StudyConfig) -> Path:
    """Return where a study goes: the checkpoint's run folder, or ``studies/<what differs>/`` in it."""
    run = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    differences = [f"{key}={value:g}" for key, value in vars(options.noise).items() if value]
    differences += [] if options.hold_scribbles else ["hold_scribbles=false"]
    name = ",".join(differences)
    folder = run / "studies" / name if name else run
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def study_head(config: Config) -> dict[str, Any]:
    """Return what ``study.json`` says of the data and the plan."""
    return {
        "experiment": config.experiment,
        "dataset": config.data.format,
        "split": config.data.val_split,
        "seed": config.seed,
        "rounds": config.study.rounds,
        "noise": dict(vars(config.study.noise)),
        "hold_scribbles": config.study.hold_scribbles,
        "bootstrap": config.study.bootstrap,
    }


def study_plan(config: Config) -> Plan:
    """Return what the simulated annotator does."""
    return Plan(config.study.rounds, Noise(**vars(config.study.noise)), config.seed)
