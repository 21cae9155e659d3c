"""What is studied: strategies, and what the simulated annotator does on every image."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.interaction import Round, interact
from fullseg.simulation.noise import Noise
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.types import Annotations, Sample

Predict = Callable[[Annotations, int], NDArray[np.int64]]  # annotations and the round they are of -> region map (H, W)
Categories = Sequence[dict[str, Any]]  # id, name and isthing of every class


class Strategy(NamedTuple):
    """One curve of Fig. 5: how scribbles are allocated, and what they are given to."""

    allocation: str  # of ``allocate``
    model: str  # ``interactive``, ``single_region``, or a classical baseline


STRATEGIES = {
    "per_region": Strategy("per_region", "interactive"),
    "free": Strategy("free", "interactive"),
    "single_region": Strategy("per_region", "single_region"),
    "watershed": Strategy("free", "watershed"),
    "random_walker": Strategy("free", "random_walker"),
    "grabcut": Strategy("free", "grabcut"),
}


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
