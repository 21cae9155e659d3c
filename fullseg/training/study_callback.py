"""The study as a Lightning callback: the simulated annotator annotates every evaluation image."""

import functools
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import BoundedSemaphore
from typing import Any

import lightning as L
import numpy as np
import torch
from lightning.pytorch.loggers import WandbLogger

from fullseg.config.schema import DataConfig
from fullseg.config.strategies import FROZEN, INTERACTIVE, SINGLE_REGION, STRATEGIES, check_strategies
from fullseg.cpu import available_cores
from fullseg.model.segmenter import Segmenter
from fullseg.runs.provenance import study_provenance
from fullseg.simulation.noise import NO_NOISE, Noise
from fullseg.simulation.seconds import PAPER, Seconds
from fullseg.study.baselines import BASELINES
from fullseg.study.models import network_model, predict_functions
from fullseg.study.pictures import write_figures
from fullseg.study.plan import Model, Plan
from fullseg.study.records import ImageRecord, study_image, write_records, write_scribbles
from fullseg.study.summary import RULES, summarise, write_study
from fullseg.tracking.study import log_study
from fullseg.training.study_images import Records, categories_of, gather_records, sample_of, use_one_thread
from fullseg.types import Batch, Sample

SHOWN = (2, 4)  # scribbles per region at which the IoU is logged


class Study(L.Callback):
    """Lets the simulated annotator correct every evaluation image with every strategy, several images at once.

    It writes ``study.json``, two tables for each strategy and ``figures/``, and logs the curves. The annotations of an
    image depend only on the image, the plan and the weights. It needs a ``SegmenterModule`` and an
    ``InteractiveDataModule``.

    Args:
        folder: folder of these files.
        rounds: rounds of scribbles, at least 1.
        strategies: names in ``STRATEGIES``, in the order of the curves.
        noise: how imprecise the simulated annotator is.
        seconds: how long it takes.
        seed: of the simulated annotator.
        every: evaluations of ``Trainer.fit`` per study, at least 1.
        after_training_starts: study only evaluations of ``Trainer.fit``, not those of ``Trainer.validate``.
        resamplings: number of resamplings of the images for the 95 % bands.
        workers: images that are annotated at once; 0: one per CPU core.
        hold_scribbles: give every pixel on a scribble's line to its region, whatever the network predicts. ``frozen``
            and the classical methods always do so.
        counterpart: model that predicts in round 0 in place of the Lightning module, or None.
        networks: further networks, each with its counterpart or None, by the name that strategies know. The Lightning
            module (``INTERACTIVE``) and the classical methods are known.
        about: what ``study.json`` says besides, for example about the checkpoint. The study does not read it.
        checkpoints: paths of the further networks' checkpoints by strategy, for ``study.json``.

    Raises:
        ConfigError: if a strategy is unknown, or if it needs a network that is not among ``networks``.
    """

    def __init__(  # noqa: PLR0913
        self,
        folder: str | Path,
        *,
        rounds: int = 8,
        strategies: Sequence[str] = ("per_region", "free"),
        noise: Noise = NO_NOISE,
        seconds: Seconds = PAPER,
        seed: int = 0,
        every: int = 1,
        after_training_starts: bool = False,
        resamplings: int = 1000,
        workers: int = 0,
        hold_scribbles: bool = True,
        counterpart: Segmenter | None = None,
        networks: Mapping[str, tuple[Segmenter, Segmenter | None]] | None = None,
        about: Mapping[str, Any] | None = None,
        checkpoints: Mapping[str, str] | None = None,
    ) -> None:
        self.folder, self.plan, self.strategies = Path(folder), Plan(rounds, noise, seed, seconds), list(strategies)
        self.every, self.after_training_starts, self.resamplings = every, after_training_starts, resamplings
        self.workers = workers or available_cores()
        self.hold_scribbles, self.counterpart, self.networks = hold_scribbles, counterpart, dict(networks or {})
        self.about, self.checkpoints = dict(about or {}), dict(checkpoints or {})
        check_strategies(self.strategies, {INTERACTIVE, FROZEN, *BASELINES, *self.networks})
        self.result: dict[str, Any] | None = None  # content of study.json
        self._threads = torch.get_num_threads()
        self._pool: ThreadPoolExecutor | None = None
        self._slots = BoundedSemaphore(self.workers + 1)  # so that few images wait in memory
        self._pending: list[Future[dict[str, ImageRecord]]] = []

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Start the workers if this evaluation is studied."""
        in_training = trainer.state.fn == "fit"
        if trainer.sanity_checking or (self.after_training_starts and not in_training):
            return
        if in_training:
            # Evaluations are counted from the first epoch, so that a resumed run studies the same ones.
            evaluations = (trainer.current_epoch + 1) // (trainer.check_val_every_n_epoch or 1)
            if evaluations % self.every:
                return
        self._threads = torch.get_num_threads()
        on_cpu = module.device.type == "cpu"
        self._pool = ThreadPoolExecutor(self.workers, initializer=use_one_thread if on_cpu else None)

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
            **self._facts(trainer, module),
            **self.about,
            "images": len(first),
            "regions": sum(len(record.classes) for record in first),
        }
        self.folder.mkdir(parents=True, exist_ok=True)
        categories = categories_of(trainer)
        for name, images in records.items():
            summary[name]["per_image"] = f"study_{name}.parquet"
            summary[name]["per_scribble"] = f"study_{name}_scribbles.parquet"
            summary[name]["seconds"] = self.plan.seconds._asdict()
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
                step = trainer.global_step if trainer.state.fn == "fit" else None
                log_study(logger, summary, records, categories, pictures, step)

    def _facts(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
        """Return what ``study.json`` says about the model, the data and the plan, unless ``about`` says it."""
        data: DataConfig = trainer.datamodule.config  # type: ignore[attr-defined]
        trained: dict[str, Any] = module.hparams.get("config", {})
        return {
            "checkpoint": f"step {trainer.global_step}",
            "experiment": trained.get("experiment", type(module).__name__),
            "dataset": data.format,
            "split": data.val_split,
            "seed": self.plan.seed,
            "rules": RULES,
            "rounds": self.plan.rounds,
            "noise": self.plan.noise._asdict(),
            "hold_scribbles": self.hold_scribbles,
            "kriging": "trained",
            "diffusion": "trained",
            "bootstrap": self.resamplings,
        }

    def _models(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Model]:
        in_training: Any = module.segmenter
        where: Any = str(module.device), trainer.precision_plugin.forward_context
        networks = {INTERACTIVE: (in_training, self.counterpart), **self.networks}
        own = {
            name: network_model(*pair, *where, hold_scribbles=self.hold_scribbles, alone=name == SINGLE_REGION)
            for name, pair in networks.items()
        }
        return {**BASELINES, **own}

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
