"""Writes checkpoints whole or not at all, reads them, and checks them before a run resumes from one."""

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
    """Writes checkpoints whole or not at all: a kill, a full disk or a power cut leaves the earlier one as it was.

    Lightning's own class writes to the system's folder of temporary files and copies from there. If that is another
    disk, a kill during the copy leaves half a checkpoint.
    """

    def save_checkpoint(
        self,
        checkpoint: dict[str, Any],
        path: str | os.PathLike[str],
        storage_options: Any | None = None,  # noqa: ANN401, ARG002
    ) -> None:
        """Write a checkpoint.

        Raises:
            CheckpointError: if it cannot be written. An earlier file of this name stays as it was.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_partial(path.parent)
        try:
            with replacing(path, durable=True) as partial, partial.open("wb") as file:
                torch.save(checkpoint, file)  # given a path, torch writes the path's name into the file
        except (OSError, RuntimeError) as error:  # torch may wrap the system's error in its own
            raise CheckpointError(_not_written(path, error)) from error


def _not_written(path: Path, error: Exception) -> str:
    free = shutil.disk_usage(path.parent).free / 2**20
    full = free < 1 or errno.ENOSPC in (getattr(cause, "errno", None) for cause in (error, error.__context__))
    reason = "the disk is full" if full else str(error).splitlines()[0]
    left = f"the earlier {path} is still there" if path.is_file() else "this run has no checkpoint yet"
    return (
        f"checkpoint {path} cannot be written: {reason} ({free:.0f} MiB free); {left}. "
        f"Make room, then go on with resume={path.parent.parent}"
    )


def checkpoint_to_resume(config: Config) -> Path | None:
    """Return the checkpoint that the option ``resume`` names, or None to start a new run.

    Raises:
        ConfigError: if the checkpoint is missing or damaged. The message names the newest good one beside it.
    """
    if config.resume is None:
        return None
    if config.resume in ("auto", "latest"):
        name = str(config.run_id) if config.resume == "auto" else "latest"
        checkpoint = Path(config.runs) / config.experiment / name / LAST
        if not checkpoint.is_file() and config.resume == "auto":
            return None
        if not checkpoint.is_file():
            raise ConfigError(f"resume=latest: no checkpoint {checkpoint}; leave resume out to start a new run")
    else:
        checkpoint = find_checkpoint("resume", config.resume, config.runs, LAST)
    problem = why_not_resumable(checkpoint)
    if problem:
        others = sorted(checkpoint.parent.glob("*.ckpt"), key=lambda path: path.stat().st_mtime, reverse=True)
        good = next((path for path in others if path != checkpoint and not why_not_resumable(path)), None)
        remedy = f"the newest good one beside it is resume={good}" if good else "leave resume out to start a new run"
        raise ConfigError(f"resume={config.resume}: {checkpoint} {problem}; {remedy}")
    return checkpoint.resolve()


def check_model(path: Path, model: dict[str, Any]) -> None:
    """Raise ConfigError if a checkpoint holds another model than these arguments describe."""
    theirs = load_checkpoint(path)["hyper_parameters"]["model"]
    compared = [key for key in model if key not in INITIAL_WEIGHTS_OFF]
    differences = [f"{key}={theirs.get(key)}" for key in compared if theirs.get(key) != model[key]]
    if differences:
        raise ConfigError(
            f"{path} holds another model: {', '.join(differences)}; go on with the options it was trained with "
            f"({path.parent.parent / 'config.yaml'}), or leave resume out to start a new run"
        )


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Return the content of a checkpoint. Its weights are memory-mapped: they are read from the disk when used."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return content


def why_not_resumable(path: Path) -> str | None:
    """Return why a run cannot resume from a file, or None if it can."""
    try:
        checkpoint = load_checkpoint(path)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError) as error:
        return f"is damaged or no checkpoint ({str(error).splitlines()[0]})"
    missing = [key for key in RESUMED if not isinstance(checkpoint, dict) or key not in checkpoint]
    if missing:
        return f"is no checkpoint of fullseg train: it lacks {', '.join(missing)}"
    return None
