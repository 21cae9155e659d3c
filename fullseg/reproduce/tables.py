"""The tables that ``fullseg reproduce`` prints."""

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from fullseg.reproduce.comparison import Comparison
from fullseg.reproduce.original import Change
from fullseg.runs.folder import relative_to_here

# Files whose metrics are all listed, even if they are identical.
LISTED = ("metrics.csv", "checkpoints/last.ckpt", "checkpoints/best.ckpt")


def print_changes(run: Path, changes: Sequence[Change], notes: Sequence[str]) -> None:
    """Print the differences of the environment. This is called before training."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    if changes:
        table = Table(
            "here and there", "that run", "here", title=f"differences of the environment from {relative_to_here(run)}"
        )
        for change in changes:
            table.add_row(*change)
        console.print(table)
    else:
        console.print(
            f"commit, packages, machine and data are the same as for {relative_to_here(run)}",
            highlight=False,
            soft_wrap=True,
        )
    for note in notes:
        console.print(f"note        {note}", highlight=False, soft_wrap=True)


def print_reproduction(folder: Path, comparisons: Sequence[Comparison], not_compared: Sequence[str]) -> None:
    """Print all metrics of training, all other metrics that differ, and how many others are identical."""
    console = Console(width=None if sys.stdout.isatty() else 140)
    table = Table(title="the run and its reproduction, bit for bit; times are not compared")
    for column in ("file", "metric", "that run", "here", "different", "largest difference", "where"):
        right = column in ("that run", "here", "different")
        table.add_column(column, justify="right" if right else "left", overflow="fold")
    others: dict[str, int] = {}
    for found in comparisons:
        if found.different or found.file in LISTED:
            gap = "" if found.largest is None else f"{found.largest:.3g}"
            share = f"{found.different} of {found.values}" if found.different else "identical"
            table.add_row(found.file, found.name, _short(found.there), _short(found.here), share, gap, found.where)
        else:
            others[found.file] = others.get(found.file, 0) + 1
    named = {found.file for found in comparisons if found.different}
    for file, count in others.items():
        table.add_row(file, f"{count} more" if file in named else f"all {count}", "", "", "identical", "", "")
    console.print(table)
    different = [found for found in comparisons if found.different]
    verdict = f"{len(different)} of {len(comparisons)} metrics differ" if different else "identical, bit for bit"
    for text in (
        *(f"not compared  {text}" for text in not_compared),
        f"result      {verdict}",
        f"written     {relative_to_here(folder)}/reproduce.json",
    ):
        console.print(text, highlight=False, soft_wrap=True)


def _short(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)[:12]
