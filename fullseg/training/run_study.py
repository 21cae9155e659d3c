"""The study of a trained model, from a configuration to ``study.json``."""

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import numpy as np
from numpy.typing import NDArray

from fullseg.config.load import plain
from fullseg.config.schema import Config
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
from fullseg.study.models import model_of
from fullseg.study.plan import Plan, Predict
from fullseg.tracking.artifacts import log_made_artifact, log_used_artifacts, study_artifact
from fullseg.tracking.wandb_run import finish_wandb, wandb_logger
from fullseg.training.counterpart import find_counterpart, load_module
from fullseg.training.module import SegmenterModule
from fullseg.training.study_callback import Study

# What a study may do otherwise than the model's own configuration says; then it has a folder of its own.
PLAN = (
    ("", "seed"),
    ("study", "rounds"),
    ("study", "bootstrap"),
    ("data", "format"),
    ("data", "val_split"),
    ("data", "val_annotators"),
    ("data", "val_fraction"),
    ("data", "min_region_area"),
)


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
    module, step = load_module(path)
    counterpart = find_counterpart(config.counterpart, config.runs, path, module)
    data = _evaluation_data(config)
    _check_classes(path, module, data)
    single_region = _single_region_checkpoint(config)
    fingerprint = str(data.fingerprint()["val_hash"])
    asked = {"checkpoint": str(path), "step": step, "counterpart": str(counterpart) if counterpart else None}
    header = {**asked, **study_header(config), "data": fingerprint}
    folder = study_folder(path, config, module.hparams["config"], fingerprint)
    trainer = make_trainer(config)
    strategies, models = _strategies(config, single_region, trainer)
    callback = Study(
        folder,
        header=header,
        plan=study_plan(config),
        strategies=strategies,
        models=models,
        checkpoints={"single_region": str(single_region)} if single_region else {},
        counterpart=Predictor.from_checkpoint(counterpart).segmenter if counterpart else None,
        in_training=False,
        every=1,
        resamplings=config.study.bootstrap,
        workers=config.study.workers,
        hold_scribbles=config.study.hold_scribbles,
    )
    trainer.callbacks.append(callback)  # type: ignore[attr-defined]
    options = {**plain(config), "study": header, "provenance": provenance(trainer, data, callback.counterpart)}
    logger = wandb_logger(config.tracking, folder, options, job="study")
    trainer.loggers = [logger] if logger else []
    used = {"checkpoint": path, "counterpart": counterpart, "single_region": single_region}
    try:
        log_used_artifacts(
            trainer, config.data.format, data.fingerprint(), {role: file for role, file in used.items() if file}
        )
        content = _annotate(trainer, module, data, callback)
        if content:
            log_made_artifact(trainer, functools.partial(study_artifact, folder=folder, content=content))
    finally:
        finish_wandb()
    return folder, content


def _evaluation_data(config: Config) -> InteractiveDataModule:
    data = InteractiveDataModule(config.data, jitter=0, seed=config.seed)
    data.prepare_data()
    data.setup("validate")
    return data


def _annotate(
    trainer: L.Trainer, module: SegmenterModule, data: InteractiveDataModule, callback: Study
) -> dict[str, Any]:
    """Study; return the content of ``study.json`` on rank 0."""
    try:
        trainer.validate(module, datamodule=data, verbose=False)
    except SystemExit as stop:  # how Lightning ends after Ctrl-C
        raise Interrupted(
            "Stopped. What an earlier study wrote is as it was; the same command starts this one anew"
        ) from stop
    except BaseException:
        end_other_ranks(trainer)
        raise
    return callback.result or {}


def _single_region_checkpoint(config: Config) -> Path | None:
    """Return the model of the strategy ``single_region``, None if there is no such strategy or no such model."""
    if "single_region" not in config.study.strategies:
        return None
    if config.study.single_region is not None:
        return find_checkpoint("study.single_region", config.study.single_region, config.runs)
    if set(config.study.strategies) == {"single_region"}:
        raise ConfigError("study.strategies=[single_region]: name its model, study.single_region=EXPERIMENT")
    sys.stderr.write("study.single_region names no model: that curve is left out\n")
    return None


def _strategies(
    config: Config, single_region: Path | None, trainer: L.Trainer
) -> tuple[list[str], dict[str, Callable[[NDArray[np.uint8]], Predict]]]:
    """Return the strategies that there are models for, and the single-region model."""
    strategies = list(dict.fromkeys(config.study.strategies))
    if single_region is None:
        return [name for name in strategies if name != "single_region"], {}
    module, _ = load_module(single_region)
    counterpart = find_counterpart(None, config.runs, single_region, module)
    on_image = model_of(
        module.segmenter,
        Predictor.from_checkpoint(counterpart).segmenter if counterpart else None,
        str(trainer.strategy.root_device),
        trainer.precision_plugin.forward_context,
        hold_scribbles=config.study.hold_scribbles,
    )
    return strategies, {"single_region": on_image}


def training_study(config: Config, folder: Path, strategies: list[str], counterpart: Segmenter | None) -> Study:
    """Return the callback that studies a model at the end of every ``study.every``-th evaluation of its training."""
    return Study(
        folder,
        header=study_header(config),
        plan=study_plan(config),
        strategies=strategies,
        models={},
        checkpoints={},
        counterpart=counterpart,
        in_training=True,
        every=config.study.every,
        resamplings=config.study.bootstrap,
        workers=config.study.workers,
        hold_scribbles=config.study.hold_scribbles,
    )


def _check_classes(path: Path, module: SegmenterModule, data: InteractiveDataModule) -> None:
    mine = [category["name"] for category in module.hparams["categories"]]
    theirs = [category.name for category in data.categories]
    if module.segmenter.knows_classes and mine != theirs:
        raise ConfigError(
            f"checkpoint={path}: trained on {len(mine)} classes, but the data set has {len(theirs)} others; "
            "study it on data of the same categories, or train with model.class_maps=one"
        )


def study_folder(checkpoint: Path, config: Config, trained: dict[str, Any], data: str) -> Path:
    """Return where a study goes: the checkpoint's run folder, or ``studies/<what differs>/`` in it.

    So no study replaces another's results, but one of the same model on the same data to the same plan.

    Args:
        checkpoint: what is studied.
        config: of the study.
        trained: configuration of the model's training, as plain values.
        data: fingerprint of the evaluation set; a set that is another one in all but its options differs, too.
    """
    run = checkpoint.parent.parent if checkpoint.parent.name == "checkpoints" else checkpoint.parent
    asked = plain(config)
    differences = [f"{key}={value:g}" for key, value in asked["study"]["noise"].items() if value]
    differences += ["hold_scribbles=false"] * (not config.study.hold_scribbles)
    differences += ["counterpart=none"] * (config.counterpart == "none" and trained["counterpart"] is not None)
    for group, key in PLAN:
        mine, theirs = (options[group][key] if group else options[key] for options in (asked, trained))
        differences += [f"{key}={mine}"] * (mine != theirs)
    name = ",".join(differences).replace("/", "-")
    folder = run / "studies" / name if name else run
    earlier = folder / "study.json"
    if earlier.is_file() and json.loads(earlier.read_text()).get("data", data) != data:
        folder = run / "studies" / ",".join(filter(None, (name, f"data={data[:8]}")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def study_header(config: Config) -> dict[str, Any]:
    """Return what ``study.json`` says of the experiment, the data and the plan."""
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
