"""The tables that commands print at their end."""

import math
import sys
from pathlib import Path
from shlex import quote
from typing import Any

from rich.console import Console
from rich.table import Table

from fullseg.config.schema import Config
from fullseg.metrics.region_iou import SIZES
from fullseg.runs.folder import Metrics, Result, program, relative_to_here
from fullseg.runs.ranks import is_rank_0
from fullseg.study.equal import area_up_to, common_scribbles, numbers_up_to, value_at
from fullseg.study.figures import how_scribbles_act
from fullseg.training.step_parts import PARTS
from fullseg.training.study_callback import SHOWN

ALLOCATED = {"free": "free", "per_region": "per region"}  # the strategies of studies in training
ROWS = {
    "iou": "mean IoU of all regions, 0 scribbles",
    **{f"iou_{name}": f"  {name} regions" for name in SIZES},
    **{f"{name}_iou_at_{n}": f"  at {n} scribbles per region, {how}" for name, how in ALLOCATED.items() for n in SHOWN},
    **{f"{name}_eta": f"  eta, {how} (1: scribbles mend all)" for name, how in ALLOCATED.items()},
    "iou_independent": "  masks, each by itself",
    "class_accuracy": "class accuracy",
    "seconds_per_image": "seconds per image",
}


def print_result(result: Result, config: Config) -> None:
    """Print IoU before and after training, in all and by region size, the time, the run folder, and a next command."""
    if not is_rank_0():
        return
    console = Console(width=None if sys.stdout.isatty() else 100)
    count = int(result.after["regions"])
    table = Table(title=f"{config.experiment}: {count} regions of {config.data.format}, {config.data.val_split}")
    table.add_column("")
    for column in ("smallest box wins", "before training", "after training"):
        table.add_column(column, justify="right")
    filled = {"iou": result.before.get("iou_box_filling", math.nan)}
    for key, title in ROWS.items():
        if key in result.after:
            table.add_row(title, *(_number(key, column) for column in (filled, result.before, result.after)))
    console.print(table)
    if result.step_parts:
        console.print(_step_table(result.step_parts))
    folder = relative_to_here(result.folder)
    minutes = result.seconds / 60
    console.print(f"trained in {minutes:.1f} minutes, evaluations included; scores are in percent", highlight=False)
    console.print(f"run folder  {folder}", highlight=False, soft_wrap=True)
    if config.trainer.fast_dev_run:
        console.print("a test run: no checkpoint was written", highlight=False)
        return
    console.print(
        f"pictures    {folder}/figures (image, extreme points, prediction, truth)", highlight=False, soft_wrap=True
    )
    console.print(
        f"next        {program()} predict --checkpoint {quote(f'{folder}/checkpoints/best.ckpt')} --annotations "
        f"{quote(f'{folder}/example.json')} {quote(f'{folder}/example.png')} --out {quote(f'{folder}/prediction')}",
        highlight=False,
        soft_wrap=True,
    )
    if config.data.format == "scenes":
        console.print("            make train EXPERIMENT=bsds500/full_image DATA=/path/to/BSDS500", highlight=False)


def print_study(folder: Path, study: dict[str, Any]) -> None:
    """Print curves and interaction metrics of each strategy, the files, and a next command."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    title = f"{study['experiment']}: {study['regions']} regions, {study['images']} images of {study['dataset']}"
    table = Table(title=f"{title}, {study['split']}; mean IoU at scribbles per region; {how_scribbles_act(study)}")
    common = common_scribbles(study["strategies"].values())
    numbers = numbers_up_to(common)
    columns = (f"{number:g}" if number.is_integer() else f"{number:.1f}" for number in numbers)
    for column in ("strategy", *columns, f"AUC to {common:.1f}", "NoC@85", "NoC@90", "eta"):
        table.add_column(column, justify="left" if column == "strategy" else "right")
    for name, strategy in study["strategies"].items():
        curve = [_percent(value_at(strategy, "iou", number)) for number in numbers]
        effort = [f"{strategy['noc'][target]:.2f}" for target in ("0.85", "0.90")]
        eta = strategy.get("eta_of_all_rounds")  # studies by earlier versions have none
        spread = "" if eta is None else f"{eta:.2f}"
        table.add_row(name, *curve, _percent(area_up_to(strategy, common)), *effort, spread)
    console.print(table)
    console.print("IoU is interpolated between rounds, up to the scribbles per region that all reach", highlight=False)
    console.print("eta: gain of the scribbles / gain if each of them had mended its whole error", highlight=False)
    place = relative_to_here(folder)
    for text in (
        f"written     {place}/study.json, study_*.parquet, figures/fig5.png, fig6.png, worst_regions.png",
        f"next        {program()} report {quote(str(place))}",
    ):
        console.print(text, highlight=False, soft_wrap=True)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{100 * value:.1f}"


def _step_table(seconds: Metrics) -> Table:
    table = Table("part of a training step", title="time of a training step")
    whole = sum(seconds.values())
    for column in ("ms", "%"):
        table.add_column(column, justify="right")
    for part, mean in seconds.items():
        if mean:
            table.add_row(PARTS[part], f"{1e3 * mean:.1f}", f"{100 * mean / whole:.0f}")
    table.add_section()
    table.add_row("whole step", f"{1e3 * whole:.1f}", "100")
    return table


def _number(key: str, metrics: Metrics) -> str:
    if key not in metrics or math.isnan(metrics[key]):  # NaN: no region of that size
        return ""
    if key.endswith("_eta"):
        return f"{metrics[key]:.2f}"
    return f"{metrics[key]:.3f}" if key == "seconds_per_image" else f"{100 * metrics[key]:.1f}"
