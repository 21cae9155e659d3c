"""Makes, names and writes the run folder ``runs/<experiment>/<run id>/``, which holds everything about one run."""

import json
import shutil
import sys
import time
from pathlib import Path
from shlex import quote
from typing import NamedTuple

from fullseg.config.schema import Config
from fullseg.errors import ConfigError
from fullseg.formats.atomic import replacing, write_json
from fullseg.runs.ranks import is_rank_0

Metrics = dict[str, float]


class Result(NamedTuple):
    """The result of a training run."""

    folder: Path
    before: Metrics  # metrics before training, by name
    after: Metrics  # metrics after training, by name
    seconds: float  # duration of training, evaluations included
    step_parts: Metrics  # mean seconds of each part of a step; empty if they were not measured


def open_folder(config: Config, checkpoint: Path | None) -> Path:
    """Return the folder of a run. A new run gets a new folder, and the link ``latest`` then points to it.

    Only rank 0 makes the folder. The other ranks write nothing, and need not know the name of a new one.

    Args:
        config: the run's configuration.
        checkpoint: the checkpoint from which the run resumes; None for a new run.

    Raises:
        ConfigError: if a run with this ``run_id`` exists already.
    """
    if checkpoint is not None:
        return checkpoint.parent.parent
    parent = Path(config.runs) / config.experiment
    if not is_rank_0():
        return parent / (config.run_id or "latest")
    name, number = config.run_id or time.strftime("%Y%m%d-%H%M%S"), 1
    folder = parent / name
    if config.run_id and (folder / "checkpoints").exists():
        raise ConfigError(
            f"run_id={config.run_id}: {folder} exists already; go on with it, resume=auto, or choose another run_id"
        )
    while folder.exists() and not config.run_id:
        number += 1
        folder = parent / f"{name}-{number}"
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(parent / "latest") as link:
        link.symlink_to(folder.name)
    return folder


def write_summary(
    folder: Path,
    before: Metrics,
    after: Metrics | None = None,
    seconds: float | None = None,
    step_parts: Metrics | None = None,
) -> None:
    """Write ``summary.json``: the metrics before training and, once they are known, those after it."""
    content = {
        "before": before,
        "after": after,
        "seconds": seconds,
        **({"step_parts": step_parts} if step_parts else {}),
    }
    write_json(folder / "summary.json", content)


def read_before(folder: Path) -> Metrics | None:
    """Return the metrics before training from ``summary.json``, or None if there is no such file."""
    summary = folder / "summary.json"
    if not summary.is_file():
        return None
    before: Metrics = json.loads(summary.read_text())["before"]
    return before


def program() -> str:
    """Return the command that starts fullseg in the user's shell, for messages that suggest a next command."""
    script = Path(sys.executable).parent / "fullseg"
    if script.is_file():
        found = shutil.which("fullseg")
        return "fullseg" if found and Path(found).samefile(script) else quote(str(relative_to_here(script)))
    return f"{quote(str(relative_to_here(Path(sys.executable))))} -m fullseg"


def relative_to_here(folder: Path) -> Path:
    """Return a path for a message: relative if it lies below the current folder, else absolute."""
    folder, here = folder.absolute(), Path.cwd()  # not resolved: the python of a virtual environment is a link
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
