"""Time and memory of networks as backbones: ``python benchmarks/backbones.py [NAME ...]``, all of FAMILIES by default.

Each network has random weights and a process of its own. It prints a row of the table of docs/backbones.md: parameters;
the least time, the work and the most memory of the process for the features of an image of 640 x 480 px; the most
memory of a training step of ``experiments/bsds500/full_image.yaml``, with a frozen and with a trained backbone; and the
licence of the weights as timm has it. Linux only.
"""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from limits import count_work
from training_rates import autocast, random_batch
from untrained import untrained

from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.model.losses import LOSSES
from fullseg.model.segmenter import Segmenter
from fullseg.runs.trainer import prepare_process

EXPERIMENT = Path(__file__).parents[1] / "experiments" / "bsds500" / "full_image.yaml"
FAMILIES = (
    "tf_efficientnet_lite0.in1k",
    "tf_efficientnet_lite2.in1k",
    "resnet50.tv_in1k",
    "convnext_tiny.fb_in22k",
    "convnext_tiny.dinov3_lvd1689m",
    "swin_tiny_patch4_window7_224.ms_in22k",
    "sam2_hiera_tiny.fb_r896_2pt1",
    "vit_small_patch16_224.augreg_in21k",
    "vit_small_patch14_reg4_dinov2.lvd142m",
    "vit_small_patch16_dinov3.lvd1689m",
)
REPEATS = 8  # of which the fastest counts


def gigabytes(call: Callable[[], Any]) -> float:
    """Return the most memory of the process while it runs a call."""
    Path("/proc/self/clear_refs").write_text("5")  # forgets the peak
    call()
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:")) * 1024 / 1e9


def milliseconds(call: Callable[[], Any]) -> float:
    """Return the least time of several calls."""
    seconds = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)


def training_step(segmenter: Segmenter, config: Config) -> Callable[[], None]:
    """Return a function that runs a training step on random images."""
    weights = [weight for weight in segmenter.parameters() if weight.requires_grad]
    optimizer, batch, loss = (
        torch.optim.AdamW(weights, fused=True),
        random_batch(config, np.random.default_rng(0)),
        LOSSES[config.loss](),
    )

    def step() -> None:
        optimizer.zero_grad()
        with autocast(config):
            regions = segmenter(batch, batch.classes)
        counts = batch.regions_per_image.tolist()
        images = zip(regions.logits.split(counts), regions.boxes.split(counts), batch.region_maps, strict=True)
        torch.stack([loss(*image) for image in images]).mean().backward()
        optimizer.step()

    return step


def row(name: str) -> str:
    """Measure a network."""
    licence = getattr(timm.get_pretrained_cfg(name), "license", None)
    config = load_config(EXPERIMENT, [f"model.backbone={name}", "data.root=."])
    prepare_process(config)
    segmenter = untrained(config).eval()
    millions = sum(weight.numel() for weight in segmenter.backbone.body.parameters()) / 1e6  # type: ignore[union-attr]
    image = torch.randint(0, 256, (1, 3, 480, 640), dtype=torch.uint8)
    with torch.inference_mode(), autocast(config):
        work = count_work(lambda: segmenter.features(image)).flops / 1e9
        of_image = gigabytes(lambda: segmenter.features(image))
        time_of_image = milliseconds(lambda: segmenter.features(image))
    segmenter.freeze_backbone()
    frozen = gigabytes(training_step(segmenter.train(), config))
    whole = gigabytes(training_step(untrained(config).train(), config))
    cells = [f"{time_of_image:.0f}", f"{work:.0f}", f"{of_image:.1f}", f"{frozen:.1f}, {whole:.1f}"]
    return f"| `{name}` | {millions:.1f} | {' | '.join(cells)} | {licence} |"


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(row(sys.argv[1]), flush=True)
    else:
        for each in sys.argv[1:] or FAMILIES:
            subprocess.run([sys.executable, __file__, each], check=True)
