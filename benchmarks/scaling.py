"""The cost of one scribble more against the number of regions and the size of the image."""

import statistics
import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from limits import peak_memory, seconds
from peers import Ours, Peer, Straightforward, untrained_predictor
from rich.progress import track
from scene import corrections, make_scene

CASES = [(n, (480, 640)) for n in (5, 15, 60, 200)]
CASES += [(15, (800, 1333)), (15, (2000, 2000)), (15, (4000, 4000)), (200, (4000, 4000))]
MOST_DENSE = 200 * 480 * 640 * 2  # pixels times regions: with more, everything anew would need too much memory
SCRIBBLES, REPETITIONS = 20, 3


class Cost(NamedTuple):
    """The cost of one case."""

    regions: int
    size: tuple[int, int]  # (H, W) in pixels
    first: float  # first prediction of all regions, in ms
    scribble: float  # median of one scribble more, in ms
    slowest: float  # 95 % of the scribbles are faster, in ms
    anew: float  # everything anew, in ms; NaN if it was too large to run
    memory: float  # peak of the process, in MB


def measure_scaling(device: str) -> list[Cost]:
    """Measure every case in a process of its own, because each has its own peak memory."""
    costs = []
    for regions, size in track(CASES, description="cost against N"):
        command = [sys.executable, __file__, device, str(regions), *map(str, size)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
        costs.append(Cost(regions, size, *map(float, output[-5:])))
    return costs


def measure_case(device: str, regions: int, size: tuple[int, int]) -> None:
    """Measure one case and print the last five values of ``Cost``."""
    scene = make_scene(regions, size, 5)
    states = list(corrections(scene, 1))
    ours = Ours(untrained_predictor(device))
    ours.set_image(scene.image)
    first = seconds(lambda: ours.update(states[0]))
    times = [seconds(partial(ours.update, state)) for state in states[1 : SCRIBBLES + 1]]
    memory = peak_memory(device)
    anew = float("nan")
    if regions * size[0] * size[1] <= MOST_DENSE:
        peer: Peer = Straightforward(device)
        peer.set_image(scene.image)
        anew = statistics.median(seconds(lambda: peer.update(states[1])) for _ in range(REPETITIONS))
    slowest = statistics.quantiles(times, n=20)[-1]
    print(*(1e3 * value for value in (first, statistics.median(times), slowest, anew)), memory)


def scaling_table(costs: list[Cost]) -> list[str]:
    """Return the lines of the table in Markdown."""
    lines = [
        "| N | image, px | first, ms | one scribble, ms | 95 % below | everything anew, ms | memory, MB |",
        "| ---: | --- |" + 5 * " ---: |",
    ]
    for cost in costs:
        anew = "too large" if cost.anew != cost.anew else f"{cost.anew:.0f}"
        numbers = [f"{cost.first:.0f}", f"{cost.scribble:.0f}", f"{cost.slowest:.0f}", anew, f"{cost.memory:.0f}"]
        lines.append(f"| {cost.regions} | {cost.size[1]} x {cost.size[0]} | {' | '.join(numbers)} |")
    return lines


def plot_scaling(costs: list[Cost], path: Path) -> None:
    """Draw the cost against N at 640 x 480."""
    same = [cost for cost in costs if cost.size == (480, 640)]
    counts = [cost.regions for cost in same]
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    axes.plot(counts, [cost.anew for cost in same], "s-", label="everything anew")
    axes.plot(counts, [cost.scribble for cost in same], "o-", label="fullseg")
    axes.set(xscale="log", yscale="log", xlabel="regions, N", ylabel="one scribble more, ms", xticks=counts)
    axes.set_xticklabels([str(count) for count in counts])
    axes.minorticks_off()
    axes.grid(visible=True, alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
    plt.close(figure)


if __name__ == "__main__":
    measure_case(sys.argv[1], int(sys.argv[2]), (int(sys.argv[3]), int(sys.argv[4])))
