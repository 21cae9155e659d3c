"""The run folder ``runs/<experiment>/<run id>/``: where everything about a run is kept."""

import json
import shutil
import sys
import time
from pathlib import Path
from typing import NamedTuple

from fullseg.config.schema import Config
from fullseg.errors import ConfigError
from fullseg.formats.atomic import replacing, write_json

Metrics = dict[str, float]


class Result(NamedTuple):
    """What a run ends with."""

    folder: Path
    before: Metrics  # of the untrained model, by name
    after: Metrics
    seconds: float  # of training, evaluations included
    step_parts: Metrics  # mean seconds of every part of a step, where they were measured


def open_folder(config: Config, checkpoint: Path | None) -> Path:
    """Return the resumed run's folder, or a new one that ``latest`` then points to.

    Raises:
        ConfigError: if there is a run of that ``run_id`` already.
    """
    if checkpoint is not None:
        return checkpoint.parent.parent
    parent = Path(config.runs) / config.experiment
    name, number = config.run_id or time.strftime("%Y%m%d-%H%M%S"), 1
    folder = parent / name
    if config.run_id and (folder / "checkpoints").exists():
        raise ConfigError(f"run_id={config.run_id}: {folder} is there already; go on with it, resume=auto, or rename")
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
    """Write ``summary.json``: the numbers before training, and those after it when they are there."""
    content = {
        "before": before,
        "after": after,
        "seconds": seconds,
        **({"step_parts": step_parts} if step_parts else {}),
    }
    write_json(folder / "summary.json", content)


def read_before(folder: Path) -> Metrics | None:
    """Return the numbers before training that an earlier part of a resumed run wrote."""
    summary = folder / "summary.json"
    if not summary.is_file():
        return None
    before: Metrics = json.loads(summary.read_text())["before"]
    return before


def program() -> str:
    """Return how a person who runs this process starts ``fullseg``: the console script if their shell finds it."""
    script = Path(sys.executable).parent / "fullseg"
    if script.is_file():
        found = shutil.which("fullseg")
        return "fullseg" if found and Path(found).samefile(script) else str(relative_to_here(script))
    return f"{relative_to_here(Path(sys.executable))} -m fullseg"


def relative_to_here(folder: Path) -> Path:
    """Return a folder as a message shows it: relative to the current folder where it lies below that."""
    folder, here = folder.absolute(), Path.cwd()  # links are kept: a virtual environment's python is one
    return folder.relative_to(here) if folder.is_relative_to(here) else folder
