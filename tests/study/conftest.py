"""Images, a model, and the records of a small study."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg.simulation import simulate_extreme_points
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.plan import Plan
from fullseg.study.records import ImageRecord, study_image
from fullseg.types import Annotations, Category, Sample, SampleKey

PLAN = Plan(3, NO_NOISE, 0)
CATEGORIES = [Category(1, "cup", isthing=True), Category(2, "sky", isthing=False)]


def sample(index: int) -> Sample:
    rng = np.random.default_rng(index)
    truth = rng.permutation(6).reshape(2, 3).repeat(20, axis=0).repeat(20, axis=1).astype(np.int64)
    points = simulate_extreme_points(truth, 6, 0, rng)
    image = rng.integers(0, 255, (*truth.shape, 3), dtype=np.uint8)
    classes = np.array([0, 1, 0, 1, 0, 1])
    return Sample(SampleKey(0, index), f"{index}.png", image, truth, classes, points)


def painter(of: Sample) -> Any:
    """Return a model that shifts the truth, and paints scribbles five pixels wide."""

    def predict(annotations: Annotations, _: int) -> NDArray[np.int64]:
        region_map = np.roll(of.region_map, 5, axis=1)
        for scribble in annotations.scribbles:
            for x, y in scribble.points.astype(int):
                region_map[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = scribble.region
        return region_map

    return predict


@pytest.fixture(scope="module")
def records() -> list[ImageRecord]:
    return [study_image(sample(index), painter(sample(index)), "free", PLAN) for index in range(4)]
