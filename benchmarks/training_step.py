"""Where the time of a training step goes: ``python benchmarks/training_step.py EXPERIMENT.yaml [key=value ...]``.

Prints the median seconds of each part's forward and backward pass, on random images of the experiment's size, batch and
model with 12 regions an image, and how fast one loader process makes samples of the experiment's data.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from fullseg.config import Config, load_config, plain
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.dataset import Item, collate
from fullseg.model.losses import LOSSES
from fullseg.model.segmenter import RegionSegmenter, Strokes
from fullseg.simulation import simulate_extreme_points
from fullseg.training.folder import machine
from fullseg.training.run import prepare_process
from fullseg.types import Annotations, Batch, Draw, Sample

REGIONS, STEPS, WARM_UP, SAMPLES = 12, 10, 3, 200

Seconds = dict[str, list[float]]


def random_batch(config: Config, rng: np.random.Generator) -> Batch:
    """Return a batch whose regions are the Voronoi cells of random points."""
    size, items = config.data.crop_size, []
    pixels = np.stack(np.indices((size, size)), axis=-1)[:, :, None]
    for _ in range(config.data.batch_size):
        region_map = ((pixels - rng.random((REGIONS, 2)) * size) ** 2).sum(axis=-1).argmin(axis=-1)
        points = simulate_extreme_points(region_map, REGIONS, 5, rng)
        image = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
        sample = Sample(Draw(0, 0), "", image, region_map, np.zeros(REGIONS, np.int64), Annotations(points, []))
        items.append(Item(sample, ()))
    return collate(items)


def time_part(seconds: Seconds, name: str, part: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
    """Run one part forward and backward by itself; return its result, cut from the graph."""
    given = given.detach().requires_grad_(given.is_floating_point())
    start = now()
    result = part(given)
    middle = now()
    result.backward(torch.ones_like(result))
    seconds.setdefault(name, []).append(middle - start)
    seconds.setdefault(f"{name} backward", []).append(now() - middle)
    return result.detach()


def now() -> float:
    """Return the time when all that was asked for is done, in seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def time_step(segmenter: RegionSegmenter, loss: torch.nn.Module, batch: Batch, seconds: Seconds) -> None:
    """Time the parts of one step."""
    size = (batch.images.shape[2], batch.images.shape[3])
    quads = batch.extreme_points.split(REGIONS)
    none = torch.zeros(0, dtype=torch.int64, device=batch.images.device)
    strokes = Strokes(torch.zeros((0, 2), device=none.device), none, none)
    boxes: list[Tensor] = []

    def crop(features: Tensor) -> Tensor:
        inputs = [segmenter.region_inputs(f, quad, strokes, size) for f, quad in zip(features, quads, strict=True)]
        boxes[:] = [box for _, box in inputs]
        return torch.cat([roi for roi, _ in inputs])

    def compete(logits: Tensor) -> Tensor:
        parts = zip(logits.split(REGIONS), boxes, batch.region_maps, strict=True)
        return torch.stack([loss(*part) for part in parts]).mean()

    with torch.autocast(none.device.type, torch.bfloat16):
        features = time_part(seconds, "backbone", segmenter.backbone, batch.images)
        rois = time_part(seconds, "annotation maps, RoIAlign", crop, features)
        logits = time_part(seconds, "head", lambda rois: segmenter.head(rois, boxes[0], batch.classes).logits, rois)
    time_part(seconds, "canvas and loss", compete, logits)


def main() -> None:
    """Print the table of parts and the speed of the loader."""
    config = load_config(sys.argv[1], sys.argv[2:])
    prepare_process(config)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = plain(config)["model"] | {"num_classes": 1}
    del model["class_specific"]
    segmenter = RegionSegmenter(**model).to(device).train()
    batch = Batch(
        *[t.to(device) if isinstance(t, Tensor) else t for t in random_batch(config, np.random.default_rng(0))]
    )
    seconds: Seconds = {}
    for _ in range(WARM_UP + STEPS):
        time_step(segmenter, LOSSES[config.loss](), batch, seconds)
    title = f"{machine()}; batch {config.data.batch_size}, {config.data.crop_size} px, {REGIONS} regions an image"
    table = Table("part", "forward, ms", "backward, ms", title=title)
    for name in [name for name in seconds if not name.endswith(" backward")]:
        pair = (statistics.median(seconds[key][WARM_UP:]) for key in (name, f"{name} backward"))
        table.add_row(name, *(f"{1e3 * value:.0f}" for value in pair))
    Console(width=120).print(table)

    data = InteractiveDataModule(config.data, jitter=config.extreme_points.jitter, seed=config.seed)
    data.setup()
    dataset = data.train_dataloader().dataset
    start = time.perf_counter()
    for index in range(SAMPLES):
        dataset[Draw(0, index)]
    print(f"one loader process: {SAMPLES / (time.perf_counter() - start):.0f} samples a second")


if __name__ == "__main__":
    main()
