"""How good regions are while their neighbours are not annotated yet.

python benchmarks/partly_marked.py CHECKPOINT EXPERIMENT [key=value ...]
    Of each evaluation image, one region, half of the regions, or all of them get extreme points, drawn at random. It
    prints the mean IoU of these regions, with and without a background that competes (``Predictor.predict(partly=)``).
    With --rounds R an annotator then corrects one region or half of them with as many scribbles per round, on the
    largest errors: once with scribbles of these regions alone, once also with scribbles of no region.
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
from fullseg.simulation import error_regions, simulate_scribbles
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.types import BACKGROUND, VOID, Annotations, Sample, Scribble

PARTS = ("one region", "half of the regions", "all regions")


Found = dict[tuple[str, bool], list[NDArray[np.float64]]]


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


def corrected(
    predictor: Predictor, partial: Partial, rounds: int, rng: np.random.Generator, *, of_none: bool
) -> NDArray[np.float64]:
    """Return the mean IoU (rounds + 1,) of the annotated regions of an image as they are corrected."""
    _, truth, points = partial
    count = len(points)
    with_rest = np.where(truth == BACKGROUND, count, truth)  # to the annotator, the rest is one more region
    scribbles: list[Scribble] = []
    found = []
    for number in range(rounds + 1):
        prediction = predictor.predict(Annotations(points, scribbles), partly=True)
        found.append(np.nanmean(region_iou(prediction, truth, count)))
        errors = error_regions(with_rest, np.where(prediction == VOID, count, prediction), count + 1)
        errors = [error for error in errors if of_none or error.region < count]
        largest = sorted(errors, key=lambda error: -error.area)[: count if number < rounds else 0]
        drawn = simulate_scribbles(with_rest, largest, rng)
        scribbles += [one._replace(region=BACKGROUND) if one.region == count else one for one in drawn]
    return np.array(found)


def main() -> None:
    """Measure and print the tables in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("experiment")
    parser.add_argument("options", nargs="*")
    parser.add_argument("--rounds", type=int, default=0)
    arguments = parser.parse_args()
    config = load_config(f"experiments/{arguments.experiment}.yaml", arguments.options)
    predictor = Predictor.from_checkpoint(arguments.checkpoint)
    found: Found = {}
    curves: Found = {}
    images = evaluation_images(config)
    for index in track(range(len(images)), description="images"):
        sample = images[index].sample
        predictor.set_image(sample.image)
        for partial in partials(sample, config.seed):
            part, truth, points = partial
            for yes in (False, True):
                prediction = predictor.predict(Annotations(points, []), partly=yes)
                found.setdefault((part, yes), []).append(region_iou(prediction, truth, len(points)))
                if arguments.rounds and part != PARTS[-1]:
                    rng = seeded(config.seed, EVALUATION, 0, sample.key.index, len(PARTS))
                    curve = corrected(predictor, partial, arguments.rounds, rng, of_none=yes)
                    curves.setdefault((part, yes), []).append(curve)
    print("| annotated | without a background | with one |\n| --- | ---: | ---: |")
    for part in PARTS:
        cells = [f"{100 * np.nanmean(np.concatenate(found[part, partly])):.1f}" for partly in (False, True)]
        print(f"| {part} | {' | '.join(cells)} |")
    if curves:
        numbers = range(arguments.rounds + 1)
        print(f"\n| annotated | scribbles | {' | '.join(map(str, numbers))} |\n| --- | --- |{' ---: |' * len(numbers)}")
    for (part, of_none), every in curves.items():
        cells = [f"{100 * mean:.1f}" for mean in np.mean(every, axis=0)]
        print(f"| {part} | {'of these and of no region' if of_none else 'of these regions'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
