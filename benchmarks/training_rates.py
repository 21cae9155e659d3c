"""Images per second of whole optimiser steps: ours, and torchvision's Mask R-CNN on the same images and regions."""

import statistics
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch
import torchvision
from limits import now
from rich.console import Console
from rich.table import Table
from torch import Tensor
from untrained import untrained

from fullseg.config.schema import Config
from fullseg.data.dataset import Item, collate
from fullseg.model.boxes import region_boxes
from fullseg.model.losses import LOSSES
from fullseg.runs.provenance import machine
from fullseg.runs.trainer import precision_of
from fullseg.simulation import simulate_extreme_points
from fullseg.types import Batch, Sample, SampleKey

REGIONS = 15  # per image
WARM_UP = 2  # rounds that are not counted
STEPS_ON_GPU = 10  # per round; on a CPU one
RESNET: dict[str, Any] = {"backbone": "resnet50", "features": "c4", "stride": 16}  # the backbone of the paper


class Rate(NamedTuple):
    """The speed and the memory of one model's training steps."""

    name: str
    images_per_second: list[float]  # per round
    peak_bytes: int  # peak of the GPU memory that a step takes beyond what was taken before it; 0 on a CPU


def device() -> str:
    """Return the device on which this benchmark runs."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def autocast(config: Config) -> torch.autocast:
    """Return the context for the precision with which the experiment is trained."""
    low = precision_of(config.trainer.precision, on_gpu=device() == "cuda") == "bf16-mixed"
    return torch.autocast(device(), torch.bfloat16, enabled=low)


def random_batch(config: Config, rng: np.random.Generator) -> Batch:
    """Return a batch on the device whose regions are the Voronoi cells of random points."""
    size, items = config.data.crop_size, []
    pixels = np.stack(np.indices((size, size)), axis=-1)[:, :, None]
    for _ in range(config.data.batch_size):
        region_map = ((pixels - rng.random((REGIONS, 2)) * size) ** 2).sum(axis=-1).argmin(axis=-1)
        points = simulate_extreme_points(region_map, REGIONS, 5, rng)
        image = rng.integers(0, 256, (size, size, 3)).astype(np.uint8)
        sample = Sample(SampleKey(0, 0), "", image, region_map, np.zeros(REGIONS, np.int64), points)
        items.append(Item(sample, ()))
    return Batch(*[part.to(device()) if isinstance(part, Tensor) else part for part in collate(items)])


def our_step(config: Config, batch: Batch) -> Callable[[], None]:
    """Return one optimiser step of our model."""
    segmenter, criterion = untrained(config).to(device()).train(), LOSSES[config.loss]()
    counts = batch.regions_per_image.tolist()

    def loss() -> Tensor:
        with autocast(config):
            regions = segmenter(batch, batch.classes)
        images = zip(regions.logits.split(counts), regions.boxes.split(counts), batch.region_maps, strict=True)
        return torch.stack([criterion(*image) for image in images]).mean()

    return optimizer_step(segmenter, loss, config)


def mask_rcnn_step(config: Config, batch: Batch) -> Callable[[], None]:
    """Return one optimiser step of torchvision's Mask R-CNN, which finds the same regions in the same images."""
    side = config.data.crop_size
    build = torchvision.models.detection.maskrcnn_resnet50_fpn
    model = build(weights=None, weights_backbone=None, num_classes=2, min_size=side, max_size=side).to(device()).train()
    none, targets = torch.zeros(0, dtype=torch.int64, device=device()), []
    for points, region_map in zip(batch.extreme_points.split(REGIONS), batch.region_maps, strict=True):
        masks = (region_map == torch.arange(REGIONS, device=device())[:, None, None]).to(torch.uint8)
        boxes = region_boxes(points, points.new_zeros(0, 2), none, (side, side))
        labels = torch.ones(REGIONS, dtype=torch.int64, device=device())
        targets.append({"boxes": boxes, "labels": labels, "masks": masks})

    def loss() -> Tensor:
        with autocast(config):
            losses: dict[str, Tensor] = model(list(batch.images.float() / 255), targets)
        return torch.stack(list(losses.values())).sum()

    return optimizer_step(model, loss, config)


def optimizer_step(model: torch.nn.Module, loss: Callable[[], Tensor], config: Config) -> Callable[[], None]:
    """Return a whole step: forward, backward, clipping and AdamW."""
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=1e-5, fused=True)

    def step() -> None:
        optimizer.zero_grad()
        loss().backward()
        torch.nn.utils.clip_grad_norm_(weights, config.optimizer.gradient_clip or torch.inf)
        optimizer.step()

    return step


def training_rates(config: Config, rounds: int) -> list[Rate]:
    """Measure all models in turn, round after round, so that a slow minute of the machine affects them all."""
    batch = random_batch(config, np.random.default_rng(0))
    name = f"ours, {config.model.backbone} {config.model.features}, stride {config.model.stride}"
    steps = {
        name: our_step(config, batch),
        "ours, resnet50 c4, stride 16": our_step(replace(config, model=replace(config.model, **RESNET)), batch),
        "torchvision Mask R-CNN, resnet50 fpn": mask_rcnn_step(config, batch),
    }
    rates = [Rate(name, [], 0) for name in steps]
    repeats = STEPS_ON_GPU if device() == "cuda" else 1
    for number in range(WARM_UP + rounds):
        for index, step in enumerate(steps.values()):
            before = _forget_peak()
            start = now()
            for _ in range(repeats):
                step()
            speed = repeats * config.data.batch_size / (now() - start)
            if number >= WARM_UP:
                rates[index].images_per_second.append(speed)
                rates[index] = rates[index]._replace(peak_bytes=_peak() - before)
    return rates


def _forget_peak() -> int:
    """Reset the peak of the GPU memory; return the bytes that are taken now."""
    if not torch.cuda.is_available():
        return 0
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


def _peak() -> int:
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else 0


def print_rates(config: Config, rates: list[Rate]) -> None:
    """Print the median and the spread of every model, and how many times faster than Mask R-CNN it is."""
    precision = "bf16" if autocast(config)._enabled else "fp32"
    size = f"batch {config.data.batch_size}, {config.data.crop_size} px, {REGIONS} regions per image, {precision}"
    table = Table(title=f"{machine()}; {size}; {len(rates[0].images_per_second)} rounds")
    for column in ("whole optimiser steps", "images/s", "slowest to fastest", "times Mask R-CNN", "memory, MiB"):
        table.add_column(column, justify="left" if column.startswith("whole") else "right")
    peer = statistics.median(rates[-1].images_per_second)
    for name, speeds, peak in rates:
        median, memory = statistics.median(speeds), f"{peak / 2**20:.0f}" if peak else "-"
        table.add_row(name, f"{median:.2f}", f"{min(speeds):.2f} to {max(speeds):.2f}", f"{median / peer:.2f}", memory)
    Console(width=120).print(table)
