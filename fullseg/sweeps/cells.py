"""The cells of a sweep: one command line per cell, all checked before any of them runs."""

import hashlib
import json
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.config.load import load_config
from fullseg.config.schema import Config, trains_with_scribbles
from fullseg.errors import ConfigError
from fullseg.runs.find import find_checkpoint
from fullseg.sweeps.command import expand_command
from fullseg.sweeps.file import Sweep

LONGEST_NAME = 100  # characters of a folder's name
# Options that the sweep sets itself, by command.
OWN = {"train": ("experiment", "resume", "runs"), "study": ("resume", "runs")}


class Cell(NamedTuple):
    """One run of a sweep."""

    name: str  # name of its folder: the parameters that vary, then the key
    key: str  # hash of its command and of the models that it uses
    parameters: dict[str, Any]
    command: list[str]  # with W&B's macros expanded
    job: str  # "train" or "study"; "" for another program
    config: Config | None  # the complete configuration, for train and study
    pins: list[str]  # overrides that fix the models that it uses, so that all cells of a table use the same models
    missing: str  # why one of these models was not found; empty: all were found
    needs: tuple[str, ...] = ()  # names of the cells whose runs it uses: it runs when they are done


def make_cells(sweep: Sweep, overrides: Sequence[str], experiment: Path | None, runs: Path) -> list[Cell]:
    """Expand and check every cell.

    Args:
        sweep: the checked sweep file.
        overrides: ``key=value`` each. They are appended to every cell's command.
        experiment: YAML that replaces the one in the command, or None.
        runs: folder of all run folders.

    Returns:
        The cells in W&B's order. If two cells have the same command, only the first is returned.

    Raises:
        ConfigError: if a cell's options are wrong. The message names the cell.
    """
    cells: dict[str, Cell] = {}
    for parameters in sweep.combinations:
        label = label_of({name: parameters[name] for name in sweep.varied})
        try:
            cell = _make_cell(sweep, parameters, label, overrides, experiment, runs)
        except ConfigError as error:
            raise ConfigError(f"{sweep.name}, cell {label}: {error}") from error
        cells.setdefault(cell.key, cell)
    return list(cells.values())


def _make_cell(
    sweep: Sweep, parameters: dict[str, Any], label: str, overrides: Sequence[str], experiment: Path | None, runs: Path
) -> Cell:
    command = expand_command(
        sweep.command,
        sweep.program,
        parameters,
        interpreter=sys.executable,
        args_json_file="${args_json_file}",  # its path depends on the cell's key, which launch_command knows
        environ=os.environ,
    )
    job, at = fullseg_job(command)
    config, pins, missing = None, [], ""
    if job:
        if experiment is not None:
            command[at] = str(experiment)
        command += overrides
        config = _configuration(job, command[at:])
        config.runs = str(runs)
        try:
            pins = _pins(job, config)
        except ConfigError as error:
            missing = str(error)
    elif overrides or experiment is not None:
        raise ConfigError("key=value and --experiment are for commands of `-m fullseg train` and `-m fullseg study`")
    # The key must not depend on the folder of the Python environment.
    same = ["python" if word == sys.executable else word for word in command]
    key = hashlib.sha256(json.dumps([same, pins]).encode()).hexdigest()[:8]
    name = f"{label[:LONGEST_NAME]}-{key}" if label else key
    return Cell(name, key, parameters, command, job, config, pins, missing)


def fullseg_job(command: Sequence[str]) -> tuple[str, int]:
    """Return ``train`` or ``study``, and the index of the experiment in the words; ("", 0) for another program."""
    for at in range(len(command) - 3):
        if list(command[at : at + 2]) == ["-m", "fullseg"] and command[at + 2] in ("train", "study"):
            return command[at + 2], at + 3
    return "", 0


def _configuration(job: str, words: Sequence[str]) -> Config:
    for word in words:
        if word.startswith("-"):
            raise ConfigError(f"{word!r}: fullseg {job} takes key=value: write ${{args_no_hyphens}} in the command")
        if word.split("=")[0] in OWN[job]:
            raise ConfigError(f"{word}: a sweep sets {', '.join(OWN[job])} itself (--experiment, --runs)")
    return load_config(words[0], words[1:])


def _pins(job: str, config: Config) -> list[str]:
    """Return overrides that fix the checkpoints that a cell uses, because newer ones must not enter the same table."""
    if job == "study":
        return [f"checkpoint={_find('checkpoint', config.checkpoint or config.experiment, config)}"]
    if trains_with_scribbles(config.scribbles) and config.counterpart is not None:
        return [f"counterpart={_find('counterpart', config.counterpart, config)}"]
    return []


def _find(option: str, value: str, config: Config) -> str:
    path = find_checkpoint(option, value, config.runs)
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)


def launch_command(cell: Cell, experiment: str, runs: Path, *, go_on: bool) -> list[str]:
    """Return the command line that runs a cell in its folder, or resumes it.

    Args:
        cell: the cell.
        experiment: the cell's folder, relative to ``runs``.
        runs: folder of all run folders.
        go_on: resume from the last checkpoint, if there is one.
    """
    folder = runs / experiment
    words = [str(folder / "args.json") if word == "${args_json_file}" else word for word in cell.command]
    if cell.job == "train":
        words += [f"experiment={experiment}"]
    if cell.job:
        words += [f"runs={runs}", "trainer.progress_bar=false", *cell.pins]
    if go_on and (folder / "latest" / "checkpoints" / "last.ckpt").is_file():
        words += [f"resume={(folder / 'latest').resolve()}"]
    return words


def label_of(varied: dict[str, Any]) -> str:
    """Return a cell's name: the parameters that vary, in characters that every file system allows."""
    titles = short_names(list(varied))
    return ",".join(f"{titles[name]}={value_in_name(value)}" for name, value in varied.items())


def value_in_name(value: Any) -> str:  # noqa: ANN401  a value of YAML
    """Return a parameter's value in characters that every file system allows."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", str(value)).strip("-") or "none"


def short_names(names: Sequence[str]) -> dict[str, str]:
    """Return the last part of each dotted name, or the whole name if two have the same last part."""
    ends = [name.rsplit(".", 1)[-1] for name in names]
    return {name: end if ends.count(end) == 1 else name for name, end in zip(names, ends, strict=True)}
