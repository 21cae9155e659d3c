"""Memory of a training over all of its processes: ``python benchmarks/memory.py EXPERIMENT.yaml [key=value ...]``.

For each number of loader processes it trains once and reads, twice a second, the proportional set size (PSS) of the
trainer and of all processes that it started: private pages count in full, shared ones in parts that add up. Linux only.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

PERIOD = 0.5  # seconds between two looks
GIB = 2**30


class Peak(NamedTuple):
    """The most memory that a training held, in bytes."""

    trainer: int
    others: int  # loaders, scribblers, W&B's process: all together
    total: int  # at one moment


def pss(process: int) -> int:
    """Return the proportional set size of a process in bytes; 0 if it has ended."""
    try:
        rollup = Path(f"/proc/{process}/smaps_rollup").read_text()
    except (OSError, ProcessLookupError):
        return 0
    return 1024 * sum(int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:"))


def descendants(process: int) -> list[int]:
    """Return the processes that a process started, and those that they started."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except (OSError, ProcessLookupError):
            continue
        parents[int(stat.parent.name)] = int(fields[1])
    found = [process]
    for parent in found:
        found += [child for child, of in parents.items() if of == parent]
    return found[1:]


def measure(command: list[str]) -> Peak:
    """Run a training to its end and return the most memory that it held; raise CalledProcessError if it fails."""
    peak = Peak(0, 0, 0)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            trainer, others = pss(process.pid), sum(pss(child) for child in descendants(process.pid))
            now = Peak(trainer, others, trainer + others)
            peak = Peak(*(max(pair) for pair in zip(peak, now, strict=True)))
            time.sleep(PERIOD)
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)
    return peak


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("experiment", metavar="EXPERIMENT.yaml")
    parser.add_argument("overrides", nargs="*", metavar="key=value")
    parser.add_argument("--workers", nargs="+", type=int, default=[0, 1, 2, 4], help="loader processes (0 1 2 4)")
    options = parser.parse_args()
    table = Table("data.workers", "trainer", "others", "all at once", title="peak PSS in GiB")
    for workers in options.workers:
        with tempfile.TemporaryDirectory() as runs:
            fixed = [f"data.workers={workers}", f"runs={runs}", "trainer.progress_bar=false"]
            peak = measure([sys.executable, "-m", "fullseg", "train", options.experiment, *options.overrides, *fixed])
        table.add_row(str(workers), *(f"{part / GIB:.2f}" for part in peak))
        print(f"data.workers={workers}: {peak.total / GIB:.2f} GiB", file=sys.stderr)
    Console().print(table)


if __name__ == "__main__":
    main()
