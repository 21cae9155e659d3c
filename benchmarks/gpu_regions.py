"""Part (c) of benchmarks/gpu.sh: the most regions of one image in 80 GB, found by doubling, then by bisection."""

import gc
import math
from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from gpu_rows import MEMORY, Row, device, part_arguments, record, try_row
from limits import now
from torch import Tensor
from training_rates import our_step
from untrained import untrained

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.data.dataset import Item, collate
from fullseg.model.predictor import Predictor
from fullseg.runs.trainer import prepare_process
from fullseg.types import Annotations, Batch, Sample, SampleKey

FIRST, MOST = 64, 16384  # regions
NEAR = 1.1  # the largest number is known to this factor
TINY = ["model.feature_channels=8", "model.head_channels=8", "model.roi_size=9", "model.mask_size=9"]


def grid_image(count: int, size: tuple[int, int]) -> Sample:
    """Return an image of (H, W) pixels whose ``count`` regions are the cells of a grid; pixels beyond them are VOID."""
    height, width = size
    columns = math.ceil(math.sqrt(count * width / height))
    rows = math.ceil(count / columns)
    y, x = np.arange(height) * rows // height, np.arange(width) * columns // width
    region_map = (y[:, None] * columns + x).astype(np.int64)
    region_map[region_map >= count] = -1
    left, top = np.searchsorted(x, np.arange(columns)), np.searchsorted(y, np.arange(rows))
    right, bottom = (
        np.searchsorted(x, np.arange(columns), "right") - 1,
        np.searchsorted(y, np.arange(rows), "right") - 1,
    )
    row, column = np.divmod(np.arange(count), columns)
    corners = [(left[column], top[row]), (left[column], top[row])]
    corners += [(right[column], bottom[row]), (right[column], bottom[row])]
    points = np.stack([np.stack(corner, axis=-1) for corner in corners], axis=1).astype(np.float32)
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    return Sample(SampleKey(0, 0), "", image, region_map, np.zeros(count, np.int64), points)


def train_one(config: Config, count: int, size: tuple[int, int]) -> None:
    """Run two training steps on one image."""
    parts = collate([Item(grid_image(count, size), ())])
    batch = Batch(*[part.to(device()) if isinstance(part, Tensor) else part for part in parts])
    step = our_step(config, batch)
    step()
    step()


def predict_one(config: Config, count: int, size: tuple[int, int]) -> None:
    """Predict one image."""
    sample = grid_image(count, size)
    predictor = Predictor(untrained(config), [], device(), hold_scribbles=True)
    predictor.set_image(sample.image)
    predictor.predict(Annotations(sample.extreme_points, []))


def fits(call: Callable[[int], None], count: int) -> bool:
    """Return whether a call with so many regions does not run out of memory."""
    try:
        call(count)
    except torch.OutOfMemoryError:
        return False
    finally:
        gc.collect()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
    return True


def largest(test: Callable[[int], bool], first: int, most: int, until: float) -> tuple[int, int | None]:
    """Return the largest number for which a test holds, and the smallest for which it was seen to fail.

    Args:
        test: holds for 0 and up to some number.
        first: where doubling begins.
        most: is not exceeded.
        until: time, see ``now``, after which no test begins.
    """
    good, bad, number = 0, None, first
    while (bad is None or bad > max(good + 1, NEAR * good)) and good < most and now() < until:
        if test(number):
            good = number
        else:
            bad = number
        number = min(most, 2 * number) if bad is None else (good + bad) // 2
    return good, bad


def measure(arguments: Namespace, name: str, call: Callable[[int], None], limits: tuple[int, int, float]) -> None:
    """Record the largest number of regions of a call."""
    found, failed = largest(partial(fits, call), *limits)
    above = f"{failed} ran out of memory" if failed else "no more were tried"
    record(arguments.rows, Row(name, f"{'' if failed else 'at least '}{found} regions", note=above))


def main() -> None:
    """Measure training, then prediction."""
    arguments = part_arguments(__doc__)
    size, most = ((96, 128), 2 * FIRST) if arguments.tiny else ((480, 640), MOST)
    config = load_config("experiments/bsds500/full_image.yaml", TINY if arguments.tiny else [])
    config = replace(config, data=replace(config.data, batch_size=1))
    prepare_process(config)
    if torch.cuda.is_available():
        torch.cuda.set_per_process_memory_fraction(min(1.0, MEMORY / torch.cuda.mem_get_info()[1]))
    start, of = now(), f"in {MEMORY / 1e9:.0f} GB, one image of {size[1]} x {size[0]} px"
    for number, (name, call) in enumerate({"a training step": train_one, "a prediction": predict_one}.items(), start=1):
        limits = FIRST, most, start + number * 0.4 * arguments.seconds
        title = f"{name} {of}"
        try_row(arguments.rows, title, partial(measure, arguments, title, partial(call, config, size=size), limits))  # type: ignore[arg-type]


if __name__ == "__main__":
    main()
