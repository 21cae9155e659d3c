"""Lightning's trainer, and the settings of the process around it, for training and for the study."""

import ctypes
import logging
import os
import sys
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import lightning as L
import torch
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.pytorch.callbacks import Callback, Checkpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger

from fullseg.config.schema import Config, epochs_between_evaluations
from fullseg.cpu import computes_bf16
from fullseg.runs.checkpoints import WholeCheckpoints
from fullseg.runs.ranks import launched

ADVICE = (
    "The '.*_dataloader' does not have many",
    ".*srun",
    ".*LeafSpec",
    "You're resuming from a checkpoint that ended before",  # our sampler goes on at the epoch's next sample
    "Checkpoint directory .* exists",
    "Found .* module.* in eval mode",  # BatchNorm is frozen on purpose
    "The number of training batches .* is smaller than the logging interval",
    "This DataLoader will create",  # more processes than cores: on one core, loading and training take turns
    "It is recommended to use .self.log.*sync_dist",  # torchmetrics reduces over ranks already
)


class ProgressBar(TQDMProgressBar):
    """Lightning's progress bar without the logger's version number."""

    def get_metrics(self, trainer: L.Trainer, module: L.LightningModule) -> dict[str, Any]:
        """Return the metrics that are shown beside the bar."""
        metrics = super().get_metrics(trainer, module)
        metrics.pop("v_num", None)
        return metrics


def make_trainer(
    config: Config, callbacks: Sequence[Callback] = (), loggers: Sequence[Logger] = (), *, trains: bool = False
) -> L.Trainer:
    """Return the trainer that the configuration describes.

    Args:
        config: the complete configuration.
        callbacks: all but the progress bar.
        loggers: where metrics go.
        trains: whether it trains, and not only evaluates: then its processes must share a batch.
    """
    options = config.trainer
    on_gpu = options.accelerator == "gpu" or (options.accelerator == "auto" and torch.cuda.is_available())
    started = launched()
    gpus = torch.cuda.device_count() if on_gpu else 0
    processes, nodes = started or (processes_of(config, gpus=gpus, trains=trains), options.num_nodes)
    plugins: list[Any] = [WholeCheckpoints()]
    if SLURMEnvironment.detect():
        plugins.append(SLURMEnvironment(auto_requeue=False))  # StopAfterStep requeues the job after the current step
    bar = [ProgressBar(refresh_rate=1 if sys.stderr.isatty() else 20)] if options.progress_bar else []
    return L.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=options.devices or processes,
        num_nodes=nodes,
        strategy=options.strategy,
        plugins=plugins,
        precision=precision_of(options.precision, on_gpu=on_gpu),
        max_epochs=options.epochs,
        check_val_every_n_epoch=epochs_between_evaluations(options),
        fast_dev_run=options.fast_dev_run,
        limit_train_batches=options.limit_train_batches,
        accumulate_grad_batches=options.accumulate_grad_batches,
        profiler=options.profiler,
        num_sanity_val_steps=0,
        gradient_clip_val=config.optimizer.gradient_clip or None,
        logger=list(loggers),
        callbacks=[*bar, *callbacks],
        enable_progress_bar=options.progress_bar,
        enable_model_summary=False,
        enable_checkpointing=any(isinstance(callback, Checkpoint) for callback in callbacks),
        log_every_n_steps=10,
        default_root_dir=config.runs,
    )


def processes_of(config: Config, *, gpus: int, trains: bool) -> int:
    """Return the processes that Lightning starts on this machine, if the options do not say it.

    Args:
        config: the complete configuration.
        gpus: GPUs that the run may use on this machine; 0: it runs on the CPU.
        trains: whether the processes must share the images of a step evenly.
    """
    if gpus == 0 or "WANDB_SWEEP_ID" in os.environ:  # a cell under `wandb agent` has one GPU, as in `fullseg sweep`
        return 1
    step = config.data.batch_size
    return max(n for n in range(1, gpus + 1) if not trains or n == 1 or step % (n * config.trainer.num_nodes) == 0)


def precision_of(wanted: str, *, on_gpu: bool) -> Literal["32-true", "bf16-mixed"]:
    """Return Lightning's name for the option ``trainer.precision``; ``auto`` depends on the hardware."""
    if wanted == "32-true":
        return "32-true"
    return "bf16-mixed" if wanted == "bf16-mixed" or on_gpu or computes_bf16() else "32-true"


def prepare_process(config: Config) -> None:
    """Set seed, threads and memory allocation, and silence advice that does not apply here."""
    L.seed_everything(config.seed, verbose=False)
    torch.set_float32_matmul_precision("high")
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    if not torch.cuda.is_available():
        _keep_memory()
    silence_advice()


def silence_advice() -> None:
    """Silence advice of Lightning and PyTorch that does not apply here."""
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    for advice in ADVICE:
        warnings.filterwarnings("ignore", message=advice)


def _keep_memory() -> None:
    """Let glibc keep freed memory. A step allocates and frees gigabytes, and new pages take a quarter of its time."""
    if sys.platform == "linux" and hasattr(libc := ctypes.CDLL(None), "mallopt"):
        trim_threshold, mmap_max = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of <malloc.h>
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)
