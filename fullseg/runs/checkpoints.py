"""Checkpoints that are whole or not there, and which of them a run can go on from."""

import errno
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins import TorchCheckpointIO

from fullseg.config.schema import Config
from fullseg.errors import CheckpointError, ConfigError
from fullseg.formats.atomic import remove_partial, replacing
from fullseg.model.factory import INITIAL_WEIGHTS_OFF
from fullseg.runs.find import LAST, find_checkpoint

RESUMED = ("state_dict", "optimizer_states", "lr_schedulers", "loops", "global_step", "hyper_parameters")


class WholeCheckpoints(TorchCheckpointIO):
    """Writes a checkpoint beside the one that it replaces, and to the disk, before it takes its name.

    So neither a kill nor a full disk nor a power cut leaves half a checkpoint. Lightning's own copies a file from the
    system's folder for temporary files, which is not one step where that is another disk.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ANN401, ARG002
    ) -> None:
        """Write a checkpoint.

        Raises:
            CheckpointError: if it can't be written; the file of that name is as it was.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(path.parent)
        try:
            with replacing(path, durable=True) as partial, partial.open("wb") as file:
                torch.save(checkpoint, file)  # given a path, torch would write its random name into the file
        except (OSError, RuntimeError) as error:  # torch may hide the system's error behind one of its own
            raise CheckpointError(_not_written(path, error)) from error


def _not_written(path: Path, error: Exception) -> str:
    free = shutil.disk_usage(path.parent).free / 2**20
    full = free < 1 or errno.ENOSPC in (getattr(cause, "errno", None) for cause in (error, error.__context__))
    reason = "the disk is full" if full else str(error).splitlines()[0]
    left = f"the last good one is {path}, as it was" if path.is_file() else "there is none of this run yet"
    return (
        f"checkpoint {path} can't be written: {reason} ({free:.0f} MiB free); {left}. "
        f"Make room, then go on with resume={path.parent.parent}"
    )


def checkpoint_to_resume(config: Config) -> Path | None:
    """Return the checkpoint that ``resume`` names, or None to start anew.

    Raises:
        ConfigError: if it is not there, not whole, or of another model; it names the newest that is good.
    """
    if config.resume is None:
        return None
    if config.resume in ("auto", "latest"):
        name = str(config.run_id) if config.resume == "auto" else "latest"
        checkpoint = Path(config.runs) / config.experiment / name / LAST
        if not checkpoint.is_file() and config.resume == "auto":
            return None
        if not checkpoint.is_file():
            raise ConfigError(f"resume=latest: no checkpoint {checkpoint}; leave resume out to start anew")
    else:
        checkpoint = find_checkpoint("resume", config.resume, config.runs, LAST)
    problem = problem_of(checkpoint)
    if problem:
        others = sorted(checkpoint.parent.glob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True)
        good = next((path for path in others if path != checkpoint and not problem_of(path)), None)
        remedy = f"the newest good one there is resume={good}" if good else "leave resume out to start anew"
        raise ConfigError(f"resume={config.resume}: {checkpoint} {problem}; {remedy}")
    return checkpoint.resolve()


def check_model(path: Path, model: dict[str, Any]) -> None:
    """Raise ConfigError if a checkpoint is of another model than its arguments say."""
    theirs = load_checkpoint(path)["hyper_parameters"]["model"]
    compared = [key for key in model if key not in INITIAL_WEIGHTS_OFF]
    differences = [f"{key}={theirs.get(key)}" for key in compared if theirs.get(key) != model[key]]
    if differences:
        raise ConfigError(
            f"{path} is of another model: {', '.join(differences)}; go on with the options it was trained with "
            f"({path.parent.parent / 'config.yaml'}), or leave resume out to start anew"
        )


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return what is in a checkpoint; weights are read from the disk when they are looked at."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content


def problem_of(path: Path) -> str | None:
    """Return why a run can't go on from a file, None if it can."""
    try:
        checkpoint = load_checkpoint(path)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        return f"is no whole checkpoint ({str(error).splitlines()[0]})"
    missing = [key for key in RESUMED if not isinstance(checkpoint, dict) or key not in checkpoint]
    if missing:
        return f"is no checkpoint of fullseg train: it has no {', '.join(missing)}"
    return None
