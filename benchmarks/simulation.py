"""Time the simulated annotator's round against its limits, and the scribbles of training against a step.

python benchmarks/simulation.py
    One round on an image of 640 x 480 pixels and 15 regions, one core: error regions (limit 8 ms), scribbles, drawing
    (limit 25 ms together).
"""

import statistics
import time
from collections.abc import Callable

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from fullseg.data.dataset import pack_scribbles
from fullseg.model.annotation_maps import draw_scribbles
from fullseg.simulation import allocate, error_regions, simulate_scribble
from fullseg.simulation.interaction import training_scribbles
from fullseg.training.folder import machine

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


def main() -> None:
    """Print the table."""
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


if __name__ == "__main__":
    main()
