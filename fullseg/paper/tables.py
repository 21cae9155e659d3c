"""The table of ``fullseg paper``: as text for the terminal, and as markdown."""

from collections.abc import Iterator, Sequence
from itertools import groupby

from rich.console import Console
from rich.table import Table

from fullseg.paper.results import Row

CAPTION = (
    "Mean IoU in percent: mean ± sample standard deviation over the seeds. Brackets: 95 % confidence interval of the "
    "mean difference (Student's t over the seeds, paired by seed). It says what other seeds would give on the same "
    "images, not what other images would give."
)


def columns_of(seeds: Sequence[int]) -> tuple[str, str, str, str]:
    """Return the titles of the table's columns."""
    return "", "ours", "paper", f"seed{'s' * (len(seeds) > 1)} {' '.join(map(str, seeds))}"


def cells_of(row: Row) -> tuple[str, str, str, str]:
    """Return a row's cells as text: title, ours, the paper's, and each seed or why there is nothing."""
    sign, digits = ("+", 2) if row.difference else ("", 1)
    form = f"{sign}.{digits}f"
    ours = "" if row.mean is None else format(row.mean, form)
    if row.difference and row.interval is not None:
        ours += " [{}, {}]".format(*(format(end, form) for end in row.interval))
    elif row.deviation is not None:
        ours += f" ± {row.deviation:.1f}"
    each = " ".join("-" if value is None else format(value, form) for value in row.values) if row.known else ""
    paper = "" if row.paper is None else format(row.paper, f"{sign}.1f")
    return row.title, ours, paper, "; ".join(filter(None, (each, row.note)))


def sections_of(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield the title and the rows of each section."""
    for section, some in groupby(rows, key=lambda row: row.section):
        yield section, list(some)


def print_table(console: Console, rows: Sequence[Row], seeds: Sequence[int]) -> None:
    """Print the table."""
    table = Table(title="ours beside the paper's", caption=CAPTION, caption_justify="left")
    for number, title in enumerate(columns_of(seeds)):
        table.add_column(title, justify="right" if number in (1, 2) else "left")
    for section, some in sections_of(rows):
        table.add_section()
        table.add_row(f"[bold]{section}[/bold]")
        for row in some:
            title, *others = (text.replace("[", r"\[") for text in cells_of(row))
            table.add_row(f"  {title}", *others)
    console.print(table, highlight=False)


def markdown(
    rows: Sequence[Row], seeds: Sequence[int], command: str, options: Sequence[str], failed: Sequence[str]
) -> str:
    """Return the table as a page of markdown.

    Args:
        rows: of the table.
        seeds: of the plan.
        command: that made it.
        options: that change the models or the studies.
        failed: a line for each stage that failed.
    """
    lines = ["# Ours beside the paper's", "", CAPTION, ""]
    titles = columns_of(seeds)
    lines += [_line(titles), "|---|---:|---:|---|"]
    for section, some in sections_of(rows):
        lines += [_line((f"**{section}**", "", "", "")), *(_line(cells_of(row)) for row in some)]
    lines += ["", f"Command: `{command}`", ""]
    if failed:
        lines += ["Failed:", "", *(f"- {line}" for line in failed), ""]
    if options:
        lines += [f"With these options the models and studies are not the paper's: `{' '.join(options)}`", ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
