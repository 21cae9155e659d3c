"""What is studied: strategies, and what the simulated annotator does on every image."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.interaction import Round, interact
from fullseg.simulation.noise import Noise
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.types import Annotations, Sample

Predict = Callable[[Annotations, int], NDArray[np.int64]]  # annotations and the round they are of -> region map (H, W)


class Plan(NamedTuple):
    """What the simulated annotator does on every image."""

    rounds: int  # R, of scribbles
    noise: Noise
    seed: int

    def annotate(self, sample: Sample, predict: Predict, allocation: str) -> Iterator[Round]:
        """Return an iterator over the R + 1 states of one image; a function of the sample and the seed alone."""
        return interact(
            sample.region_map,
            sample.extreme_points,
            predict,
            strategy=allocation,
            rounds=self.rounds,
            noise=self.noise,
            rng_of=lambda number: seeded(self.seed, EVALUATION, 0, sample.key.index, number),
        )
