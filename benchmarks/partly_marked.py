"""How good regions are while their neighbours are not annotated yet.

python benchmarks/partly_marked.py CHECKPOINT EXPERIMENT [key=value ...]
    Of each evaluation image, one region, half of the regions, or all of them get extreme points, drawn at random. It
    prints the mean IoU of these regions, with and without a background that competes (``Predictor.predict(partly=)``).
    Example: python benchmarks/partly_marked.py runs/beyond/partly/latest beyond/partly data.root=/path/to/BSDS500
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from evaluation import evaluation_images
from numpy.typing import NDArray
from rich.progress import track

from fullseg.config.load import load_config
from fullseg.data.transforms import keep_some_regions
from fullseg.metrics.region_iou import region_iou
from fullseg.model.predictor import Predictor
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.types import Annotations, Sample

PARTS = ("one region", "half of the regions", "all regions")


class Partial(NamedTuple):
    """An image of which some regions are annotated."""

    part: str
    truth: NDArray[np.int64]  # (H, W), region in [0, N), VOID, or BACKGROUND, which are the other regions
    extreme_points: NDArray[np.float32]  # (N, 4, 2)


def partials(sample: Sample, seed: int) -> Iterator[Partial]:
    """Yield an image with one region, half of its regions and all of them."""
    count = len(sample.classes)
    for number, (part, kept) in enumerate(zip(PARTS, (1, (count + 1) // 2, count), strict=True)):
        rng = seeded(seed, EVALUATION, 0, sample.key.index, number)
        truth, chosen = keep_some_regions(sample.region_map, np.arange(count), kept, rng)
        yield Partial(part, truth, sample.extreme_points[chosen])


def main() -> None:
    """Measure and print the table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("experiment")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_args()
    config = load_config(f"experiments/{arguments.experiment}.yaml", arguments.options)
    predictor = Predictor.from_checkpoint(arguments.checkpoint)
    found: dict[tuple[str, bool], list[NDArray[np.float64]]] = {}
    images = evaluation_images(config)
    for index in track(range(len(images)), description="images"):
        sample = images[index].sample
        predictor.set_image(sample.image)
        for part, truth, points in partials(sample, config.seed):
            for partly in (False, True):
                prediction = predictor.predict(Annotations(points, []), partly=partly)
                found.setdefault((part, partly), []).append(region_iou(prediction, truth, len(points)))
    print("| annotated | without a background | with one |\n| --- | ---: | ---: |")
    for part in PARTS:
        cells = [f"{100 * np.nanmean(np.concatenate(found[part, partly])):.1f}" for partly in (False, True)]
        print(f"| {part} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
