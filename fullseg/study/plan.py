"""The plan of a study: what the simulated annotator does with every image."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.interaction import Round, interact
from fullseg.simulation.noise import Noise
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.simulation.seconds import PAPER, Seconds
from fullseg.types import Annotations, Sample

# Annotations and number of the round -> region map (H, W) int64; or masks (N, H, W) bool, each by itself.
Predict = Callable[[Annotations, int], NDArray[Any]]
Model = Callable[[NDArray[np.uint8]], Predict]  # takes an image (H, W, 3) RGB and returns what segments it


class Plan(NamedTuple):
    """What the simulated annotator does with every image."""

    rounds: int  # R: rounds of scribbles
    noise: Noise
    seed: int
    seconds: Seconds = PAPER

    def annotate(self, sample: Sample, predict: Predict, allocation: str) -> Iterator[Round]:
        """Annotate one image.

        Args:
            sample: the image, its true regions and its extreme points.
            predict: of the model that is corrected; with ``alone`` it returns masks (N, H, W) bool.
            allocation: ``per_region``, ``free`` or ``alone``, see ``interact``.

        Returns:
            An iterator over R + 1 states: after the extreme points, and after every round. They depend on nothing but
            the sample, the model and the plan.
        """
        return interact(
            sample.region_map,
            sample.extreme_points,
            predict,
            strategy=allocation,
            rounds=self.rounds,
            noise=self.noise,
            rng_of=lambda number: seeded(self.seed, EVALUATION, 0, sample.key.index, number),
        )
