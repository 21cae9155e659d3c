"""The run folder ``runs/<experiment>/<run id>/``: where everything about a run is kept."""

import json
import os
import platform
import subprocess
import sys
import time
from importlib.metadata import distributions
from pathlib import Path
from typing import NamedTuple

import torch
from omegaconf import OmegaConf

from fullseg.config import Config, plain
from fullseg.options import ConfigError

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
    partial = parent / f".latest-{folder.name}"
    partial.unlink(missing_ok=True)
    partial.symlink_to(folder.name)
    partial.replace(parent / "latest")
    return folder


def write_provenance(folder: Path, config: Config, fingerprint: dict[str, str | int]) -> None:
    """Write ``config.yaml`` and ``environment.txt``: command, commit, machine, data and package versions."""
    OmegaConf.save(OmegaConf.create(plain(config)), folder / "config.yaml")
    facts = {
        "command": " ".join(["python -m fullseg", *sys.argv[1:]]),
        "commit": commit(),
        "machine": machine(),
        "python": platform.python_version(),
        **fingerprint,
    }
    packages = sorted({f"{package.name}=={package.version}" for package in distributions()})
    lines = [f"{key}: {value}" for key, value in facts.items()]
    (folder / "environment.txt").write_text("\n".join([*lines, "", *packages]) + "\n")


def machine() -> str:
    """Name what the run runs on."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    cpuinfo = Path("/proc/cpuinfo")
    models = [line for line in cpuinfo.read_text().splitlines() if "model name" in line] if cpuinfo.is_file() else []
    model = models[0].split(":")[1].strip() if models else platform.machine()
    return f"{os.cpu_count()} CPU cores, {model}"


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
    (folder / "summary.json").write_text(json.dumps(content, indent=1))


def read_before(folder: Path) -> Metrics | None:
    """Return the numbers before training that an earlier part of a resumed run wrote."""
    summary = folder / "summary.json"
    if not summary.is_file():
        return None
    before: Metrics = json.loads(summary.read_text())["before"]
    return before


def commit() -> str:
    """Name the commit of the code that runs."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=40"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent)
    except FileNotFoundError:  # no git
        return "unknown"
    return found.stdout.strip() or "unknown"
