"""Where the time of a training step goes: ``python benchmarks/training_step.py EXPERIMENT.yaml [key=value ...]``.

On random images with 15 regions each, in the size and the batch of the experiment, it prints: the median milliseconds
of the forward and the backward pass of each part; the images per second of whole optimiser steps, beside torchvision's
Mask R-CNN; and how many samples per second one loader process makes of the experiment's data.
"""

import statistics
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from limits import now
from rich.console import Console
from rich.table import Table
from torch import Tensor
from training_rates import REGIONS, autocast, device, print_rates, random_batch, training_rates
from untrained import untrained

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.model.base import Features, Strokes
from fullseg.model.losses import LOSSES
from fullseg.model.segmenter import Segmenter
from fullseg.runs.provenance import machine
from fullseg.runs.trainer import prepare_process
from fullseg.types import Batch, SampleKey

STEPS, WARM_UP, SAMPLES, ROUNDS = 10, 3, 200, 5
Seconds = dict[str, list[float]]


def time_part(seconds: Seconds, name: str, part: Callable[[Tensor], Tensor], given: Tensor) -> Tensor:
    """Time one part's forward and backward pass by itself; return its result, detached from the graph."""
    given = given.detach().requires_grad_(given.is_floating_point())
    start = now()
    result = part(given)
    middle = now()
    result.backward(torch.ones_like(result))
    seconds.setdefault(name, []).append(middle - start)
    seconds.setdefault(f"{name} backward", []).append(now() - middle)
    return result.detach()


def time_step(config: Config, segmenter: Segmenter, batch: Batch, seconds: Seconds) -> None:
    """Time the parts of one step."""
    size = (batch.images.shape[2], batch.images.shape[3])
    quads, loss = batch.extreme_points.split(REGIONS), LOSSES[config.loss]()
    strokes = Strokes.pack([]).to(batch.images.device)
    boxes: list[Tensor] = []
    features: list[Features] = []

    def backbone(images: Tensor) -> Tensor:
        features.append(segmenter.features(images))
        return features[0].coarse

    def crop(coarse: Tensor) -> Tensor:
        whole = features[0]._replace(coarse=coarse)
        images = (whole.of(image) for image in range(len(coarse)))
        inputs = [
            segmenter.region_inputs(image, quad, strokes, size) for image, quad in zip(images, quads, strict=True)
        ]
        boxes[:] = [box for _, box in inputs]
        return torch.cat([roi for roi, _ in inputs])

    def compete(logits: Tensor) -> Tensor:
        parts = zip(logits.split(REGIONS), boxes, batch.region_maps, strict=True)
        return torch.stack([loss(*part) for part in parts]).mean()

    with autocast(config):
        coarse = time_part(seconds, "backbone", backbone, batch.images)
        rois = time_part(seconds, "annotation maps, RoIAlign", crop, coarse)
        logits = time_part(seconds, "head", lambda rois: segmenter.head(rois, boxes[0], batch.classes).logits, rois)
    time_part(seconds, "canvas and loss", compete, logits)


def step_parts(config: Config, steps: int) -> dict[str, tuple[float, float]]:
    """Return the median seconds of the forward and of the backward pass of each part of a step."""
    segmenter, batch = untrained(config).to(device()).train(), random_batch(config, np.random.default_rng(0))
    seconds: Seconds = {}
    for _ in range(WARM_UP + steps):
        time_step(config, segmenter, batch, seconds)
    median = {name: statistics.median(times[WARM_UP:]) for name, times in seconds.items()}
    return {name: (median[name], median[f"{name} backward"]) for name in median if not name.endswith(" backward")}


def print_parts(config: Config) -> None:
    """Print the table of parts."""
    title = f"{machine()}; batch {config.data.batch_size}, {config.data.crop_size} px, {REGIONS} regions per image"
    table = Table("part", "forward, ms", "backward, ms", title=f"{title}, on {device()}")
    for name, pair in step_parts(config, STEPS).items():
        table.add_row(name, *(f"{1e3 * value:.1f}" for value in pair))
    Console(width=120).print(table)


def print_loader(config: Config) -> None:
    """Print the speed of the loader."""
    data = InteractiveDataModule(
        config.data, jitter=config.extreme_points.jitter, vary_jitter=config.extreme_points.varied, seed=config.seed
    )
    data.setup()
    dataset = data.train_dataloader().dataset
    start = time.perf_counter()
    for index in range(SAMPLES):
        dataset[SampleKey(0, index)]
    print(f"one loader process: {SAMPLES / (time.perf_counter() - start):.0f} samples per second")


def main() -> None:
    """Print the parts, the rates and the speed of the loader."""
    config = load_config(sys.argv[1], sys.argv[2:])
    prepare_process(config)
    print_parts(config)
    print_rates(config, training_rates(config, ROUNDS))
    print_loader(config)


if __name__ == "__main__":
    main()
