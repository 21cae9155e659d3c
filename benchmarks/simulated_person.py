"""Annotates a folder of photographs as a person would, so that replays, calibration and learning can be tried.

python benchmarks/simulated_person.py FOLDER EXPERIMENT [--checkpoint photos] [--images 20] [--first 0] [key=value ...]
    The evaluation images of the experiment become photographs in FOLDER. A simulated person annotates them: extreme
    points and scribbles that correct the model, with the noise of study.noise and the time of study.seconds. The
    journal and the exports in FOLDER/fullseg are those of the annotator.
    Example: python benchmarks/simulated_person.py people beyond/islands data.root=/path/to/BSDS500
        study.noise.points=2 study.noise.scribble_length=30 study.seconds.region=9 study.seconds.scribble=2.5
        study.seconds.hesitation=0.3
"""

import argparse
from collections.abc import Iterable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from evaluation import evaluation_images
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track

from fullseg.annotator.actions import Action, Add, Fill, Finish, Scribbles, Stroke
from fullseg.annotator.export import EXPORT, Exports, export_image
from fullseg.annotator.store import JOURNAL, Journal
from fullseg.annotator.work import History, Work
from fullseg.config.load import load_config
from fullseg.model.predictor import Predictor
from fullseg.simulation.noise import Noise
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.simulation.seconds import Seconds
from fullseg.study.corrections import lengths_of
from fullseg.study.models import network_model
from fullseg.study.plan import Model, Plan
from fullseg.types import Category, Sample


class Person(NamedTuple):
    """How a simulated person annotates."""

    plan: Plan  # rounds, noise, seed and mean times
    allocation: str = "free"
    exact: bool = False  # the finished labels are the truth, as if painted; else those of the model in the end


def annotate(folder: Path, samples: Iterable[Sample], model: Model, person: Person, category: Category) -> None:
    """Write photographs, journal and exports.

    Args:
        folder: of the photographs; the rest goes to ``fullseg`` in it.
        samples: images, none larger than the annotator shows them to the network, and their true regions.
        model: that the person corrects.
        person: how it works.
        category: of all regions.
    """
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / "fullseg"
    journal = Journal(out / JOURNAL)
    for sample in samples:
        name = f"{Path(sample.name.split('#')[0]).stem}.png"
        Image.fromarray(sample.image).save(folder / name)
        journal.open_image(name, sample.region_map.shape)
        history = History((Work(sample.region_map.shape),))
        actions = list(_actions(sample, model, person))
        for revision, (action, seconds) in enumerate(actions[:-1]):
            journal.append(name, revision, action, seconds)
            history = history.after(action)
        last: Any = actions[-1]
        journal.append(name, len(actions) - 1, Finish(done=True), 0.5)
        labels = np.where(sample.region_map >= 0, sample.region_map, -1) if person.exact else last
        count = len(history.work.regions)
        export_image(out / EXPORT, name, history.work, labels, [category.id] * count, {category.id}, len(actions))
    journal.close()
    Exports(out / EXPORT).collect([category], folder)


def _actions(sample: Sample, model: Model, person: Person) -> Iterator[tuple[Action, float] | NDArray[np.int64]]:
    """Yield the actions on one image with their times, and last the final labels."""
    rng = seeded(person.plan.seed, EVALUATION, 1, sample.key.index, 0)
    times = person.plan.seconds
    labels = sample.region_map
    for number, state in enumerate(person.plan.annotate(sample, model(sample.image), person.allocation)):
        labels = state.prediction
        if number == 0:
            for points in state.annotations.extreme_points:
                quad: Any = tuple(map(tuple, points.tolist()))
                yield Add(points=quad), times.region * times.factors(1, rng).item()
        seconds = times.of_scribbles(lengths_of(state.new_scribbles), rng)
        for scribble, time in zip(state.new_scribbles, seconds.tolist(), strict=True):
            stroke = Stroke(region=scribble.region + 1, points=tuple(map(tuple, scribble.points.tolist())))
            yield Scribbles(strokes=(stroke,)), time
    yield Fill(filled=True), 1.0
    yield labels


def main() -> None:
    """Annotate the images that the arguments name."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("experiment")
    parser.add_argument("--checkpoint", default="photos")
    parser.add_argument("--images", type=int, default=20, help="number of images")
    parser.add_argument("--first", type=int, default=0, help="number of the first image")
    parser.add_argument("--allocation", default="free", choices=("free", "per_region"))
    parser.add_argument("--exact", action="store_true", help="finish every image to the last pixel")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_intermixed_args()
    config = load_config(f"experiments/{arguments.experiment}.yaml", arguments.options)
    predictor = Predictor.from_checkpoint(arguments.checkpoint)
    model = network_model(predictor.segmenter, None, "cpu", nullcontext, hold_scribbles=True)
    noise, seconds = Noise(**vars(config.study.noise)), Seconds(**vars(config.study.seconds))
    person = Person(Plan(config.study.rounds, noise, config.seed, seconds), arguments.allocation, exact=arguments.exact)
    images = evaluation_images(config)
    chosen = range(arguments.first, min(len(images), arguments.first + arguments.images))
    samples = (images[index].sample for index in track(chosen, description="images"))
    annotate(arguments.folder, samples, model, person, Category(1, "region", isthing=False))


if __name__ == "__main__":
    main()
