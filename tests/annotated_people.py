"""A folder of photographs that a simulated person has annotated in the annotator, for all tests of a process."""

from contextlib import nullcontext
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from fullseg.data.scenes import generate_scene
from fullseg.simulation.extreme_points import simulate_extreme_points
from fullseg.simulation.noise import Noise
from fullseg.simulation.seconds import Seconds
from fullseg.study.plan import Plan
from fullseg.types import Category, Sample, SampleKey

NOISE = Noise(2.0, 1.5, 0, 0.15, scribble_dot=0.15, scribble_length=12, scribble_spread=0.4)
SECONDS = Seconds(9.0, 2.0, 0.05, hesitation=0.3)
IMAGES = 8


class Annotated(NamedTuple):
    """A folder of photographs and what was simulated in it."""

    folder: Path
    samples: list[Sample]

    @property
    def out(self) -> Path:
        return self.folder / "fullseg"


@pytest.fixture(scope="session")
def people(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Annotated:
    from simulated_person import Person, annotate  # it imports Lightning, which takes seconds

    from fullseg import Predictor
    from fullseg.study.models import network_model

    folder = tmp_path_factory.mktemp("people")
    samples = [sample_of(index) for index in range(IMAGES)]
    person = Person(Plan(2, NOISE, 5, SECONDS), exact=True)
    segmenter = Predictor.from_checkpoint(tiny_checkpoint).segmenter
    model = network_model(segmenter, None, "cpu", nullcontext, hold_scribbles=True)
    annotate(folder, samples, model, person, Category(1, "region", isthing=False))
    return Annotated(folder, samples)


def sample_of(index: int) -> Sample:
    scene = generate_scene(np.random.default_rng([7, index]))
    count = int(scene.region_map.max()) + 1
    points = simulate_extreme_points(scene.region_map, count, 0.0, np.random.default_rng([8, index]))
    name = f"scene {index}.jpg#0"
    return Sample(SampleKey(0, index), name, scene.image, scene.region_map, np.zeros(count, np.int64), points)
