"""The time of a round of the simulated annotator, and how long training waits for its scribbles.

python benchmarks/simulation.py [WORKERS [STEP]]
    First it times one round on an image of 640 x 480 px on one core. With 15 regions, error regions may take 8 ms, and
    error regions, scribbles and drawing 25 ms together. With the extreme points it must reach 150 images/s with 15
    regions and 60 images/s with 60. Drawing is what a study does in its first round: it draws the regions with new
    scribbles as their pixels (``draw_regions``). Training draws maps (N, H, W) on its own device, as part of a step;
    this is timed by itself.
    Then it measures how long training steps of STEP seconds (0.1) wait for scribbles: batch 8, 384 px, 16 regions per
    image, up to 4 scribbles per region, from WORKERS processes (2). The step sleeps, as a process does whose step runs
    on a GPU.
"""

import statistics
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from scene import wavy_regions
from torch.utils.data import DataLoader

from fullseg.data.dataset import Item, collate
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.model.annotation_maps import draw_scribbles
from fullseg.model.base import Strokes
from fullseg.model.interactive.drawing import draw_regions
from fullseg.runs.provenance import machine
from fullseg.simulation import allocate, error_regions, simulate_extreme_points, simulate_scribbles
from fullseg.simulation.interaction import training_scribbles
from fullseg.types import Sample, SampleKey

HEIGHT, WIDTH, REPETITIONS = 480, 640, 30
LIMITS = {"error regions with gains": 8.0, "a round together": 25.0}  # ms, at 15 regions
RATES = {15: 150, 60: 60}  # images/s by number of regions
EVERYTHING = "extreme points and a round"
JITTER = 5.0  # px, of the extreme points


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the largest milliseconds of some repetitions."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), max(times)


def waiting(workers: int, step: float) -> float:
    """Return the share of the time, in [0, 1], in which steps wait for their scribbles."""
    samples = []
    predictions = []
    for number in range(8):
        truth, prediction = wavy_regions(16, (HEIGHT, WIDTH), np.random.default_rng(number))
        truth, prediction = truth[:384, :384], prediction[:384, :384]
        image, points = np.zeros((384, 384, 3), np.uint8), np.zeros((16, 4, 2), np.float32)
        key, classes = SampleKey(0, number), np.zeros(16, np.int64)
        samples.append(Item(Sample(key, "", image, truth, classes, points), ()))
        predictions.append(torch.from_numpy(prediction))
    predicted = torch.stack(predictions)
    scribbler = Scribbler(predict=lambda _: predicted, move=lambda b: b, max_scribbles=4, seed=0, workers=workers)
    batches = DataLoader([item for _ in range(REPETITIONS + 1) for item in samples], batch_size=8, collate_fn=collate)
    iterator = iter(ScribbledLoader(batches, scribbler, None))
    next(iterator)  # the processes start
    waited, start = 0.0, time.perf_counter()
    for _ in range(REPETITIONS):
        time.sleep(step)
        mark = time.perf_counter()
        next(iterator)
        waited += time.perf_counter() - mark
    part = waited / (time.perf_counter() - start)
    scribbler.close()
    return part


def parts_of(count: int) -> dict[str, Callable[[], object]]:
    """Return the parts that are timed on an image of so many regions, by name."""
    truth, prediction = wavy_regions(count, (HEIGHT, WIDTH), np.random.default_rng(0))
    errors = error_regions(truth, prediction, count)
    chosen = allocate(errors, count, "free")
    scribbles = simulate_scribbles(truth, chosen, np.random.default_rng(0))
    quads = simulate_extreme_points(truth, count, JITTER, np.random.default_rng(0))
    changed = sorted({scribble.region for scribble in scribbles})
    paths = [[scribble.points for scribble in scribbles if scribble.region == region] for region in changed]
    strokes = Strokes.pack(scribbles)
    maps = torch.zeros(count, HEIGHT, WIDTH)  # once: new memory of this size can cost more than all the rest
    points = {"extreme points": lambda: simulate_extreme_points(truth, count, JITTER, np.random.default_rng(0))}
    steps: dict[str, Callable[[], object]] = {
        "error regions with gains": lambda: error_regions(truth, prediction, count),
        "scribbles": lambda: simulate_scribbles(truth, chosen, np.random.default_rng(0)),
        "drawing": lambda: draw_regions(quads[changed], paths, (HEIGHT, WIDTH), encoding="binary", share="all"),
    }
    return (
        points
        | steps
        | {
            "a round together": lambda: [step() for step in steps.values()],
            EVERYTHING: lambda: [step() for step in (points | steps).values()],
            "drawing into maps, as in training": lambda: draw_scribbles(maps.zero_(), *strokes),
            "a training sample (up to 4 per region)": lambda: training_scribbles(
                truth, prediction, count, 4, np.random.default_rng(1)
            ),
        }
    )


@torch.inference_mode()  # as Predictor.predict
def main() -> None:
    """Print the table, and the waiting."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    table = Table("N", "part", "median, ms", "largest, ms", "limit, ms", title=f"{machine()}; one core, 640 x 480")
    rates = []
    for count, rate in RATES.items():
        for name, part in parts_of(count).items():
            median, largest = milliseconds(part)
            limit = f"{LIMITS[name]:.0f}" if name in LIMITS and count == 15 else ""
            if name == EVERYTHING:
                limit = f"{1e3 / rate:.2f}"
                rates.append(f"{1e3 / median:.0f} images/s at N = {count} (at least {rate})")
            table.add_row(str(count), name, f"{median:.2f}", f"{largest:.1f}", limit)
        table.add_section()
    Console(width=110).print(table)
    Console(width=110).print(f"{EVERYTHING}: {', '.join(rates)}", highlight=False)
    workers, step = (int(sys.argv[1]) if len(sys.argv) > 1 else 2), (float(sys.argv[2]) if len(sys.argv) > 2 else 0.1)
    Console(width=110).print(
        f"{100 * waiting(workers, step):.1f} % of training waits for scribbles: {workers} processes, steps of {step} s",
        highlight=False,
    )


if __name__ == "__main__":
    main()
