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
    """State of a cell, kept as ``cell.json`` in its folder."""

    status: str = "new"
    """``new``, ``running``, ``done``, ``failed`` or ``interrupted``. An interrupted one resumes from its checkpoint."""
    exit_status: int | None = None
    attempts: int = 0
    """Number of starts from the beginning. Resuming is no start."""
    seconds: float = 0.0
    """Seconds that the cell has run since its last start, pauses not counted."""
    process: int | None = None
    """Process that runs the cell, or ran it last."""
    command: list[str] = field(default_factory=list)
    """Command line that ran last."""
    parameters: dict[str, Any] = field(default_factory=dict)


def read_state(folder: Path) -> State:
    """Read a cell's state; ``new`` if there is none on disk."""
    path = folder / "cell.json"
    return State(**json.loads(path.read_text())) if path.is_file() else State()


def write_state(folder: Path, state: State) -> None:
    """Write a cell's state, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "cell.json", asdict(state))


def write_arguments(folder: Path, parameters: dict[str, Any]) -> None:
    """Write the parameters file that the macro ``${args_json_file}`` names."""
    (folder / "args.json").write_text(args_json(parameters))


def leave_result(folder: Path, study: dict[str, Any] | None = None) -> None:
    """Write the result for the sweep, if this process is a cell of one.

    The result is a copy: a later study in the same run folder does not change the sweep's table.

    Args:
        folder: of the run.
        study: content of study.json; None: that of the run folder, if there is one.
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
    """Return the most memory that this process has used, in bytes: on the GPU if it has one, else in all."""
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    if on_gpu:
        return float(on_gpu)
    status = Path("/proc/self/status")  # getrusage would also count the process that started this one
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = [1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else None


def _best(metrics: Path) -> float:
    """Return the highest IoU of all evaluations but the first, which is of the untrained model."""
    with metrics.open(newline="") as file:
        evaluations = [float(row["val/iou"]) for row in csv.DictReader(file) if row["val/iou"]]
    return max(evaluations[1:] or evaluations)
