"""The data sets of a run and their loaders, for Lightning."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.overrides.distributed import UnrepeatedDistributedSampler
from torch import Tensor
from torch.utils.data import DataLoader

from fullseg.config.schema import Config, DataConfig, ExtremePointsConfig, ScribblesConfig
from fullseg.data.annotated import AHEAD, SESSIONS, annotated_loader, check_counterpart, needs_counterpart
from fullseg.data.dataset import EpochSampler, EvaluationSet, Item
from fullseg.data.index.partitions import check_disjoint
from fullseg.data.loaders import make_loader, make_training_set
from fullseg.data.prepare import prepare
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.data.sessions import SessionLoader
from fullseg.data.splits import open_split, open_training, second_data
from fullseg.data.steps import batches_of_epoch, batches_of_run, share_of_batch
from fullseg.errors import DataError
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.types import Batch, Category


class InteractiveDataModule(L.LightningDataModule):
    """Images with regions; the workers of the loaders simulate their annotations.

    Args:
        config: where the data is, how it is transformed, and how many images a step takes; None: the embedded scenes.
        extreme_points: how imprecise the extreme points of training are; None: the defaults.
        scribbles: the scribbles of training; None: it has extreme points alone.
        counterpart: the network on whose errors training scribbles, or its checkpoint or run folder. Without it, and
            with ``scribbles.predictor=self``, training scribbles on the errors of the trained module's ``segmenter``.
        seed: of the run.

    Raises:
        ConfigError: if the scribbles need a counterpart and none is given.

    Attributes:
        annotated: the loader of training batches with scribbles; None before training and without scribbles.
    """

    def __init__(
        self,
        config: DataConfig | None = None,
        *,
        extreme_points: ExtremePointsConfig | None = None,
        scribbles: ScribblesConfig | None = None,
        counterpart: Segmenter | str | Path | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.config, self.seed = config or DataConfig(), seed
        self.extreme_points = extreme_points or ExtremePointsConfig()
        self.scribbles = scribbles or ScribblesConfig()
        check_counterpart(self.scribbles, named=counterpart is not None)
        if isinstance(counterpart, str | Path):
            counterpart = Predictor.from_checkpoint(counterpart).segmenter
        self.counterpart = counterpart if needs_counterpart(self.scribbles) else None
        self.annotated: ScribbledLoader | SessionLoader | None = None
        self.kept: dict[str, Any] = {}  # states of the loaders of the run that is resumed, by their kind
        self.skipped: set[str] = set()

    @classmethod
    def from_config(cls, config: Config, counterpart: Segmenter | str | Path | None = None) -> "InteractiveDataModule":
        """Return the data module of a configuration, for example of ``load_config("experiments/default.yaml")``."""
        return cls(
            config.data,
            extreme_points=config.extreme_points,
            scribbles=config.scribbles,
            counterpart=counterpart,
            seed=config.seed,
        )

    def prepare_data(self) -> None:
        """Generate or import the data, once per machine."""
        second = [second_data(self.config)] if self.config.mix.part else []  # wrong options are named before any work
        for config in (self.config, *second):
            prepare(config)

    def setup(self, stage: str | None = None) -> None:
        """Open both splits, or only the evaluation split if the stage is not ``fit``.

        Raises:
            DataError: if files are missing or damaged, or the splits have different categories.
        """
        config, folder = self.config, prepare(self.config)
        if stage in ("fit", None) and not hasattr(self, "train_partitions"):
            self.train_partitions = open_training(config, folder)
        if not hasattr(self, "val_partitions"):
            self.val_partitions = open_split(config, folder, "val")
        known = getattr(self, "train_partitions", self.val_partitions)
        if known.categories != self.val_partitions.categories:
            raise DataError(f"{folder}: {config.train_split} and {config.val_split} have different categories")
        if hasattr(self, "train_partitions") and not config.common_images:
            check_disjoint(self.train_partitions, self.val_partitions, config.train_split, config.val_split)

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
        """Return the loader of random crops, other ones every epoch. With ``scribbles`` it adds scribbles to them.

        Raises:
            ConfigError: if the ranks cannot share a batch evenly.
            DataError: if there are fewer samples than one step takes.
        """
        config = self.config
        dataset = make_training_set(self.train_partitions, config, self.extreme_points, self.seed)
        rank, ranks = self._rank()
        share = share_of_batch(config.batch_size, ranks)
        sampler = EpochSampler(len(dataset), batch_size=share, rank=rank, ranks=ranks, seed=self.seed)
        # A run that was stopped within an epoch goes on with the next sample of that epoch.
        sampler.first = lambda: self._batches_had(batches_of_epoch) * share
        loader = make_loader(dataset, sampler, batch_size=share, workers=config.workers)
        self._close()
        if self.counterpart is not None and self.trainer is not None:
            self.counterpart.eval().to(self.trainer.strategy.root_device)
        self.annotated = annotated_loader(
            loader,
            self.scribbles,
            move=self._move,
            predict=self._predict,
            kept=self.kept,
            taken=lambda: self._batches_had(batches_of_run),
            seed=self.seed,
        )
        self.kept = {}
        return self.annotated or loader

    def _move(self, batch: Batch) -> Batch:
        if self.trainer is None:
            return batch
        moved: Batch = self.trainer.strategy.batch_to_device(batch, self.trainer.strategy.root_device)
        return moved

    @torch.no_grad()
    def _predict(self, batch: Batch) -> Tensor:
        assert self.trainer is not None
        segmenter: Any = self.counterpart or self.trainer.lightning_module.segmenter
        with self.trainer.precision_plugin.forward_context():
            region_maps: Tensor = segmenter.region_maps(batch)
            return region_maps

    def _batches_had(self, count: Callable[[int, int, int], int]) -> int:
        """Return how many batches of each rank the epoch or the run has had, by a function of ``data/steps.py``."""
        trainer = self.trainer
        if trainer is None or trainer.global_step == 0:
            return 0
        return count(trainer.global_step, int(trainer.num_training_batches), trainer.accumulate_grad_batches)

    @property
    def scribbler(self) -> Scribbler | None:
        """What adds all scribbles of a batch at once during training; None: nothing does."""
        return self.annotated.scribbler if isinstance(self.annotated, ScribbledLoader) else None

    @property
    def in_sessions(self) -> bool:
        """Whether a batch is trained on in rounds of scribbles. Then ``answer`` must be called in every step."""
        return self.scribbles.rounds > 0

    def answer(self, region_maps: Tensor) -> None:
        """Take the prediction (B, H, W) int64 of a step in sessions, on which the next round is drawn."""
        assert isinstance(self.annotated, SessionLoader)
        self.annotated.answer(region_maps)

    def state_dict(self) -> dict[str, Any]:
        """Return the states of the loaders of all ranks, on every rank: scribbles that can't be simulated again."""
        ended = self._batches_had(batches_of_epoch) == 0  # then the next batch is another one than that of the loader
        state = self.annotated.state() if self.annotated and (self.in_sessions or not ended) else None
        ranks = self._rank()[1]
        every: list[Any] = [state]
        if ranks > 1:
            every = [None] * ranks
            torch.distributed.all_gather_object(every, state)
        return {SESSIONS if self.in_sessions else AHEAD: every}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take the state of this rank's loader. If the number of ranks has changed, its scribbles begin anew."""
        rank, ranks = self._rank()
        self.kept = {kind: every[rank] for kind, every in state_dict.items() if len(every) == ranks}

    def teardown(self, stage: str) -> None:  # noqa: ARG002  Lightning's signature
        """End the processes that simulate scribbles. The next training starts others."""
        self._close()

    def _close(self) -> None:
        if self.annotated is not None:
            self.annotated.simulator.close()
        self.annotated = None

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
        return make_loader(dataset, sampler, batch_size=1, workers=self.config.workers)

    test_dataloader = predict_dataloader = val_dataloader

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
