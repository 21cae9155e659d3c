"""Time the simulated annotator's round against its limits, and the scribbles of training against a step.

python benchmarks/simulation.py [WORKERS [STEP]]
    One round on an image of 640 x 480 pixels and 15 regions, one core: error regions (limit 8 ms), scribbles, drawing
    (limit 25 ms together).
    Then how long training steps of STEP seconds (0.1) wait for scribbles: batch 8, 384 px, 16 regions an image, up to
    4 scribbles a region, from WORKERS processes (2). The step sleeps, as a process does whose step runs on a GPU.
"""

import statistics
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch.utils.data import DataLoader

from fullseg.data.dataset import Item, collate, pack_scribbles
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.model.annotation_maps import draw_scribbles
from fullseg.simulation import allocate, error_regions, simulate_scribble
from fullseg.simulation.interaction import training_scribbles
from fullseg.training.folder import machine
from fullseg.types import Annotations, Draw, Sample

HEIGHT, WIDTH, REPETITIONS = 480, 640, 30
LIMITS = {"error regions with gains": 8.0, "a round together": 25.0}  # ms


def wavy_regions(count: int, rng: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return a truth of nearest centres with wavy borders, and a prediction that is shifted in about half the image."""
    centres = rng.random((count, 2)) * (HEIGHT, WIDTH)
    waves = [cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32), (0, 0), 6) for _ in range(2)]
    y, x = (axis + 120 * wave for axis, wave in zip(np.indices((HEIGHT, WIDTH)), waves, strict=True))
    distances = (y - centres[:, 0, None, None]) ** 2 + (x - centres[:, 1, None, None]) ** 2
    truth = distances.argmin(axis=0).astype(np.int64)
    wrong = cv2.GaussianBlur(rng.standard_normal((HEIGHT, WIDTH)).astype(np.float32), (0, 0), 12) > 0
    return truth, np.where(wrong, np.roll(truth, (9, 11), (0, 1)), truth)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median and the largest of some repetitions."""
    times = []
    for _ in range(REPETITIONS):
        start = time.perf_counter()
        work()
        times.append(1e3 * (time.perf_counter() - start))
    return statistics.median(times), max(times)


def waiting(workers: int, step: float) -> float:
    """Return the part of the time that steps wait for their scribbles."""
    samples = []
    predictions = []
    for number in range(8):
        truth, prediction = wavy_regions(16, np.random.default_rng(number))
        truth, prediction = truth[:384, :384], prediction[:384, :384]
        image, points = np.zeros((384, 384, 3), np.uint8), np.zeros((16, 4, 2), np.float32)
        draw, classes = Draw(0, number), np.zeros(16, np.int64)
        samples.append(Item(Sample(draw, "", image, truth, classes, Annotations(points, [])), ()))
        predictions.append(torch.from_numpy(prediction))
    predicted = torch.stack(predictions)
    scribbler = Scribbler(predict=lambda _: predicted, move=lambda b: b, max_scribbles=4, seed=0, workers=workers)
    batches = DataLoader([item for _ in range(REPETITIONS + 1) for item in samples], batch_size=8, collate_fn=collate)
    iterator = iter(ScribbledLoader(batches, scribbler))
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


def main() -> None:
    """Print the table, and the waiting."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    table = Table("N", "part", "median, ms", "largest, ms", "limit, ms", title=f"{machine()}; one core, 640 x 480")
    for count in (15, 60):
        rng = np.random.default_rng(0)
        truth, prediction = wavy_regions(count, rng)
        errors = error_regions(truth, prediction, count)
        scribbles = [simulate_scribble(truth, prediction, error, rng) for error in allocate(errors, count, "free")]
        strokes = pack_scribbles(scribbles)
        parts: dict[str, Callable[[], object]] = {
            "error regions with gains": lambda: error_regions(truth, prediction, count),  # noqa: B023
            "scribbles": lambda: [
                simulate_scribble(truth, prediction, error, np.random.default_rng(0))  # noqa: B023
                for error in allocate(errors, count, "free")  # noqa: B023
            ],
            "drawing": lambda: draw_scribbles(torch.zeros(count, HEIGHT, WIDTH), *strokes),  # noqa: B023
        }
        together = list(parts.values())
        parts["a round together"] = lambda: [part() for part in together]  # noqa: B023
        parts["a training sample (up to 4 a region)"] = lambda: training_scribbles(
            truth,  # noqa: B023
            prediction,  # noqa: B023
            count,  # noqa: B023
            4,
            np.random.default_rng(1),
        )
        for name, part in parts.items():
            median, largest = milliseconds(part)
            limit = f"{LIMITS[name]:.0f}" if name in LIMITS and count == 15 else ""
            table.add_row(str(count), name, f"{median:.1f}", f"{largest:.1f}", limit)
        table.add_section()
    Console(width=110).print(table)
    Console().print(f"{len(errors)} error regions at N = {count}", highlight=False)
    workers, step = (int(sys.argv[1]) if len(sys.argv) > 1 else 2), (float(sys.argv[2]) if len(sys.argv) > 2 else 0.1)
    Console(width=110).print(
        f"{100 * waiting(workers, step):.1f} % of training waits for scribbles: {workers} processes, steps of {step} s",
        highlight=False,
    )


if __name__ == "__main__":
    main()
