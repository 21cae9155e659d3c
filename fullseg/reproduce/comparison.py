"""Compares the files of two run folders, number by number and bit for bit. Times are not compared."""

import csv
import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq
import torch
from torch import Tensor

from fullseg.errors import ConfigError
from fullseg.runs.checkpoints import load_checkpoint
from fullseg.runs.provenance import as_bytes, weights_hash
from fullseg.study.summary import read_study

# Beginnings of the names of times, and of rates that follow from times.
TIMES = ("seconds", "train/images_per_second", "train/data_wait", "train/counterpart")
# Keys of a strategy in study.json that are not compared.
NO_NUMBERS = ("seconds_per_round", "seconds", "per_image", "per_scribble", "checkpoint", "provenance")
# Keys of study.json beside the strategies.
HEAD = (
    *("step", "images", "regions", "data", "dataset", "split"),
    *("seed", "rounds", "noise", "hold_scribbles", "kriging", "diffusion", "bootstrap"),
)
ONLY = "the only value"  # place of a metric that has one value
KEYS = {  # a strategy's tables by their key in study.json, and the columns that identify a row
    "per_image": ("image", "region", "round"),
    "per_scribble": ("image", "round", "scribble"),
}
Values = Mapping[str, Any]  # values by place, for example "step 30" or "image 4.jpg, region 2, round 1"


class Comparison(NamedTuple):
    """The comparison of one metric in one file of two runs."""

    file: str  # relative to the run folder
    name: str
    there: Any  # last value in the original run
    here: Any  # last value in the reproduction
    values: int  # number of compared values
    different: int  # number of values that differ, even by one bit, or that only one run has
    largest: float | None = None  # largest absolute difference; None if no two numbers differ
    where: str = ""  # place of the largest difference, or of the first difference that is not between numbers


def compare_values(file: str, name: str, there: Values, here: Values, *, whole: bool = True) -> Comparison:
    """Compare one metric.

    Args:
        file: the file with the metric, relative to the run folder.
        name: name of the metric.
        there: values in the original run.
        here: values in the reproduction.
        whole: False if one of the runs ended early. Values that it lacks are then no difference.
    """
    common = [where for where in there if where in here]
    alone = [where for where in (*there, *here) if where not in there or where not in here] if whole else []
    different = [where for where in common if not _same(there[where], here[where])]
    gaps = {where: gap for where in different if (gap := _gap(there[where], here[where])) is not None}
    largest = max(gaps, key=gaps.__getitem__, default=None)
    last = (common or [""])[-1]
    return Comparison(
        file,
        name,
        there.get(last),
        here.get(last),
        len(common) + len(alone),
        len(different) + len(alone),
        gaps[largest] if largest else None,
        largest or next(iter([*different, *(f"{where}, which one alone has" for where in alone)]), ""),
    )


def compare_metrics(there: Path, here: Path, *, whole: bool) -> list[Comparison]:
    """Compare ``metrics.csv`` of two run folders, column by column. ``whole`` is False if one run ended early."""
    theirs, ours = read_metrics(there / "metrics.csv"), read_metrics(here / "metrics.csv")
    columns = [name for name in dict.fromkeys((*theirs, *ours)) if not is_time(name)]
    pairs = ((name, theirs.get(name, {}), ours.get(name, {})) for name in columns)
    found = [compare_values("metrics.csv", name, a, b, whole=whole) for name, a, b in pairs]
    return [comparison for comparison in found if comparison.values]


def read_metrics(path: Path) -> dict[str, dict[str, float]]:
    """Return the values of each column of ``metrics.csv`` by step. If a step has several values, the last one counts.

    Raises:
        ConfigError: if the file is damaged.
    """
    columns: dict[str, dict[str, float]] = {}
    with path.open(newline="", errors="replace") as file:
        rows = csv.DictReader(file)
        try:
            for row in rows:
                for name, text in row.items():
                    if text != "" and name != "step":
                        columns.setdefault(name, {})[f"step {int(row['step'])}"] = float(text)
        except (ValueError, KeyError, TypeError, csv.Error) as error:
            where = f"{path}, line {rows.line_num}"
            raise ConfigError(f"{where} is damaged: {error!r}; restore the file that the run wrote") from error
    return columns


def compare_summaries(there: Path, here: Path, *, whole: bool) -> list[Comparison]:
    """Compare ``summary.json``: the metrics before training, and those after training if both runs have them."""
    theirs, ours = (json.loads((folder / "summary.json").read_text()) for folder in (there, here))
    found = []
    for part in ("before", "after"):
        a, b = theirs[part] or {}, ours[part] or {}
        names = [name for name in dict.fromkeys((*a, *b)) if not is_time(name)] if a and b else []
        for name in names:
            values = ({f"{part} training": half[name]} if name in half else {} for half in (a, b))
            found.append(compare_values("summary.json", f"{name} {part} training", *values, whole=whole))
    return [comparison for comparison in found if comparison.values]


def compare_weights(there: Path, here: Path, name: str) -> Comparison:
    """Compare the weights in the checkpoints ``name`` of two run folders. Optimiser states are not compared."""
    file = f"checkpoints/{name}"
    theirs, ours = (load_checkpoint(folder / file) for folder in (there, here))
    a, b = theirs["state_dict"], ours["state_dict"]
    parts = {key: _weights_apart(a.get(key), b.get(key)) for key in dict.fromkeys((*a, *b))}
    largest = max(parts, key=lambda key: parts[key][1])
    where = largest if parts[largest][0] else ""
    if theirs["global_step"] != ours["global_step"]:
        where = f"step {theirs['global_step']} there, step {ours['global_step']} here"
    different = sum(count for count, _ in parts.values())
    values = sum(weight.numel() for weight in {**a, **b}.values())
    gap = parts[largest][1]
    hashes = weights_hash(a), weights_hash(b)
    return Comparison(file, "weights", *hashes, values, different, gap if different and gap < math.inf else None, where)


def compare_study(there: Path, here: Path, file: str, strategies: Iterable[str]) -> list[Comparison]:
    """Compare two studies: the numbers of ``study.json`` and the rows of each strategy's tables.

    Numbers and tables that the original lacks are not compared: it was studied with an earlier version.

    Args:
        there: folder of the original's ``study.json``.
        here: folder of the reproduction's ``study.json``.
        file: name of the original's file, for the table.
        strategies: names of the strategies to compare.
    """
    theirs, ours = (read_study(folder / "study.json") for folder in (there, here))
    found = [compare_values(file, "rules", *({ONLY: study.get("rules", 1)} for study in (theirs, ours)))]
    found = [one for one in found if one.different]
    found += [
        compare_values(file, key, {ONLY: theirs.get(key)}, {ONLY: ours.get(key)})
        for key in HEAD
        if key in theirs and theirs[key] != ours.get(key)
    ]
    for name in strategies:
        a, b = (study["strategies"][name] for study in (theirs, ours))
        found += [
            compare_values(file, f"{name}: {key}", _numbers(a.get(key)), _numbers(b.get(key)))
            for key in a
            if key not in NO_NUMBERS
        ]
        for table, row in KEYS.items():
            if table in a and table in b:
                found += _compare_tables(there / a[table], here / b[table], str(Path(file).with_name(a[table])), row)
    return found


def _compare_tables(there: Path, here: Path, file: str, row: tuple[str, ...]) -> list[Comparison]:
    """Compare two Parquet tables column by column; ``row`` has the names of the columns that identify a row."""
    theirs, ours = pq.read_table(there), pq.read_table(here)
    columns = [column for column in theirs.column_names if column not in row]
    return [
        compare_values(file, column, *(_by_row(part, column, row) for part in (theirs, ours))) for column in columns
    ]


def is_time(name: str) -> bool:
    """Return whether a metric is a time, or a rate that follows from one."""
    return name.startswith(TIMES) or name.split("/")[-1].startswith("seconds")


def _same(a: Any, b: Any) -> bool:  # noqa: ANN401
    return bool(a == b or (a != a and b != b))  # noqa: PLR0124  NaN is NaN


def _gap(a: Any, b: Any) -> float | None:  # noqa: ANN401
    """Return the absolute difference of two values, or None unless both are finite numbers."""
    if not all(isinstance(value, int | float) and math.isfinite(value) for value in (a, b)):
        return None
    return float(abs(a - b))


def _weights_apart(a: Tensor | None, b: Tensor | None) -> tuple[int, float]:
    """Return the number of weights that differ, and the largest difference, infinite if shapes or types differ."""
    if a is None or b is None or a.shape != b.shape or a.dtype != b.dtype:
        return max(weight.numel() for weight in (a, b) if weight is not None), math.inf
    if torch.equal(as_bytes(a), as_bytes(b)):
        return 0, 0.0
    bits = (as_bytes(a) != as_bytes(b)).view(a.numel(), -1).any(dim=1)
    gap = float((a.double() - b.double()).abs().max())
    return int(bits.sum()), gap if math.isfinite(gap) else math.inf


def _numbers(value: Any, where: str = "") -> dict[str, Any]:  # noqa: ANN401
    """Return the values in nested lists and dicts by their place."""
    if isinstance(value, list):
        value = dict(enumerate(value))
    if not isinstance(value, dict):
        return {where or ONLY: value}
    return {place: leaf for key, part in value.items() for place, leaf in _numbers(part, f"{where}[{key}]").items()}


def _by_row(table: pa.Table, column: str, row: tuple[str, ...]) -> dict[str, Any]:
    keys = zip(*(table.column(name).to_pylist() for name in row), strict=True)
    rows = (", ".join(f"{name} {value}" for name, value in zip(row, key, strict=True)) for key in keys)
    return dict(zip(rows, table.column(column).to_pylist(), strict=True)) if column in table.column_names else {}
