"""Prints the table of benchmarks/gpu.sh, and writes it as Markdown.

python benchmarks/gpu_table.py OUT FILE COMMAND
    OUT has ``parts.txt``, a line per part (its name, exit status, seconds and limit in seconds), and per part
    ``NAME.jsonl`` with its rows and ``NAME.log`` with what it printed.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path

import torch
from gpu_rows import Row, read_rows
from rich.console import Console
from rich.table import Table

from fullseg.runs.provenance import commit, machine

TITLES = {
    "data": "data",
    "rounds": "(a) corrections",
    "training": "(b) training",
    "regions": "(c) regions in memory",
    "study": "(d) study",
    "models": "(e) models",
}
STOPPED = (124, 137)  # exit statuses of ``timeout``
SEED = 0  # of all parts


def rows_of(out: Path, line: str) -> list[Row]:
    """Return the rows of a part, with its state as the first one."""
    name, status, took, limit = line.split()
    rows, state, note = read_rows(out / f"{name}.jsonl"), "done", ""
    if int(status) in STOPPED:
        state, note = "stopped", f"at its limit of {limit} s; rows that it had measured are here"
    elif int(status):
        log = (out / f"{name}.log").read_text().strip().splitlines()
        state, note = f"failed ({status})", log[-1] if log else ""
    failed = sum(row.value == "failed" for row in rows)
    note = note or (f"{failed} of its rows failed" if failed else "")
    return [Row(f"{TITLES.get(name, name)}: {state}", f"{took} s", f"at most {limit} s", note), *rows]


def main() -> None:
    """Print and write the table."""
    out, target, command = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    parts = (out / "parts.txt").read_text().splitlines()
    rows = [row for line in parts for row in rows_of(out, line)]
    total = sum(int(line.split()[2]) for line in parts)
    rows.append(Row("total", f"{total} s", "540 s"))
    about = f"{machine()}; torch {torch.__version__}; commit {commit()}; seed {SEED}; {datetime.now(UTC):%Y-%m-%d}"
    table = Table(*("", "measured", "goal", "notes"), title=about)
    for row in rows:
        table.add_row(*row)
    Console(width=200).print(table)
    lines = ["| | measured | goal | notes |", "| --- | ---: | ---: | --- |"]
    lines += [f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows]
    target.write_text(TEXT.format(command=command, about=about, table="\n".join(lines)))
    print(f"written: {target}")


TEXT = """# Measured on a GPU

`{command}` writes this file. {about}. Networks of (a), (b) and (c) have random weights.

{table}
"""

if __name__ == "__main__":
    main()
