"""The study as a Lightning callback: the simulated annotator annotates every evaluation image."""

import functools
import os
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.loggers import WandbLogger

from fullseg.config.strategies import INTERACTIVE, STRATEGIES
from fullseg.model.segmenter import Segmenter
from fullseg.runs.provenance import study_provenance
from fullseg.study.baselines import BASELINES
from fullseg.study.models import network_model, predict_functions
from fullseg.study.pictures import write_figures
from fullseg.study.plan import Model, Plan
from fullseg.study.records import ImageRecord, study_image, write_records, write_scribbles
from fullseg.study.summary import summarise, write_study
from fullseg.tracking.study import log_study
from fullseg.types import Batch, Category, Sample, SampleKey

Records = dict[str, list[ImageRecord]]  # by strategy
SHOWN = (2, 4)  # scribbles per region at which the IoU is logged


class Study(L.Callback):
    """Lets the simulated annotator correct every evaluation image with every strategy, several images at once.

    It writes ``study.json``, two tables for each strategy and ``figures/``, and logs the curves. The annotations of an
    image depend only on the image, the plan and the weights.

    Args:
        folder: folder of these files.
        header: what ``study.json`` says about the model, the data and the plan.
        plan: rounds, noise and seed of the simulated annotator.
        strategies: names in ``STRATEGIES``, in the order of the curves.
        models: further models by name. The Lightning module (``INTERACTIVE``) and the classical methods are known.
        checkpoints: paths of the further models' checkpoints by strategy, for ``study.json``.
        counterpart: model that predicts in round 0 in place of the Lightning module, or None.
        in_training: whether the Lightning module is being trained. If so, every ``every``-th evaluation is studied, but
            not the one before training. Otherwise every evaluation is studied.
        every: evaluations of the training per study, at least 1.
        resamplings: number of resamplings of the images for the 95 % bands.
        workers: images that are annotated at once; 0: one per CPU core.
        hold_scribbles: give every pixel on a scribble's line to its region, whatever the network predicts. ``frozen``
            and the classical methods always do so.
    """

    def __init__(  # noqa: PLR0913
        self,
        folder: Path,
        *,
        header: dict[str, Any],
        plan: Plan,
        strategies: Sequence[str],
        models: dict[str, Model],
        checkpoints: dict[str, str],
        counterpart: Segmenter | None,
        in_training: bool,
        every: int,
        resamplings: int,
        workers: int,
        hold_scribbles: bool,
    ) -> None:
        self.folder, self.header, self.plan, self.strategies = folder, header, plan, strategies
        self.models, self.checkpoints, self.counterpart = models, checkpoints, counterpart
        self.in_training, self.every, self.resamplings = in_training, every, resamplings
        self.workers = workers or len(os.sched_getaffinity(0))
        self.hold_scribbles = hold_scribbles
        self.result: dict[str, Any] | None = None  # content of study.json
        self._threads = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        self._slots = BoundedSemaphore(self.workers + 1)  # so that few images wait in memory
        self._pending: list[Future[dict[str, ImageRecord]]] = []

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the workers if this evaluation is studied."""
        if self.in_training:
            if trainer.state.fn != "fit":  # the evaluation before training
                return
            # Evaluations are counted from the first epoch, so that a resumed run studies the same ones.
            evaluations = (trainer.current_epoch + 1) // (trainer.check_val_every_n_epoch or 1)
            if evaluations % self.every:
                return
        self._threads = torch.get_num_threads()
        on_cpu = module.device.type == "cpu"
        self._pool = ThreadPoolExecutor(self.workers, initializer=_use_one_thread if on_cpu else None)

    def on_validation_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,
        outputs: Any,  # noqa: ANN401, ARG002  Lightning's signature
        batch: Batch,
        *_: Any,  # noqa: ANN401
    ) -> None:
        """Start to annotate one image. If all workers are busy, wait first."""
        if self._pool is None or len(batch.classes) == 0:
            return
        for future in self._pending:
            if future.done():
                future.result()  # raise an error now, not at the end
        self._slots.acquire()
        future = self._pool.submit(self._annotate, sample_of(batch), self._models(trainer, module))
        future.add_done_callback(lambda _: self._slots.release())
        self._pending.append(future)

    def on_validation_epoch_end(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Collect the results of all ranks, log the curves, and write the files."""
        if self._pool is None:
            return
        done = [future.result() for future in self._pending]
        self._close()
        records = {name: [image[name] for image in done] for name in self.strategies}
        records = gather_records(records, trainer.world_size)
        if not records[self.strategies[0]]:
            return
        categories = categories_of(trainer)
        options = {"rounds": self.plan.rounds, "resamplings": self.resamplings, "seed": self.plan.seed}
        summary = {name: summarise(images, categories, **options) for name, images in records.items()}
        for name, curve in summary.items():
            module.log(f"val/{name}_auc", curve["auc"], batch_size=1)
            module.log(f"val/{name}_iou", curve["iou"][-1], batch_size=1)
            for key, value in _how_far_scribbles_carry(curve).items():
                module.log(f"val/{name}_{key}", value, batch_size=1)
        if trainer.is_global_zero:
            self._write(trainer, module, records, summary)

    def on_exception(self, *_: Any) -> None:  # noqa: ANN401
        """Stop the workers."""
        self._close()

    def _write(
        self, trainer: L.Trainer, module: L.LightningModule, records: Records, summary: dict[str, dict[str, Any]]
    ) -> None:
        first = records[self.strategies[0]]
        header = {
            **({"checkpoint": f"step {trainer.global_step}"} if self.in_training else {}),
            **self.header,
            "images": len(first),
            "regions": sum(len(record.classes) for record in first),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        categories = categories_of(trainer)
        for name, images in records.items():
            summary[name]["per_image"] = f"study_{name}.parquet"
            summary[name]["per_scribble"] = f"study_{name}_scribbles.parquet"
            summary[name]["provenance"] = study_provenance(trainer, self.counterpart)
            if name in self.checkpoints:
                summary[name]["checkpoint"] = self.checkpoints[name]
            write_records(self.folder / summary[name]["per_image"], images, categories)
            write_scribbles(self.folder / summary[name]["per_scribble"], images)
        self.result = write_study(self.folder / "study.json", header, summary)

        @functools.cache  # the worst image may also hold the worst regions
        def annotate(index: int, name: str) -> tuple[Sample, list[Any]]:
            sample = trainer.datamodule.evaluation_set()[index].sample  # type: ignore[attr-defined]
            strategy = STRATEGIES[name]
            predict = predict_functions(self._models(trainer, module), [strategy.model], sample.image)
            return sample, list(self.plan.annotate(sample, predict[strategy.model], strategy.allocation))

        pictures = write_figures(self.folder / "figures", self.result, records, annotate)
        for logger in trainer.loggers:
            if isinstance(logger, WandbLogger):
                log_study(logger, summary, records, categories, pictures)

    def _models(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Model]:
        own = network_model(
            module.segmenter,  # type: ignore[arg-type]
            self.counterpart,
            str(module.device),
            trainer.precision_plugin.forward_context,
            hold_scribbles=self.hold_scribbles,
        )
        return {**BASELINES, INTERACTIVE: own, **self.models}

    def _annotate(self, sample: Sample, models: dict[str, Model]) -> dict[str, ImageRecord]:
        chosen = [STRATEGIES[name] for name in self.strategies]
        predict = predict_functions(models, [strategy.model for strategy in chosen], sample.image)
        return {
            name: study_image(sample, predict[strategy.model], strategy.allocation, self.plan)
            for name, strategy in zip(self.strategies, chosen, strict=True)
        }

    def _close(self) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)
            torch.set_num_threads(self._threads)  # the workers have also set the number for threads that start later
        self._pool, self._pending = None, []


def _how_far_scribbles_carry(curve: dict[str, Any]) -> dict[str, float]:
    """Return the IoU at some numbers of scribbles per region, interpolated, and eta; what is not known is left out."""
    x, iou = curve["scribbles_per_region"], curve["iou"]
    found = {f"iou_at_{number}": float(np.interp(number, x, iou)) for number in SHOWN if number <= x[-1]}
    eta = curve["eta_of_all_rounds"]
    return found if eta is None else {**found, "eta": eta}


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


def _use_one_thread() -> None:
    """Use one thread per image. Images share the cores, and results have the same bits for any number of workers."""
    torch.set_num_threads(1)
