"""What a region costs: one pass an image against one pass a region (paper, Sec. 6).

python benchmarks/per_region.py [--device DEVICE] [--most 60] [--memory 8]
    One image of 640 x 480 pixels with 1 to 60 regions, random weights, fp32: what a training step keeps for its
    backward pass, and how long a round of corrections takes in which every region gets a scribble. Ours with the light
    head and with the two-stage head on a ResNet-101 (Table 1's), and DEXTR in its own size. Prints a table of each, and
    writes one of all to benchmarks/PER_REGION.md and the plot to benchmarks/per_region.png. A step that would keep more
    than --memory GB is not run: its bytes follow from those of fewer regions, along a line, and are in brackets.
"""

import argparse
import statistics
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

from fullseg.config import Config, load_config
from fullseg.data.dataset import Item, collate
from fullseg.model.losses import LOSSES
from fullseg.model.predictor import Predictor
from fullseg.model.regions import Segmenter
from fullseg.simulation import simulate_extreme_points
from fullseg.training.provenance import commit, machine
from fullseg.types import Annotations, Batch, Draw, Sample, Scribble

COUNTS, SIZE, ROUNDS = (1, 2, 5, 15, 30, 60), (480, 640), 3
SLOW = 20.0  # seconds: a slower round is timed once
FOLDER = Path(__file__).parent
EXPERIMENTS = {
    "ours, light head": "single_region",
    "ours, two-stage head": "single_region_two_stage",
    "DEXTR": "dextr",
}


class Cost(NamedTuple):
    """What one network needs at one number of regions."""

    regions: int
    kept: float  # bytes for the backward pass of one image
    measured: bool  # or extrapolated
    image: float  # seconds, once an image
    round: float  # seconds, every region with one scribble more


def one_image(count: int) -> Sample:
    """Return an image of wavy regions with their extreme points."""
    rng = np.random.default_rng(0)
    region_map, _ = wavy_regions(count, SIZE, rng)
    image = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    annotations = Annotations(simulate_extreme_points(region_map, count, 0, rng), [])
    return Sample(Draw(0, 0), "", image, region_map, np.zeros(count, np.int64), annotations)


def rounds_of(sample: Sample) -> Iterator[Annotations]:
    """Yield its annotations without scribbles, then with a line of 30 px more in every region, round by round."""
    rng, scribbles = np.random.default_rng(1), list[Scribble]()
    yield sample.annotations
    for _ in range(ROUNDS):
        for region in range(len(sample.classes)):
            y, x = np.argwhere(sample.region_map == region)[rng.integers((sample.region_map == region).sum())]
            path = np.array([[x, y], [min(x + 30, SIZE[1] - 1), y]], np.float32)
            scribbles.append(Scribble(region, path))
        yield sample.annotations._replace(scribbles=list(scribbles))


def kept_bytes(segmenter: Segmenter, config: Config, count: int, device: str) -> int:
    """Return what one training step keeps for its backward pass, beside the weights, in bytes; runs that, too."""
    batch = collate([Item(one_image(count), ())])
    batch = Batch(*[part.to(device) if isinstance(part, Tensor) else part for part in batch])
    weights = {weight.untyped_storage().data_ptr() for weight in segmenter.parameters()}
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()  # once, however many operations need it
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        regions = segmenter.train()(batch, batch.classes)
        loss = LOSSES[config.loss]()(regions.logits, regions.boxes, batch.region_maps[0])
    loss.backward()
    segmenter.zero_grad()
    return sum(kept.values())


def correction_times(segmenter: Segmenter, count: int, device: str) -> tuple[float, float]:
    """Return the seconds of one image and the median of one round, after the first prediction."""
    predictor, sample = Predictor(segmenter, [], device, hold_scribbles=True), one_image(count)
    image = seconds(lambda: predictor.set_image(sample.image))
    times: list[float] = []
    for annotations in rounds_of(sample):
        times.append(seconds(partial(predictor.predict, annotations)))
        if len(times) > 1 and times[-1] > SLOW:
            break
    return image, statistics.median(times[1:])


def measure(name: str, config: Config, most: int, limit: float, device: str) -> list[Cost]:
    """Measure one network at all numbers of regions."""
    segmenter = untrained(config).to(device)
    costs: list[Cost] = []
    for count in track([count for count in COUNTS if count <= most], description=name):
        expected = _extrapolated(costs, count) if costs else 0
        measured = expected < limit
        kept = kept_bytes(segmenter, config, count, device) if measured else expected
        image, round_ = correction_times(segmenter.eval(), count, device)
        costs.append(Cost(count, kept, measured, image, round_))
    return costs


def per_region(costs: list[Cost], value: Callable[[Cost], float]) -> tuple[float, float]:
    """Return intercept and slope of a line through measured values against the number of regions; of one, through 0."""
    points = [cost for cost in costs if cost.measured]
    if len(points) == 1:
        return 0.0, value(points[0]) / points[0].regions
    slope, intercept = np.polyfit([cost.regions for cost in points], [value(cost) for cost in points], 1)
    return float(intercept), float(slope)


def _extrapolated(costs: list[Cost], count: int) -> float:
    intercept, slope = per_region(costs, lambda cost: cost.kept)
    return intercept + slope * count


def table(found: dict[str, list[Cost]]) -> list[str]:
    """Return the lines of the table, in Markdown."""
    counts = [cost.regions for cost in next(iter(found.values()))]
    lines = [
        f"| | {' | '.join(f'N = {count}' for count in counts)} | per region |",
        "| --- |" + (len(counts) + 1) * " ---: |",
    ]
    for name, costs in found.items():
        cells = [f"{cost.kept / 1e9:.2f}" if cost.measured else f"({cost.kept / 1e9:.0f})" for cost in costs]
        slope = f"{per_region(costs, lambda cost: cost.kept)[1] / 1e6:.0f} MB"
        lines.append(f"| {name}: kept in training, GB | {' | '.join(cells)} | {slope} |")
    for name, costs in found.items():
        cells = [f"{cost.round:.2f}" for cost in costs]
        slope = f"{1e3 * np.polyfit([c.regions for c in costs], [c.round for c in costs], 1)[0]:.0f} ms"
        lines.append(f"| {name}: a round of corrections, s | {' | '.join(cells)} | {slope} |")
    for name, costs in found.items():
        lines.append(f"| {name}: once an image, s | {' | '.join(f'{cost.image:.2f}' for cost in costs)} | |")
    return lines


def plot(found: dict[str, list[Cost]], path: Path) -> None:
    """Draw memory and time against the number of regions."""
    figure = Figure(figsize=(10, 4), layout="constrained")
    memory, time = figure.subplots(1, 2)
    for name, costs in found.items():
        counts = [cost.regions for cost in costs]
        [line] = memory.plot(counts, [cost.kept / 1e9 for cost in costs], "--", alpha=0.5)
        known = [cost for cost in costs if cost.measured]
        color = line.get_color()
        memory.plot(
            [cost.regions for cost in known], [cost.kept / 1e9 for cost in known], "o-", color=color, label=name
        )
        time.plot(counts, [cost.round for cost in costs], "o-", color=color, label=name)
    for axes, label in ((memory, "kept for the backward pass of an image, GB"), (time, "a round of corrections, s")):
        axes.set(xlabel="regions", ylabel=label, yscale="log")
        axes.grid(alpha=0.3)
        axes.legend()
    memory.set_title("training (dashed: extrapolated)")
    time.set_title("every region gets a scribble")
    figure.savefig(path, dpi=100)


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--most", type=int, default=COUNTS[-1], help="regions")
    parser.add_argument("--memory", type=float, default=8, help="GB that a step may keep")
    arguments = parser.parse_args()
    folder = FOLDER.parent / "experiments" / "table1"
    found: dict[str, list[Cost]] = {}
    for name, file in EXPERIMENTS.items():
        config = load_config(folder / f"{file}.yaml")
        found[name] = measure(name, config, arguments.most, 1e9 * arguments.memory, arguments.device)
        print("\n".join(table({name: found[name]})))
    lines = table(found)
    plot(found, FOLDER / "per_region.png")
    text = TEXT.format(machine=machine(), commit=commit(), torch=torch.__version__, table="\n".join(lines))
    (FOLDER / "PER_REGION.md").write_text(text)


TEXT = """# What a region costs (paper, Sec. 6)

`python benchmarks/per_region.py` writes this file. {machine}; torch {torch}; commit {commit}. One image of 640 x 480
px, random weights, fp32, ResNet-101; networks as in experiments/table1. Kept in training: what one image's forward pass
leaves for the backward pass, weights not counted, every storage once; in brackets: not run, on a line through the
others. A round of corrections: one scribble more for every region, then the image anew where it has changed.

{table}

![memory and time against the number of regions](per_region.png)
"""

if __name__ == "__main__":
    main()
