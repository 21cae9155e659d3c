"""The images of a study, from Lightning's batches to the records of all ranks."""

from typing import Any

import lightning as L
import torch

from fullseg.study.records import ImageRecord
from fullseg.types import Batch, Category, Sample, SampleKey

Records = dict[str, list[ImageRecord]]  # by strategy


def sample_of(batch: Batch) -> Sample:
    """Return the only sample of a batch."""
    epoch, index = batch.keys[0].tolist()
    return Sample(
        SampleKey(epoch, index),
        batch.names[0],
        batch.images[0].permute(1, 2, 0).cpu().numpy(),
        batch.region_maps[0].cpu().numpy(),
        batch.classes.cpu().numpy(),
        batch.extreme_points.cpu().numpy(),
    )


def categories_of(trainer: L.Trainer) -> tuple[Category, ...]:
    """Return the classes of the data. The model's classes would not do: a model with one map for all has none."""
    categories: tuple[Category, ...] = trainer.datamodule.categories  # type: ignore[attr-defined]
    return categories


def gather_records(records: Records, ranks: int) -> Records:
    """Return the records of all ranks, on each rank, in the order of the images."""
    parts: list[Any] = [records]
    if ranks > 1:
        parts = [None for _ in range(ranks)]
        torch.distributed.all_gather_object(parts, records)
    return {
        name: sorted((record for part in parts for record in part[name]), key=lambda record: record.index)
        for name in records
    }


def use_one_thread() -> None:
    """Use one thread per image. Images share the cores, and results have the same bits for any number of workers."""
    torch.set_num_threads(1)
