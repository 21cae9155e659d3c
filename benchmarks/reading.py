"""How fast one core reads samples of COCO panoptic, at about 640 x 480 px.

python benchmarks/reading.py [--root DIR [--split val]]
    DIR has COCO panoptic data. Without it a set like COCO is written: jpg images with the spectrum of photographs, 15
    wavy regions each, ids that use all three bytes. Decoding a png into a region map must reach 150 images/s per core.
    Times are medians of processor time over some passes, so that other work on the machine counts little.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from scene import wavy_regions

from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.dataset import TrainingSet
from fullseg.data.index.files import find_files
from fullseg.data.index.partitions import read_image
from fullseg.data.transforms import training_transform
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.formats.panoptic_png import read_ids
from fullseg.runs.provenance import machine
from fullseg.types import Category, SampleKey

SIZE, REGIONS, IMAGES, PASSES = (480, 640), 15, 8, 12
LIMIT = 150.0  # images/s per core: from a png to a region map
PNG = "png: decoding and region map"


def write_set(folder: Path) -> None:
    """Write images like photographs: their amplitudes fall as 1 / frequency; jpg of quality 95."""
    rows, columns = np.fft.fftfreq(SIZE[0])[:, None], np.fft.rfftfreq(SIZE[1])
    amplitude = 1 / np.maximum(np.hypot(rows, columns), 1 / SIZE[1])
    samples = []
    for number in range(IMAGES):
        rng = np.random.default_rng(number)
        waves = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((3, *SIZE))) * amplitude, SIZE)
        image = (128 + 50 * waves / waves.std()).clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
        source = folder / f"{number}.jpg"
        Image.fromarray(image).save(source, quality=95)
        truth, _ = wavy_regions(REGIONS, SIZE, rng)
        samples.append(NewSample(source.name, source, truth, np.zeros(REGIONS, np.int64)))
    write_coco_panoptic(folder / "val", (Category(1, "region", False),), samples)


def per_second(work: Callable[[int], object], images: int) -> float:
    """Return images/s of processor time, from the median of every image."""
    seconds = []
    for index in range(images):
        times = []
        for _ in range(PASSES):
            start = time.process_time()
            work(index)
            times.append(time.process_time() - start)
        seconds.append(statistics.median(times))
    return images / sum(seconds)


def measure(root: Path, split: str, cache: Path) -> dict[str, float]:
    """Return the images/s of every part and of the whole."""
    data = CocoPanoptic(
        root, split, cache=cache, annotators="all", fraction=Parts(1, 1, 1), max_regions=10_000, skip_bad=True
    )
    images, files = min(len(data), IMAGES), find_files(root, split)
    names = [data.name(index) for index in range(images)]
    pngs = [(files.panoptic / name).with_suffix(".png") for name in names]
    transform = training_transform(crop_size=384, scale=(0.75, 1.25), flip=0.5, colour=0.5)
    training = TrainingSet(
        data,
        transform=transform,
        jitter=5.0,
        vary_jitter=False,
        min_region_area=1,
        regions_per_image=0,
        partly_marked=0,
        seed=0,
    )
    return {
        "png: decoding": per_second(lambda index: read_ids(pngs[index]), images),
        PNG: per_second(data.region_map, images),
        "jpg: decoding": per_second(lambda index: read_image(files.images / names[index]), images),
        "sample: both": per_second(data.__getitem__, images),
        "training sample: crop, colours, extreme points": per_second(lambda k: training[SampleKey(0, k)], images),
    }


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--root", type=Path)
    parser.add_argument("--split", default="val")
    options = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if options.root is None:
            write_set(Path(folder))
        rates = measure(options.root or Path(folder), options.split, Path(folder))
    table = Table("part", "images/s per core", "at least", title=f"{machine()}; {options.root or 'generated'}")
    for name, rate in rates.items():
        table.add_row(name, f"{rate:.0f}", f"{LIMIT:.0f}" if name == PNG else "")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
