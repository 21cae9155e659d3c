"""The loaders of samples, and when their processes begin."""

from collections.abc import Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader, DistributedSampler

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.dataset import EvaluationSet, Item, Partitions, TrainingSet, collate
from fullseg.data.transforms import training_transform
from fullseg.data.workers import begin_worker, worker_context


class LateLoader(DataLoader[Any]):
    """A loader that begins to load when its first batch is taken, and not already when it is iterated.

    Lightning iterates the loader of training before a resumed run has loaded its state, and before it has set the
    epoch. Processes that began then would load the samples of another epoch.
    """

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # an iterator without torch's private attributes
        yield from super().__iter__()


def make_training_set(
    partitions: Partitions, config: DataConfig, extreme_points: ExtremePointsConfig, seed: int
) -> TrainingSet:
    """Return the training samples of these partitions, as the options say."""
    transform = training_transform(
        crop_size=config.crop_size, scale=(config.scale[0], config.scale[1]), flip=config.flip, colour=config.colour
    )
    return TrainingSet(
        partitions,
        transform=transform,
        jitter=extreme_points.jitter,
        vary_jitter=extreme_points.varied,
        min_region_area=config.min_region_area,
        regions_per_image=config.regions_per_image,
        partly_marked=config.partly_marked,
        seed=seed,
    )


def make_loader(
    dataset: TrainingSet | EvaluationSet, sampler: DistributedSampler[Any], *, batch_size: int, workers: int
) -> DataLoader[Item]:
    """Return the loader of a data set.

    Args:
        dataset: makes the samples.
        sampler: their order, and which of them are of this rank.
        batch_size: of this rank.
        workers: number of processes that load; 0: this process does.
    """
    return LateLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=torch.cuda.is_available(),
        multiprocessing_context=worker_context() if workers else None,
        worker_init_fn=begin_worker,
    )
