"""Where all random numbers about a sample come from."""

import numpy as np

TRAINING, EVALUATION = 0, 1  # the two never share random numbers


def seeded(seed: int, purpose: int, epoch: int, image: int, round_number: int) -> np.random.Generator:
    """Return the randomness of one round on one sample, whoever draws it and in whatever order.

    Args:
        seed: of the run.
        purpose: ``TRAINING`` or ``EVALUATION``.
        epoch: in training; 0 in evaluation.
        image: number of the sample in its split.
        round_number: 0 for the sample and its extreme points, from 1 for rounds of scribbles.
    """
    return np.random.default_rng((seed, purpose, epoch, image, round_number))
