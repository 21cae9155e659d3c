"""What is kept of a sweep's cell in its folder: its state, and the result that train and study leave there."""

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

RESULT_VARIABLE = "FULLSEG_SWEEP_RESULT"  # names the file for the result


@dataclass
class State:
    """What has become of a cell: ``cell.json`` in its folder."""

    status: str = "new"
    """``new``, ``running``, ``done``, ``failed``, or ``interrupted``: then it goes on from its last checkpoint."""
    exit_status: int | None = None
    attempts: int = 0
    """Starts anew; going on does not count."""
    seconds: float = 0.0
    """Of all attempts since the last start anew."""
    process: int | None = None
    """That runs it, or ran it last."""
    command: list[str] = field(default_factory=list)
    """What was run last."""
    parameters: dict[str, Any] = field(default_factory=dict)


def read_state(folder: Path) -> State:
    """Read what has become of a cell; ``new`` where nothing is known."""
    path = folder / "cell.json"
    return State(**json.loads(path.read_text())) if path.is_file() else State()


def write_state(folder: Path, state: State) -> None:
    """Write it, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "cell.json", asdict(state))


def write_arguments(folder: Path, parameters: dict[str, Any]) -> None:
    """Write what ``${args_json_file}`` names."""
    (folder / "args.json").write_text(args_json(parameters))


def leave_result(folder: Path, study: dict[str, Any] | None = None) -> None:
    """Tell the sweep whose cell this process is, if it is one, what came out.

    A copy, so that a later study in the same run folder changes no table.

    Args:
        folder: of the run.
        study: content of study.json, or None for the run folder's, if there is one.
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
    """Most bytes that this process has needed: of the GPU where it has one, else all of its own."""
    on_gpu = torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0
    if on_gpu:
        return float(on_gpu)
    status = Path("/proc/self/status")  # getrusage would tell of the process that started this one, too
    lines = status.read_text().splitlines() if status.is_file() else []
    peaks = [1024.0 * int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return peaks[0] if peaks else None


def _best(metrics: Path) -> float:
    """Return the highest IoU of the evaluations behind the first one, which is of the untrained model."""
    with metrics.open(newline="") as file:
        evaluations = [float(row["val/iou"]) for row in csv.DictReader(file) if row["val/iou"]]
    return max(evaluations[1:] or evaluations)
