"""The source of all random numbers that concern a sample."""

import numpy as np

TRAINING, EVALUATION = 0, 1  # purposes, which never share random numbers


def seeded(seed: int, purpose: int, epoch: int, image: int, round_number: int) -> np.random.Generator:
    """Return the source of randomness for one round on one sample: a function of the arguments alone.

    Args:
        seed: of the run.
        purpose: ``TRAINING`` or ``EVALUATION``.
        epoch: of training; 0 in evaluation.
        image: number of the sample in its split.
        round_number: 0 for the sample and its extreme points, from 1 on for rounds of scribbles.
    """
    return np.random.default_rng((seed, purpose, epoch, image, round_number))
