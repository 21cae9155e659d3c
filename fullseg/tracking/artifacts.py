"""Checkpoints, studies and data sets as W&B artifacts: study -> checkpoint -> counterpart -> data.

Offline W&B records what a run makes, but not what it uses; so every run's configuration holds its ``lineage``, too.
"""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import lightning as L
import wandb
from lightning.pytorch.loggers import WandbLogger

from fullseg.runs.checkpoints import load_checkpoint
from fullseg.tracking.wandb_run import NO_NAME

Fingerprint = Mapping[str, str | int]


def data_artifact(dataset: str, fingerprint: Fingerprint) -> wandb.Artifact:
    """Return what stands for a data set: its fingerprint, no image; the same for every run on the same data.

    Args:
        dataset: its format.
        fingerprint: of the data module.
    """
    artifact = wandb.Artifact(f"data-{dataset}", type="dataset", metadata=dict(fingerprint))
    with artifact.new_file("fingerprint.json") as file:
        json.dump(dict(fingerprint), file, indent=1, sort_keys=True)
    return artifact


def checkpoint_artifact(path: Path) -> wandb.Artifact:
    """Return a checkpoint as an artifact, the same in the run that makes it and in those that use it."""
    checkpoint = load_checkpoint(path)
    config = checkpoint["hyper_parameters"]["config"]
    name = f"{config['experiment']}-{path.resolve().parent.parent.name}".translate(NO_NAME)
    artifact = wandb.Artifact(name, type="model", metadata={"step": checkpoint["global_step"], "config": config})
    artifact.add_file(str(path), policy="immutable")  # W&B then reads it where it is, instead of copying it first
    return artifact


def study_artifact(name: str, folder: Path, content: Mapping[str, Any]) -> wandb.Artifact:
    """Return a study's numbers as an artifact.

    Args:
        name: of the run.
        folder: of the study.
        content: of ``study.json``.
    """
    artifact = wandb.Artifact(name.translate(NO_NAME), type="study")
    for file in ("study.json", *(strategy["per_image"] for strategy in content["strategies"].values())):
        artifact.add_file(str(folder / file))
    return artifact


def use(trainer: L.Trainer, dataset: str, fingerprint: Fingerprint, models: Mapping[str, Path]) -> None:
    """Say what a run uses, where there is a W&B run.

    Args:
        trainer: whose loggers hold it.
        dataset: as of ``data_artifact``.
        fingerprint: as of ``data_artifact``.
        models: checkpoints by what they are to it: ``checkpoint``, ``counterpart``, ...
    """
    for run in _runs(trainer):
        artifacts = {role: checkpoint_artifact(path) for role, path in models.items()}
        artifacts["data"] = data_artifact(dataset, fingerprint)
        lineage = {role: f"{artifact.name}@{artifact.digest}" for role, artifact in artifacts.items()}
        run.config.update({"lineage": lineage}, allow_val_change=True)
        if not run.offline:
            for artifact in artifacts.values():
                run.use_artifact(artifact)


def make(trainer: L.Trainer, artifact: Callable[[str], wandb.Artifact]) -> None:
    """Say what a run has made, where there is a W&B run.

    Args:
        trainer: whose loggers hold it.
        artifact: makes it from the run's name.
    """
    for run in _runs(trainer):
        run.log_artifact(artifact(str(run.name)))


def _runs(trainer: L.Trainer) -> list[Any]:
    """Return the W&B run of the process that has one, where its ``tracking.artifacts`` wants them."""
    if not trainer.is_global_zero:
        return []
    runs = [logger.experiment for logger in trainer.loggers if isinstance(logger, WandbLogger)]
    return [run for run in runs if run.config["tracking"]["artifacts"]]
