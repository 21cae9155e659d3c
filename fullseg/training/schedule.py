"""The factors of the learning rates: linear warm-up and cosine decay over a run, and growth with the batch size."""

import math


def warmup_then_cosine(step: int, *, warmup: int, total: int) -> float:
    """Return the factor by which the learning rate of one step is multiplied.

    Args:
        step: number of the step, from 0.
        warmup: number of steps in which the factor rises linearly, at least 0.
        total: number of steps of the whole run; from this step on the factor is 0.

    Returns:
        The factor, in [0, 1].
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * done))


def growth_with_batch(images: int, base: int) -> float:
    """Return the factor of the learning rate for another batch size, which for AdamW is the square root of the ratio.

    Args:
        images: images per step, over all ranks.
        base: images per step for which the learning rate is given; 0: the factor is always 1.
    """
    return math.sqrt(images / (base or images))
