"""The learning rate over a run: linear warm-up, then cosine decay to 0; and how it grows with the batch."""

import math


def warmup_then_cosine(step: int, *, warmup: int, total: int) -> float:
    """Return the factor by which the learning rate of one step is multiplied.

    Args:
        step: number of the step, from 0.
        warmup: steps in which the factor rises linearly, at least 0.
        total: steps of the whole run; from here on the factor is 0.

    Returns:
        The factor, in [0, 1].
    """
    rise = min(1.0, (step + 1) / (warmup + 1))
    done = min(1.0, max(0, step - warmup) / max(1, total - warmup))
    return rise * 0.5 * (1 + math.cos(math.pi * done))


def growth_with_batch(images: int, base: int) -> float:
    """Return the factor of the learning rate for another batch size: the square root of their ratio, as AdamW needs it.

    Args:
        images: per step, over all ranks.
        base: images per step for which the learning rate is given; 0 for any number: the factor is 1.
    """
    return math.sqrt(images / (base or images))
