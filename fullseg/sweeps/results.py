"""The results of a sweep: results.csv with one row per cell, and a table with means over seeds."""

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fullseg.formats.atomic import replacing
from fullseg.metrics.interaction import area_under_curve
from fullseg.sweeps.cell_folder import read_result, read_state
from fullseg.sweeps.cells import Cell, short_names
from fullseg.sweeps.file import Sweep

METRICS = {  # name in results.csv: (title in the table, factor, digits)
    "iou": ("IoU", 100, 1),  # with extreme points alone, after training
    "iou_best": ("best", 100, 1),  # highest IoU of all evaluations
    "iou_at_4": ("IoU at 4", 100, 1),  # IoU at 4 scribbles per region
    "iou_at_end": ("at the end", 100, 1),  # IoU at the most scribbles per region that all rows reach
    "auc": ("AUC", 100, 1),  # mean IoU from 0 to this number of scribbles per region
    "noc_85": ("NoC@85", 1, 2),
    "seconds_per_image": ("ms per image", 1000, 0),  # from extreme points to the region map
    "seconds_per_round": ("ms per round", 1000, 0),  # of the simulated annotator and the model
    "memory": ("memory, GB", 1e-9, 2),  # peak of the run: on the GPU, or of the process without a GPU
    "seconds": ("minutes", 1 / 60, 1),
}
# Left out of the table if it has the other metric of the pair: the table is wide.
SPARED = {"iou_best": "iou", "iou_at_end": "iou_at_4", "seconds_per_image": "seconds_per_round"}
TOGETHER = ("seed", "study.strategies")  # no groups of their own: seeds are repetitions, strategies have a column


class Row(NamedTuple):
    """The numbers of a finished cell. After a study there is one row per strategy."""

    cell: str
    parameters: dict[str, Any]
    strategy: str  # empty if the cell was not studied
    metrics: dict[str, float]
    curve: NDArray[np.float64] | None  # (R + 1, 2): scribbles per region, IoU


class Group(NamedTuple):
    """Rows that differ only in the seed."""

    values: dict[str, str]  # values that distinguish this group, by short name
    rows: list[Row]

    def values_of(self, metric: str) -> list[float]:
        """Return a metric of all rows that have it."""
        return [row.metrics[metric] for row in self.rows if metric in row.metrics]

    def mean(self, metric: str) -> float:
        """Return the mean of a metric over the rows, NaN without any."""
        values = self.values_of(metric)
        return float(np.mean(values)) if values else float("nan")

    def deviation(self, metric: str) -> float:
        """Return the sample standard deviation of a metric over the rows, NaN for fewer than two."""
        values = self.values_of(metric)
        return float(np.std(values, ddof=1)) if len(values) > 1 else float("nan")


def write_results(folder: Path, plan: Sweep, cells: Sequence[Cell], console: Console) -> list[Group]:
    """Write results.csv and print the table.

    Args:
        folder: the sweep's folder.
        plan: the checked sweep file.
        cells: all cells, in the sweep's order. A cell without a result has only its name and status in results.csv.
        console: the table is printed here.

    Returns:
        The groups of the table.
    """
    rows = at_equal_scribbles([row for cell in cells for row in read_rows(cell, folder / cell.name)])
    _write_csv(folder / "results.csv", rows, cells, folder)
    groups = group(rows, plan.varied)
    if groups:
        console.print(_table(f"{plan.name}: {len({row.cell for row in rows})} of {len(cells)} cells", groups))
        console.print(f"written     {folder}/results.csv", soft_wrap=True, highlight=False)
    return groups


def read_rows(cell: Cell, folder: Path) -> list[Row]:
    """Read the result of a cell: one row, or one row per strategy after a study; no row if the cell is not done."""
    content = read_result(folder)
    if content is None:
        return []
    after, study = content["after"] or {}, content["study"] or {"strategies": {}}
    common = {
        "iou": after.get("iou"),
        "iou_best": content["best"],
        "seconds_per_image": after.get("seconds_per_image"),
        "memory": content["memory"],
        "seconds": read_state(folder).seconds,
    }
    asked = cell.config.study.strategies if cell.config is not None else []
    chosen = {name: study["strategies"][name] for name in asked if name in study["strategies"]}
    if not chosen:
        return [Row(cell.name, cell.parameters, "", _known(common), None)]
    rows = []
    for name, strategy in chosen.items():
        curve = np.array([strategy["scribbles_per_region"], strategy["iou"]], dtype=float).T  # (R + 1, 2)
        metrics = {
            **common,
            "iou": common["iou"] if after else strategy["iou"][0],
            "iou_at_4": float(np.interp(4, *curve.T)) if curve[-1, 0] >= 4 else None,
            "iou_at_end": strategy["iou"][-1],
            "auc": strategy["auc"],
            "noc_85": strategy["noc"]["0.85"],
            "seconds_per_round": strategy["seconds_per_round"],
        }
        rows.append(Row(cell.name, cell.parameters, name, _known(metrics), curve))
    return rows


def at_equal_scribbles(rows: Sequence[Row]) -> list[Row]:
    """Return the rows with IoU at the end, and area, at and up to the most scribbles per region that all rows reach."""
    most = min((row.curve[-1, 0] for row in rows if row.curve is not None), default=0.0)
    return [row if row.curve is None else row._replace(metrics=_up_to(most, row.curve, row.metrics)) for row in rows]


def _up_to(most: float, curve: NDArray[np.float64], metrics: dict[str, float]) -> dict[str, float]:
    x, iou = curve.T
    return {**metrics, "iou_at_end": float(np.interp(most, x, iou)), "auc": area_under_curve(x, iou, most)}


def _known(metrics: dict[str, float | None]) -> dict[str, float]:
    return {key: value for key, value in metrics.items() if value is not None}


def group(rows: Iterable[Row], varied: Sequence[str]) -> list[Group]:
    """Group the rows that differ only in the seed. The groups are in the order of their first rows."""
    rows = list(rows)
    names = [name for name in varied if name not in TOGETHER]
    titles = short_names(names)
    studied = len({row.strategy for row in rows}) > 1
    groups: dict[tuple[str, ...], Group] = {}
    for row in rows:
        values = {titles[name]: str(row.parameters[name]) for name in names}
        values |= {"strategy": row.strategy} if studied else {}
        groups.setdefault(tuple(values.values()), Group(values, [])).rows.append(row)
    return list(groups.values())


def metrics_in_table(groups: Sequence[Group]) -> list[str]:
    """Return the metrics for the table, in order: those that some row has and that no other metric replaces."""
    there = [key for key in METRICS if any(one.values_of(key) for one in groups)]
    stood_in_for = {key for key, other in SPARED.items() if other in there}
    if any(one.values_of("iou_best") != one.values_of("iou") for one in groups):
        stood_in_for.discard("iou_best")
    return [key for key in there if key not in stood_in_for]


def _table(title: str, groups: Sequence[Group]) -> Table:
    several = max(len(one.rows) for one in groups) > 1
    table = Table(title=title, caption="mean ± standard deviation over runs; IoU and AUC in percent" if several else "")
    for name in groups[0].values:
        table.add_column(name)
    table.add_column("runs", justify="right")
    metrics = metrics_in_table(groups)
    for key in metrics:
        table.add_column(METRICS[key][0], justify="right")
    for one in groups:
        table.add_row(*one.values.values(), str(len(one.rows)), *(_number(one, key) for key in metrics))
    return table


def _number(one: Group, key: str) -> str:
    _, factor, digits = METRICS[key]
    if not one.values_of(key):
        return ""
    text = f"{factor * one.mean(key):.{digits}f}"
    return text if np.isnan(one.deviation(key)) else f"{text} ± {factor * one.deviation(key):.{digits}f}"


def _write_csv(path: Path, rows: Sequence[Row], cells: Sequence[Cell], folder: Path) -> None:
    """Write results.csv: one line per row, and one line per cell without a row."""
    lines: list[dict[str, Any]] = [
        {"cell": row.cell, "status": "done", **row.parameters, "strategy": row.strategy, **row.metrics} for row in rows
    ]
    lines += [
        {"cell": cell.name, "status": read_state(folder / cell.name).status, **cell.parameters}
        for cell in cells
        if cell.name not in {row.cell for row in rows}
    ]
    order = {cell.name: number for number, cell in enumerate(cells)}
    lines.sort(key=lambda line: order[line["cell"]])
    columns = [
        "cell",
        "status",
        *dict.fromkeys(name for cell in cells for name in cell.parameters),
        "strategy",
        *METRICS,
    ]
    with replacing(path) as partial, partial.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(lines)
