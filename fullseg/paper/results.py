"""The rows of the table: ours, with mean and spread over the seeds, beside the paper's."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from fullseg.config.strategies import STRATEGIES as KNOWN
from fullseg.metrics.confidence import student_interval
from fullseg.paper.stages import RELEASED, STRATEGIES, STUDY, TABLE_1, TABLE_2, Plan, stage_name
from fullseg.study.equal import common_scribbles, numbers_up_to, value_at
from fullseg.sweeps.cell_folder import read_result
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.waiting import waiting_cells

TITLES = {
    "table2/maskwise": "mask-wise loss, not shared",
    "table2/maskwise_shared": "mask-wise loss, extreme points shared",
    "table2/pixelwise": "pixel-wise loss, not shared",
    "table2/pixelwise_shared": "pixel-wise loss, extreme points shared",
    "table1/single_region": "ours, single region",
    "table1/single_region_two_stage": "ours, single region, two-stage head",
    "table1/dextr": "DEXTR, trained here",
    RELEASED: "DEXTR (released)",
}
# The paper's mean IoU on COCO, in percent. Table 1's numbers are not recorded in this project.
PAPER = dict(zip(TABLE_2, (75.8, 76.0, 78.4, 79.1), strict=True))
PAPER_AT = (0, 4)  # scribbles per region at which ``config/strategies.py`` has the paper's numbers
# Sharing helps if these differences are above 0: with sharing, without it.
SHARING = {
    "mask-wise loss: shared - not shared": ("table2/maskwise_shared", "table2/maskwise"),
    "pixel-wise loss: shared - not shared": ("table2/pixelwise_shared", "table2/pixelwise"),
}
Reason = Callable[[str], str]  # why a stage has no result, by the stage's name


class Row(NamedTuple):
    """One number: ours, and the paper's."""

    section: str
    title: str
    values: list[float | None]  # of each seed, mean IoU in percent; None: there is none
    paper: float | None  # in percent; None: unknown
    note: str  # why values are missing; empty: none is
    difference: bool = False  # between two models of the same seed, in points

    @property
    def known(self) -> list[float]:
        """Return the values that there are."""
        return [value for value in self.values if value is not None]

    @property
    def mean(self) -> float | None:
        """Return the mean over the seeds."""
        return float(np.mean(self.known)) if self.known else None

    @property
    def deviation(self) -> float | None:
        """Return the sample standard deviation over the seeds; None for fewer than two."""
        return float(np.std(self.known, ddof=1)) if len(self.known) > 1 else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Return the 95 % confidence interval of the mean (Student's t over the seeds); None for fewer than two."""
        return student_interval(self.known)


class Results(NamedTuple):
    """Everything that the table and the page show."""

    rows: list[Row]
    studies: dict[int, dict[str, Any]]  # content of study.json, by seed
    common: float | None  # scribbles per region that all curves of Fig. 5 reach; None without a study


def collect(plan: Plan, cells: Sequence[Cell], reason: Reason) -> Results:
    """Read the results of all stages that are done.

    Args:
        plan: the plan.
        cells: all of its stages.
        reason: says why a stage has no result.
    """
    waiting = waiting_cells(cells, plan.folder)
    done = {cell.name: read_result(plan.folder / cell.name) for cell in cells if cell not in waiting}
    found = {name: result for name, result in done.items() if result is not None}
    studies = {seed: found[name]["study"] for seed in plan.seeds if (name := stage_name(seed, STUDY)) in found}
    entries = [study["strategies"][name] for study in studies.values() for name in STRATEGIES]
    common = common_scribbles(entries) if entries else None
    rows = [
        *_table_2(plan, found, reason),
        *_sharing(plan, found, reason),
        *_fig_5(plan, studies, common, reason),
        *_table_1(plan, found, reason),
    ]
    return Results(rows, studies, common)


def _table_2(plan: Plan, found: Mapping[str, Any], reason: Reason) -> Iterator[Row]:
    for stage in TABLE_2:
        values = [_score(found, stage_name(seed, stage), "iou") for seed in plan.seeds]
        note = _note(plan.seeds, values, stage, reason)
        yield Row("Table 2: extreme points alone", TITLES[stage], values, PAPER[stage], note)


def _sharing(plan: Plan, found: Mapping[str, Any], reason: Reason) -> Iterator[Row]:
    for title, pair in SHARING.items():
        shared, alone = ([_score(found, stage_name(seed, stage), "iou") for seed in plan.seeds] for stage in pair)
        values = [None if None in (a, b) else a - b for a, b in zip(shared, alone, strict=True)]  # type: ignore[operator]
        lacking = pair[0] if None in shared else pair[1]
        note = _note(plan.seeds, values, lacking, reason)
        note = note or ("one seed has no interval" if len(plan.seeds) == 1 else "")
        paper = PAPER[pair[0]] - PAPER[pair[1]]
        yield Row("Does sharing help? Differences in points", title, values, paper, note, difference=True)


def _fig_5(plan: Plan, studies: Mapping[int, dict[str, Any]], common: float | None, reason: Reason) -> Iterator[Row]:
    numbers = sorted({*map(float, PAPER_AT), *(numbers_up_to(common) if common is not None else ())})
    for name in STRATEGIES:
        known = KNOWN[name]
        paper = dict(zip(PAPER_AT, known.paper or (), strict=True))
        for number in numbers:
            values = [_at(studies.get(seed), name, number, common) for seed in plan.seeds]
            unreached = common is not None and number > common
            note = f"all reach only {common:.1f}" if unreached else _note(plan.seeds, values, STUDY, reason)
            title = f"{known.title}, at {number:g}" if number.is_integer() else f"{known.title}, at {number:.1f}"
            yield Row("Fig. 5: at equal scribbles per region", title, values, paper.get(number), note)


def _table_1(plan: Plan, found: Mapping[str, Any], reason: Reason) -> Iterator[Row]:
    section = "Table 1: single objects, each mask by itself"
    for stage in TABLE_1:
        values = [_score(found, stage_name(seed, stage), "iou_independent") for seed in plan.seeds]
        yield Row(section, TITLES[stage], values, None, _note(plan.seeds, values, stage, reason))
    value = _score(found, RELEASED, "iou_independent")
    note = "no training, so no seeds" if value is not None else reason(RELEASED)
    yield Row(section, TITLES[RELEASED], [value], None, note)


def _score(found: Mapping[str, Any], name: str, key: str) -> float | None:
    return 100 * float(found[name]["after"][key]) if name in found else None


def _at(study: Mapping[str, Any] | None, name: str, number: float, common: float | None) -> float | None:
    """Return a strategy's IoU in percent at a number of scribbles per region that all strategies and seeds reach."""
    if study is None or common is None or number > common:
        return None
    value = value_at(study["strategies"][name], "iou", number)
    return None if value is None else 100 * value


def _note(seeds: Sequence[int], values: Sequence[float | None], stage: str, reason: Reason) -> str:
    """Return why values are missing: the reason, or each seed with its own."""
    reasons = {
        seed: reason(stage_name(seed, stage)) for seed, value in zip(seeds, values, strict=True) if value is None
    }
    if len(set(reasons.values())) == 1 and len(reasons) == len(seeds):
        return next(iter(reasons.values()))
    return "; ".join(f"seed {seed}: {text}" for seed, text in reasons.items())
