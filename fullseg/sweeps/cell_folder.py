"""The folder of a sweep's cell: its state, and the result that train and study leave there."""

import csv
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch

from fullseg.formats.atomic import write_json
from fullseg.runs.ranks import is_rank_0
from fullseg.sweeps.command import args_json

RESULT_VARIABLE = "FULLSEG_SWEEP_RESULT"  # environment variable that names the file for the result


@dataclass
class State:
    """The state of a cell. It is kept as ``cell.json`` in the cell's folder."""

    status: str = "new"
    """``new``, ``running``, ``done``, ``failed``, or ``interrupted``: the cell resumes from its last checkpoint."""
    exit_status: int | None = None
    attempts: int = 0
    """Number of starts from the beginning. Resuming does not count."""
    seconds: float = 0.0
    """Seconds that the cell has run since its last start. Pauses do not count."""
    process: int | None = None
    """Id of the process that runs the cell, or that ran it last."""
    command: list[str] = field(default_factory=list)
    """The command line that ran last."""
    parameters: dict[str, Any] = field(default_factory=dict)
    used: dict[str, str] = field(default_factory=dict)
    """Run folders of the cells that it needs, by the cells' names. If one of them has another run now, this cell runs
    again."""


def read_state(folder: Path) -> State:
    """Read a cell's state. Without a file on disk it is ``new``."""
    path = folder / "cell.json"
    return State(**json.loads(path.read_text())) if path.is_file() else State()


def write_state(folder: Path, state: State) -> None:
    """Write a cell's state, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "cell.json", asdict(state))


def write_arguments(folder: Path, parameters: dict[str, Any]) -> None:
    """Write the parameters file that the macro ``${args_json_file}`` names."""
    (folder / "args.json").write_text(args_json(parameters))


def read_result(folder: Path) -> dict[str, Any] | None:
    """Return the result of a cell that is done; None for any other."""
    path = folder / "result.json"
    if read_state(folder).status != "done" or not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def log_lines(folder: Path) -> list[str]:
    """Return the lines of a cell's log without the command lines; none without a log."""
    log = folder / "log.txt"
    lines = log.read_text(errors="replace").splitlines() if log.is_file() else []
    return [line for line in lines if not line.startswith("$ ")]


def last_words(folder: Path) -> str:
    """Return the last line of a cell's log: after a failure it says the reason. Empty without a log."""
    return next((line.strip() for line in reversed(log_lines(folder)) if line.strip()), "")


def leave_result(folder: Path, study: dict[str, Any] | None = None) -> None:
    """Write the result of a run for the sweep, if this process is a cell of a sweep.

    The result is a copy, so a later study in the same run folder does not change the sweep's table.

    Args:
        folder: the run folder.
        study: content of study.json; None: the run folder's study.json is read, if there is one.
    """
    target = os.environ.get(RESULT_VARIABLE)
    if target is None or not is_rank_0():
        return
    trained = study is None
    summary, studied = folder / "summary.json", folder / "study.json"
    if trained and studied.is_file():
        study = json.loads(studied.read_text())
    content = {
        "folder": str(folder),
        "after": json.loads(summary.read_text())["after"] if trained else None,
        "best": _best(folder / "metrics.csv") if trained else None,
        "study": study,
        "memory": _peak_memory(),
    }
    write_json(Path(target), content)


def _peak_memory() -> float | None:
    """Return this process's peak memory in bytes: memory of the GPU, or of the process if there is no GPU."""
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    if on_gpu:
        return float(on_gpu)
    status = Path("/proc/self/status")  # getrusage would also count the process that started this one
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = [1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else None


def _best(metrics: Path) -> float:
    """Return the highest IoU of all evaluations except the first, which is before training."""
    with metrics.open(newline="") as file:
        evaluations = [float(row["val/iou"]) for row in csv.DictReader(file) if row["val/iou"]]
    return max(evaluations[1:] or evaluations)
