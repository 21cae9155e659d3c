"""How the steps of training take the images: the share of each process, and where a resumed run goes on."""

import math

from fullseg.errors import ConfigError


def share_of_batch(batch_size: int, ranks: int) -> int:
    """Return the images per step of each rank.

    Args:
        batch_size: images per step, over all ranks.
        ranks: number of processes.

    Raises:
        ConfigError: if the ranks cannot share them evenly.
    """
    if batch_size % ranks:
        raise ConfigError(
            f"data.batch_size={batch_size}: {ranks} processes cannot share {batch_size} images evenly; choose a "
            f"multiple of {ranks}, for example data.batch_size={math.ceil(batch_size / ranks) * ranks}, or another "
            "number of processes (trainer.devices)"
        )
    return batch_size // ranks


def batches_of_epoch(step: int, batches: int, accumulated: int) -> int:
    """Return how many batches of each rank an epoch has had, if a run has stopped after a whole step.

    Args:
        step: optimiser steps of the run.
        batches: of each rank in an epoch.
        accumulated: batches of each rank per optimiser step. The last step of an epoch may have fewer.
    """
    return step % math.ceil(batches / accumulated) * accumulated


def batches_of_run(step: int, batches: int, accumulated: int) -> int:
    """Return how many batches of each rank the run has had, likewise."""
    epochs = step // math.ceil(batches / accumulated)
    return epochs * batches + batches_of_epoch(step, batches, accumulated)
