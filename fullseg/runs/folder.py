"""The run folder ``runs/<experiment>/<run id>/``: where everything about a run is kept."""

import json
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import OmegaConf

from fullseg.config.options import ConfigError
from fullseg.config.schema import Config, plain
from fullseg.formats.atomic import write_json

Metrics = dict[str, float]


class Result(NamedTuple):
    """What a run ends with."""

    folder: Path
    before: Metrics  # of the untrained model, by name
    after: Metrics
    seconds: float  # of training, evaluations included
    step_parts: Metrics  # mean seconds of every part of a step, where they were measured


class Environment(NamedTuple):
    """Content of ``environment.txt``."""

    facts: dict[str, str]  # of ``provenance``, without packages
    packages: dict[str, str]  # version by name, of all that were installed


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
    partial = parent / f".latest-{folder.name}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(folder.name)
    partial.replace(parent / "latest")
    return folder


def write_provenance(folder: Path, config: Config, facts: dict[str, Any], step: int | None) -> None:
    """Write ``config.yaml`` and ``environment.txt``: what the run was asked for, and what it is made with.

    Args:
        folder: of the run.
        config: of the run.
        facts: of ``provenance``.
        step: from which a resumed run goes on, None for a new one. What the steps before it were made with is kept
            beside, ``*_until_step_<step>``, where it differs.
    """
    environment = environment_of(facts)
    lines = [f"{key}: {value}" for key, value in environment.facts.items()]
    packages = [f"{name}=={version}" for name, version in environment.packages.items()]
    files = {
        "config.yaml": OmegaConf.to_yaml(OmegaConf.create(plain(config))),
        "environment.txt": "\n".join([*lines, "", *packages]) + "\n",
    }
    for name, text in files.items():
        path = folder / name
        if step is not None and path.is_file() and path.read_text() != text:
            before = path.with_stem(f"{path.stem}_until_step_{step}")
            if not before.exists():  # else this part has added no step
                path.replace(before)
        path.write_text(text)


def environment_of(facts: dict[str, Any]) -> Environment:
    """Return ``provenance`` with all packages that are installed, as it is written."""
    packages = dict(sorted((package.name, package.version) for package in distributions()))
    return Environment({key: str(value) for key, value in facts.items() if key != "packages"}, packages)


def read_environment(path: Path) -> Environment:
    """Read what a run was made with.

    Raises:
        ConfigError: if the file is damaged.
    """
    try:
        head, _, tail = path.read_text().partition("\n\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}; put it back as the run has written it") from error
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    packages = dict(line.split("==", 1) for line in tail.splitlines() if "==" in line)
    missing = [name for name in ("commit", "val_hash") if name not in facts] + ["packages"] * (not packages)
    if missing:
        raise ConfigError(f"{path} is damaged: no {', no '.join(missing)} in it; put it back as the run has written it")
    return Environment(facts, packages)


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
