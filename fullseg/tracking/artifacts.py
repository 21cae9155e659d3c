"""Checkpoints, studies and data sets as W&B artifacts: study -> checkpoint -> counterpart -> data.

Each artifact points to those that it was made from. Offline, W&B does not record which artifacts a run uses, so the
configuration of every run also names them, as ``lineage``.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import wandb
from lightning.pytorch.loggers import WandbLogger

from fullseg.runs.checkpoints import load_checkpoint
from fullseg.tracking.wandb_run import NO_NAME

TABLES = ("per_image", "per_scribble")  # in study.json; studies by versions before 0.2.0 have the first one alone
Fingerprint = Mapping[str, str | int]


def data_artifact(dataset: str, fingerprint: Fingerprint) -> wandb.Artifact:
    """Return a data set as an artifact. It holds only the fingerprint, so all runs on the same data have the same one.

    Args:
        dataset: format of the data, ``data.format``.
        fingerprint: number of samples and hash of each split, from the data module.
    """
    artifact = wandb.Artifact(f"data-{dataset}", type="dataset", metadata=dict(fingerprint))
    with artifact.new_file("fingerprint.json") as file:
        json.dump(dict(fingerprint), file, indent=1, sort_keys=True)
    return artifact


def checkpoint_artifact(path: Path) -> wandb.Artifact:
    """Return a checkpoint as an artifact. The run that makes it and the runs that use it get the same one."""
    checkpoint = load_checkpoint(path)
    config = checkpoint["hyper_parameters"]["config"]
    name = f"{config['experiment']}-{path.resolve().parent.parent.name}".translate(NO_NAME)
    artifact = wandb.Artifact(name, type="model", metadata={"step": checkpoint["global_step"], "config": config})
    artifact.add_file(str(path), policy="immutable")  # W&B reads it in place instead of copying it first
    return artifact


def study_artifact(name: str, folder: Path, content: Mapping[str, Any]) -> wandb.Artifact:
    """Return a study's numbers as an artifact.

    Args:
        name: name of the W&B run.
        folder: folder of the study.
        content: content of ``study.json``.
    """
    artifact = wandb.Artifact(name.translate(NO_NAME), type="study")
    tables = [strategy[key] for strategy in content["strategies"].values() for key in TABLES if key in strategy]
    for file in ("study.json", *tables):
        artifact.add_file(str(folder / file))
    return artifact


def log_used_artifacts(trainer: L.Trainer, dataset: str, fingerprint: Fingerprint, models: Mapping[str, Path]) -> None:
    """Record in W&B which artifacts a run uses. Without a W&B run this does nothing.

    Args:
        trainer: its loggers hold the W&B run.
        dataset: format of the data, ``data.format``.
        fingerprint: number of samples and hash of each split, from the data module.
        models: checkpoints that the run uses, by role: ``checkpoint``, ``counterpart``, ``single_region``.
    """
    for run in _runs(trainer):
        artifacts = {role: checkpoint_artifact(path) for role, path in models.items()}
        artifacts["data"] = data_artifact(dataset, fingerprint)
        lineage = {role: f"{artifact.name}@{artifact.digest}" for role, artifact in artifacts.items()}
        run.config.update({"lineage": lineage}, allow_val_change=True)
        if not run.offline:
            for artifact in artifacts.values():
                run.use_artifact(artifact)


def log_checkpoint(trainer: L.Trainer, path: Path, alias: str) -> None:
    """Record in W&B a checkpoint that a run has made. W&B then also finds it by this alias, ``best`` or ``last``."""
    log_made_artifact(trainer, lambda _: checkpoint_artifact(path), [alias])


def log_made_artifact(
    trainer: L.Trainer, artifact: Callable[[str], wandb.Artifact], aliases: Sequence[str] = ()
) -> None:
    """Record in W&B an artifact that a run has made. Without a W&B run this does nothing.

    Args:
        trainer: its loggers hold the W&B run.
        artifact: function that returns the artifact for the name of the W&B run.
        aliases: names under which W&B finds this version, besides its own ``latest``.
    """
    for run in _runs(trainer):
        run.log_artifact(artifact(str(run.name)), aliases=["latest", *aliases])


def _runs(trainer: L.Trainer) -> list[Any]:
    """Return this process's W&B run in a list, empty if there is none or ``tracking.artifacts`` is off."""
    if not trainer.is_global_zero:
        return []
    runs = [logger.experiment for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    return [run for run in runs if run.config["tracking"]["artifacts"]]
