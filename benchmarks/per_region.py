"""The cost of a region: one pass per image against one pass per region (paper, Sec. 6).

python benchmarks/per_region.py [--device DEVICE] [--most 60] [--memory 8] [--seconds 150]
    On one image of 640 x 480 px with 1 to 60 regions, with random weights in fp32, it measures how much a training step
    keeps for its backward pass, and how long a round of corrections takes in which every region gets a scribble. The
    networks are those of Table 1: ours with the light head and with the two-stage head on a ResNet-101, and DEXTR with
    crops of its own size. It prints a table per network, and writes one of all to benchmarks/PER_REGION.md and a plot
    to benchmarks/per_region.png. A step that would keep more than --memory GB is not run, and neither is a round that
    would take more than --seconds. Their numbers are in brackets: they are extrapolated along a line from those with
    fewer regions.
"""

import argparse
import shlex
import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from limits import seconds
from matplotlib.figure import Figure
from rich.progress import track
from scene import wavy_regions
from torch import Tensor
from untrained import untrained

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.data.dataset import Item, collate
from fullseg.model.losses import LOSSES
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.runs.provenance import commit, machine
from fullseg.simulation import simulate_extreme_points
from fullseg.types import Annotations, Batch, Sample, SampleKey, Scribble

COUNTS, SIZE, ROUNDS = (1, 2, 5, 15, 30, 60), (480, 640), 3
SLOW = 20.0  # seconds: a slower round is timed once
FOLDER = Path(__file__).parent
EXPERIMENTS = {
    "ours, light head": "single_region",
    "ours, two-stage head": "single_region_two_stage",
    "DEXTR": "dextr",
}


class Value(NamedTuple):
    """A number that was measured or extrapolated."""

    number: float
    measured: bool = True


class Cost(NamedTuple):
    """The cost of one network for one number of regions."""

    regions: int
    kept: Value  # for the backward pass of one image, in bytes
    image: float  # once per image, in seconds
    round: Value  # every region with one scribble more, in seconds


def one_image(count: int) -> Sample:
    """Return an image of wavy regions with their extreme points."""
    rng = np.random.default_rng(0)
    region_map, _ = wavy_regions(count, SIZE, rng)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    points = simulate_extreme_points(region_map, count, 0, rng)
    return Sample(SampleKey(0, 0), "", image, region_map, np.zeros(count, np.int64), points)


def rounds_of(sample: Sample) -> Iterator[Annotations]:
    """Yield annotations without scribbles, then round by round with one line of 30 px more in every region."""
    rng, scribbles = np.random.default_rng(1), list[Scribble]()
    yield Annotations(sample.extreme_points, [])
    for _ in range(ROUNDS):
        for region in range(len(sample.classes)):
            y, x = np.argwhere(sample.region_map == region)[rng.integers((sample.region_map == region).sum())]
            path = np.array([[x, y], [min(x + 30, SIZE[1] - 1), y]], np.float32)
            scribbles.append(Scribble(region, path))
        yield Annotations(sample.extreme_points, list(scribbles))


def kept_bytes(segmenter: Segmenter, config: Config, count: int, device: str) -> int:
    """Run a training step and return how many bytes it keeps for its backward pass, the weights not counted."""
    batch = collate([Item(one_image(count), ())])
    batch = Batch(*[part.to(device) if isinstance(part, Tensor) else part for part in batch])
    weights = {weight.untyped_storage().data_ptr() for weight in segmenter.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()  # once, even if several operations need it
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        regions = segmenter.train()(batch, batch.classes)
        loss = LOSSES[config.loss]()(regions.logits, regions.boxes, batch.region_maps[0])
    loss.backward()
    segmenter.zero_grad()
    return sum(kept.values())


def round_time(predictor: Predictor, sample: Sample) -> float:
    """Return the median seconds of a round of scribbles, without the first prediction."""
    times: list[float] = []
    for annotations in rounds_of(sample):
        times.append(seconds(partial(predictor.predict, annotations)))
        if len(times) > 1 and times[-1] > SLOW:
            break
    return statistics.median(times[1:])


def measure(name: str, config: Config, arguments: argparse.Namespace) -> list[Cost]:
    """Measure one network for all numbers of regions."""
    segmenter = untrained(config).to(arguments.device)
    costs: list[Cost] = []
    for count in track([count for count in COUNTS if count <= arguments.most], description=name):
        kept, round_ = (Value(on_line(costs, value, count), measured=False) for value in (kept_of, round_of))
        if kept.number < 1e9 * arguments.memory:
            kept = Value(kept_bytes(segmenter, config, count, arguments.device))
        sample = one_image(count)
        predictor = Predictor(segmenter, [], arguments.device, hold_scribbles=True)
        image = seconds(partial(predictor.set_image, sample.image))
        if round_.number < arguments.seconds:
            round_ = Value(round_time(predictor, sample))
        costs.append(Cost(count, kept, image, round_))
    return costs


def kept_of(cost: Cost) -> Value:
    """Return the bytes that are kept."""
    return cost.kept


def round_of(cost: Cost) -> Value:
    """Return the seconds of a round."""
    return cost.round


def line(costs: list[Cost], value: Callable[[Cost], Value]) -> tuple[float, float]:
    """Fit a line to the measured values against the number of regions, through 0 if there is one value.

    Returns:
        Intercept and slope.
    """
    points = [(cost.regions, value(cost).number) for cost in costs if value(cost).measured]
    if len(points) == 1:
        return 0.0, points[0][1] / points[0][0]
    slope, intercept = np.polyfit(*zip(*points, strict=True), 1)
    return float(intercept), float(slope)


def on_line(costs: list[Cost], value: Callable[[Cost], Value], count: int) -> float:
    """Return the value of that line at a number of regions; 0 if nothing has been measured."""
    intercept, slope = line(costs, value) if costs else (0.0, 0.0)
    return intercept + slope * count


def table(found: dict[str, list[Cost]]) -> list[str]:
    """Return the lines of the table in Markdown."""
    counts = [cost.regions for cost in next(iter(found.values()))]
    lines = [
        f"| | {' | '.join(f'N = {count}' for count in counts)} | per region |",
        "| --- |" + (len(counts) + 1) * " ---: |",
    ]
    for name, costs in found.items():
        slope = f"{line(costs, kept_of)[1] / 1e6:.0f} MB"
        lines.append(f"| {name}: kept in training, GB | {_cells(costs, kept_of, 1e-9)} | {slope} |")
    for name, costs in found.items():
        slope = f"{1e3 * line(costs, round_of)[1]:.0f} ms"
        lines.append(f"| {name}: a round of corrections, s | {_cells(costs, round_of, 1)} | {slope} |")
    for name, costs in found.items():
        lines.append(f"| {name}: once per image, s | {' | '.join(f'{cost.image:.2f}' for cost in costs)} | |")
    return lines


def _cells(costs: list[Cost], value: Callable[[Cost], Value], unit: float) -> str:
    found = [value(cost) for cost in costs]
    return " | ".join(f"{unit * v.number:.2f}" if v.measured else f"({unit * v.number:.0f})" for v in found)


def plot(found: dict[str, list[Cost]], path: Path) -> None:
    """Draw memory and time against the number of regions."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    memory, time = figure.subplots(1, 2)
    for axes, value, unit in ((memory, kept_of, 1e-9), (time, round_of, 1)):
        for name, costs in found.items():
            [dashed] = axes.plot([c.regions for c in costs], [unit * value(c).number for c in costs], "--", alpha=0.5)
            known = [(cost.regions, unit * value(cost).number) for cost in costs if value(cost).measured]
            axes.plot(*zip(*known, strict=True), "o-", color=dashed.get_color(), label=name)
    for axes, label in ((memory, "kept for the backward pass, GB per image"), (time, "a round of corrections, s")):
        axes.set(xlabel="regions", ylabel=label, yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
    figure.suptitle("dashed: extrapolated")
    memory.set_title("training")
    time.set_title("every region gets a scribble")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Measure all networks, print the tables and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="largest number of regions")
    parser.add_argument("--memory", type=float, default=8, help="GB that a step may keep")
    parser.add_argument("--seconds", type=float, default=150, help="seconds that a round may take")
    arguments = parser.parse_args()
    folder = FOLDER.parent / "experiments" / "table1"
    found: dict[str, list[Cost]] = {}
    for name, file in EXPERIMENTS.items():
        config = load_config(folder / f"{file}.yaml")
        found[name] = measure(name, config, arguments)
        print("\n".join(table({name: found[name]})))
    lines = table(found)
    plot(found, FOLDER / "per_region.png")
    command = shlex.join(["python", "benchmarks/per_region.py", *sys.argv[1:]])
    facts = {"machine": machine(), "commit": commit(), "torch": torch.__version__}
    (FOLDER / "PER_REGION.md").write_text(TEXT.format(command=command, table="\n".join(lines), **facts))


TEXT = """# The cost of a region (paper, Sec. 6)

`{command}` writes this file. {machine}; torch {torch}; commit {commit}. One image of 640 x 480
px, random weights, fp32, ResNet-101; the networks are those of experiments/table1. 'Kept in training' is the memory
that the forward pass of one image keeps for the backward pass, without the weights. In 'a round of corrections' every
region gets one more scribble, and the changed parts of the image are segmented again. Values in brackets were not
measured: they are extrapolated along a line.

{table}

![memory and time against the number of regions](per_region.png)
"""


if __name__ == "__main__":
    main()
