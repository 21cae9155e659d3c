"""How long a correction takes with fullseg and with others, in one run: ``make bench``.

python benchmarks/bench.py [--device DEVICE] [--compare]
    On one image of 640 x 480 px with 15 regions it times the first look at the image, one scribble more, and 15
    scribbles more. It prints the table, writes it to benchmarks/RESULTS.md, and plots the cost against N to
    benchmarks/cost.png. --compare writes nothing; it fails if a ratio is more than 20 % worse than in
    benchmarks/RESULTS.md.
"""

import argparse
import importlib.util
import statistics
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch
from limits import Peaks, Work, count_work, measure_peaks, peak_memory, seconds
from peers import Peer, peers
from rich.console import Console
from rich.progress import track
from scaling import measure_scaling, plot_scaling, scaling_table
from scene import Scene, corrections, make_scene

from fullseg.runs.provenance import commit, machine

REGIONS, SIZE = 15, (480, 640)
SCRIBBLES, ROUNDS = 15, 5
SLOW, FEW = 0.5, 2  # of a peer whose update takes longer than this many seconds, only so many scribbles are timed
VERY_SLOW = 5.0  # seconds: a peer that takes longer is timed in two rounds only
WORSE = 1.2  # factor by which a ratio may get worse
RESULTS = Path(__file__).parent / "RESULTS.md"
COLUMNS = ("", "image once, ms", "one scribble, ms", "15 scribbles, ms", "x fullseg", "GFLOP", "at peak, ms")
COLUMNS += ("moved, MB", "at peak, ms", "memory, MB")


class Row(NamedTuple):
    """The times of one peer in ms, its work and its memory."""

    name: str
    image: list[float]  # of the first look at the image
    scribble: list[float]  # of one scribble more
    together: list[float]  # of 15 scribbles more
    work: Work  # for 15 scribbles
    memory: float  # of the whole process at its peak, in MB


def measure(device: str) -> list[Row]:
    """Time all peers in turn, round after round, so that a slow minute of the machine affects them all."""
    scene = make_scene(REGIONS, SIZE, ROUNDS + 1)
    known = available(device)
    made = {name: make() for name, make in known.items()}
    times: dict[str, list[list[float]]] = {name: [[], [], []] for name in made}
    works: dict[str, Work] = {}
    for number in track(range(ROUNDS), description="timing"):
        for name, peer in made.items():
            once, one, all_ = times[name]
            if number > 1 and max(once[-1], all_[-1]) > VERY_SLOW:
                continue
            for times_of, found in zip((once, one, all_), time_peer(peer, scene), strict=True):
                times_of.extend(found)
            if name not in works:
                works[name] = count_work(partial(peer.update, list(corrections(scene, REGIONS))[-1]))
    memory = {name: memory_of(name, device) for name in made}
    return [
        Row(name, *([1e3 * value for value in values] for values in times[name]), works[name], memory[name])
        for name in made
    ]


def time_peer(peer: Peer, scene: Scene) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds for the image, for single scribbles after a first round, and for a whole round."""
    image = [seconds(lambda: peer.set_image(scene.image))]
    states = list(corrections(scene, 1))
    peer.update(states[0])
    slow = seconds(partial(peer.update, states[REGIONS])) > SLOW
    timed = states[REGIONS + 1 : REGIONS + 1 + (FEW if slow else SCRIBBLES)]
    one = [seconds(partial(peer.update, state)) for state in timed]
    together = [seconds(partial(peer.update, states[3 * REGIONS]))]
    return image, one, together


def available(device: str) -> dict[str, Callable[[], Peer]]:
    """Return the peers that are installed, and print which are not."""
    found = peers(device)
    if importlib.util.find_spec("transformers") is None:
        print("SAM is left out: it needs transformers, pip install -e '.[bench]'", file=sys.stderr)
        del found["SAM ViT-B"]
    return found


def memory_of(name: str, device: str) -> float:
    """Return the peak memory of a process that only runs this peer, in MB."""
    command = [sys.executable, __file__, "--device", device, "--memory", name]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()[-1])


def use_memory(name: str, device: str) -> float:
    """Run one peer and return the peak memory of this process, in MB."""
    scene = make_scene(REGIONS, SIZE, 1)
    peer = peers(device)[name]()
    peer.set_image(scene.image)
    for state in corrections(scene, REGIONS):
        peer.update(state)
    return peak_memory(device)


def table(rows: list[Row], peaks: Peaks) -> list[str]:
    """Return the lines of the table in Markdown: medians, and quartiles in brackets."""
    ours = statistics.median(rows[0].scribble)
    lines = [f"| {' | '.join(COLUMNS)} |", "| --- |" + 9 * " ---: |"]
    for row in rows:
        ratio = statistics.median(row.scribble) / ours
        cells = [spread(row.image), spread(row.scribble), spread(row.together), f"{ratio:.2f}"]
        cells += [f"{row.work.flops / 1e9:.0f}", f"{1e3 * row.work.flops / peaks.flops:.0f}"]
        cells += [f"{row.work.bytes / 1e6:.0f}", f"{1e3 * row.work.bytes / peaks.bytes:.0f}", f"{row.memory:.0f}"]
        lines.append(f"| {row.name} | {' | '.join(cells)} |")
    return lines


def spread(values: list[float]) -> str:
    """Return median and quartiles as text, or the median alone of fewer than four values."""
    if len(values) < 4:
        return f"{statistics.median(values):.0f}"
    low, middle, high = statistics.quantiles(values, n=4)
    return f"{middle:.0f} ({low:.0f}-{high:.0f})"


def ratios(lines: list[str]) -> dict[str, float]:
    """Read the ratio of every peer from the lines of a table in Markdown."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines if line.startswith("| ")]
    return {row[0]: float(row[4]) for row in rows if len(row) == 10 and row[4].replace(".", "").isdigit()}


def worse(before: dict[str, float], now: dict[str, float]) -> list[str]:
    """Return a line per peer whose ratio, its time to fullseg's, has fallen by more than 20 %."""
    return [
        f"{name}: {before[name]:.2f} x fullseg's time before, {now[name]:.2f} x now"
        for name in before.keys() & now.keys()
        if now[name] * WORSE < before[name]
    ]


def main() -> None:
    """Measure, print, and write or compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--compare", action="store_true")
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.memory:
        print(use_memory(arguments.memory, arguments.device))
        return
    before = ratios(RESULTS.read_text().splitlines()) if arguments.compare else {}
    peaks = measure_peaks(arguments.device)
    lines = table(measure(arguments.device), peaks)
    print("\n".join(lines))
    if arguments.compare:
        slower = worse(before, ratios(lines))
        sys.exit("\n".join(["slower than benchmarks/RESULTS.md:", *slower]) if slower else 0)
    scaling = measure_scaling(arguments.device)
    plot_scaling(scaling, RESULTS.with_name("cost.png"))
    RESULTS.write_text(
        TEXT.format(
            machine=machine(),
            commit=commit(),
            torch=torch.__version__,
            flops=peaks.flops / 1e9,
            bytes=peaks.bytes / 1e9,
            table="\n".join(lines),
            scaling="\n".join(scaling_table(scaling)),
        )
    )
    Console(stderr=True).print(f"written: {RESULTS}", highlight=False)


TEXT = """# Benchmarks: the last results

`make bench` writes this file. {machine}; torch {torch}; commit {commit}. Measured peaks: {flops:.0f} GFLOP/s in fp32,
{bytes:.0f} GB/s.

## One image of 640 x 480 px with 15 regions

Times are medians, with quartiles in brackets. All programs run in turn, with random weights; `photos` is the model that
comes with fullseg (kriging, diffusion and a second look at the first answer). 'x fullseg' is the time
for one scribble divided by fullseg's time. GFLOP and MB are counted in one update with 15 new scribbles; the columns
beside them say how long this work would take at the measured peaks. MB counts inputs and outputs of all operations; an
update is faster than that if caches hold them. Memory is the peak of the whole process. Mask R-CNN takes no scribbles;
its mask branch runs on the same boxes. SAM gets the same points as prompts.

{table}

## Cost against the number of regions and the size of the image

'first' is the first prediction of all regions, without the backbone. 'One scribble' is the median time of fullseg's
update after one more scribble; 95 % of the updates are below the next column. 'Everything anew' computes all regions
again. Memory is the peak of a process that only updates.

{scaling}

![cost against N](cost.png)
"""

if __name__ == "__main__":
    main()
