"""The data sets of a run and their loaders, for Lightning."""

import warnings
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler
from torch.utils.data import DataLoader

from fullseg.config.checks import parse_fraction
from fullseg.config.schema import DataConfig
from fullseg.data.coco_instances import CocoInstances
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.dataset import EpochSampler, EvaluationSet, Item, TrainingSet, collate
from fullseg.data.index.partitions import IndexedPartitions, check_disjoint
from fullseg.data.prepare import prepare
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.data.sessions import SessionLoader, Sessions
from fullseg.data.transforms import training_transform
from fullseg.data.workers import ignore_ctrl_c, worker_context
from fullseg.errors import DataError
from fullseg.types import Batch, Category

AHEAD, SESSIONS = "scribbles_ahead", "sessions"  # in a checkpoint: the states of ScribbledLoader and of SessionLoader


class InteractiveDataModule(L.LightningDataModule):
    """Images with regions; the workers of the loaders simulate their annotations.

    Args:
        config: where the data is and how it is transformed.
        jitter: of the extreme points in training, in pixels.
        vary_jitter: each training sample draws its own jitter, a whole number of pixels from 0 to ``jitter``.
        seed: of the run.

    Attributes:
        scribbler: adds scribbles to the training batches, all at once; None: it doesn't.
        sessions: trains every batch in rounds of scribbles; None: it doesn't. Without both, training has extreme points
            alone.
        annotated: the loader of training batches with scribbles, of one of the two; None before training.
    """

    def __init__(self, config: DataConfig, *, jitter: float, vary_jitter: bool, seed: int) -> None:
        super().__init__()
        self.scribbler: Scribbler | None = None
        self.sessions: Sessions | None = None
        self.annotated: ScribbledLoader | SessionLoader | None = None
        self.kept: dict[str, Any] = {}  # states of the loaders of the run that is resumed, by their kind
        self.config, self.seed = config, seed
        self.jitter, self.vary_jitter = jitter, vary_jitter
        self.skipped: set[str] = set()

    def prepare_data(self) -> None:
        """Generate or import the data, once per machine."""
        prepare(self.config)

    def setup(self, stage: str | None = None) -> None:
        """Open both splits, or only the evaluation split to ``validate``.

        Raises:
            DataError: if files are missing or damaged, or the splits have different categories.
        """
        config, folder = self.config, prepare(self.config)
        if stage != "validate" and not hasattr(self, "train_partitions"):
            self.train_partitions = self._read(folder, config.train_split, config.train_annotators, "train_fraction")
        if not hasattr(self, "val_partitions"):
            self.val_partitions = self._read(folder, config.val_split, config.val_annotators, "val_fraction")
        known = getattr(self, "train_partitions", self.val_partitions)
        if known.categories != self.val_partitions.categories:
            raise DataError(f"{folder}: {config.train_split} and {config.val_split} have different categories")
        if hasattr(self, "train_partitions"):
            check_disjoint(self.train_partitions, self.val_partitions, config.train_split, config.val_split)

    def _read(self, folder: Path, split: str, annotators: str, fraction: str) -> IndexedPartitions:
        config = self.config
        limits: dict[str, Any] = {"max_regions": config.max_regions, "skip_bad": config.skip_bad}
        options = limits | {"fraction": parse_fraction(f"data.{fraction}", getattr(config, fraction))}
        if config.format == "coco_instances":
            return CocoInstances(folder, split, cache=Path(config.cache), **options)
        return CocoPanoptic(folder, split, cache=Path(config.cache), annotators=annotators, **options)

    @property
    def categories(self) -> tuple[Category, ...]:
        """The classes of the data set."""
        return self.val_partitions.categories

    @property
    def has_background(self) -> bool:
        """Whether a pixel may be of no region, as in data of single objects."""
        return self.config.format == "coco_instances"

    def fingerprint(self) -> dict[str, str | int]:
        """Return what identifies the data: number of samples and hash of each split that was opened."""
        splits = {name: getattr(self, f"{name}_partitions", None) for name in ("train", "val")}
        found = [(name, split) for name, split in splits.items() if split is not None]
        return {
            **{f"{name}_samples": len(split) for name, split in found},
            **{f"{name}_hash": split.fingerprint() for name, split in found},
        }

    def train_dataloader(self) -> DataLoader[Item] | ScribbledLoader | SessionLoader:
        """Return the loader of random crops, other ones every epoch. A scribbler or sessions add scribbles to them."""
        config = self.config
        transform = training_transform(
            crop_size=config.crop_size,
            scale=(config.scale[0], config.scale[1]),
            flip=config.flip,
            colour=config.colour,
        )
        dataset = TrainingSet(
            self.train_partitions,
            transform=transform,
            jitter=self.jitter,
            vary_jitter=self.vary_jitter,
            min_region_area=config.min_region_area,
            regions_per_image=config.regions_per_image,
            seed=self.seed,
        )
        rank, ranks = self._rank()
        sampler = EpochSampler(len(dataset), batch_size=config.batch_size, rank=rank, ranks=ranks, seed=self.seed)
        steps = self.trainer.global_step if self.trainer else 0
        # A run that was stopped within an epoch goes on with the next sample of that epoch.
        sampler.first = steps * config.batch_size % len(sampler)
        loader = self._loader(dataset, sampler, config.batch_size)
        if self.sessions is not None:
            self.annotated = SessionLoader(loader, self.sessions, self.kept.get(SESSIONS), steps)
        elif self.scribbler is not None:
            self.annotated = ScribbledLoader(loader, self.scribbler, self.kept.get(AHEAD))
        self.kept = {}
        return self.annotated or loader

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the loaders of all ranks, on every rank: scribbles that can't be simulated again."""
        state = self.annotated.state() if self.annotated else None
        ranks = self._rank()[1]
        every: list[Any] = [state]
        if ranks > 1:
            every = [None] * ranks
            torch.distributed.all_gather_object(every, state)
        return {SESSIONS if self.sessions else AHEAD: every}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of this rank's loader. If the number of ranks has changed, its scribbles begin anew."""
        rank, ranks = self._rank()
        self.kept = {kind: every[rank] for kind, every in state_dict.items() if len(every) == ranks}

    def teardown(self, stage: str) -> None:  # noqa: ARG002  Lightning's signature
        """End the processes that simulate scribbles."""
        for simulator in (self.scribbler, self.sessions):
            if simulator:
                simulator.close()
        self.scribbler = self.sessions = None

    def steps_per_epoch(self, ranks: int) -> int:
        """Return the number of optimiser steps of one pass over the training samples."""
        return len(self.train_partitions) // (self.config.batch_size * ranks)

    def evaluation_set(self) -> EvaluationSet:
        """Return the evaluation images as samples."""
        return EvaluationSet(self.val_partitions, min_region_area=self.config.min_region_area, seed=self.seed)

    def val_dataloader(self) -> DataLoader[Item]:
        """Return the loader of whole images: one per batch, and each exactly once over all ranks."""
        dataset = self.evaluation_set()
        rank, ranks = self._rank()
        if len(dataset) < ranks:
            raise DataError(
                f"{len(dataset)} evaluation images on {ranks} processes, but each process needs one: lower "
                "trainer.devices, or raise data.val_fraction"
            )
        sampler = UnrepeatedDistributedSampler(dataset, num_replicas=ranks, rank=rank, shuffle=False)
        return self._loader(dataset, sampler, 1)

    def _loader(
        self, dataset: TrainingSet | EvaluationSet, sampler: EpochSampler | UnrepeatedDistributedSampler, batch: int
    ) -> DataLoader[Item]:
        return DataLoader(
            dataset,
            batch_size=batch,
            sampler=sampler,
            collate_fn=collate,
            num_workers=self.config.workers,
            persistent_workers=self.config.workers > 0,
            pin_memory=torch.cuda.is_available(),
            multiprocessing_context=worker_context() if self.config.workers else None,
            worker_init_fn=ignore_ctrl_c,
        )

    def _rank(self) -> tuple[int, int]:
        return (self.trainer.global_rank, self.trainer.world_size) if self.trainer else (0, 1)

    def on_after_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:  # noqa: ARG002  Lightning's signature
        """Warn of the samples that the workers skipped.

        Raises:
            DataError: if more were skipped than ``data.max_bad`` allows.
        """
        new = [message for message in batch.skipped if message not in self.skipped]
        self.skipped.update(new)
        for message in new:
            warnings.warn(f"skipped, {len(self.skipped)} so far: {message}", stacklevel=1)
        if len(self.skipped) > self.config.max_bad:
            listing = "\n  ".join(sorted(self.skipped)[:10])
            raise DataError(
                f"{len(self.skipped)} samples can't be read, more than data.max_bad={self.config.max_bad}; "
                f"mend or remove them, or raise the limit:\n  {listing}"
            )
        return batch
