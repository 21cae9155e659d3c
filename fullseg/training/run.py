"""One training run: its folder, its trainer, and the table at its end."""

import ctypes
import json
import os
import platform
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import lightning as L  # noqa: N812  its own convention
import torch
from lightning.pytorch.callbacks import Callback, LearningRateMonitor, ModelCheckpoint, TQDMProgressBar
from lightning.pytorch.loggers import Logger
from omegaconf import OmegaConf

from fullseg.config import Config, ConfigError, plain
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.training.callbacks import Pictures, Throughput
from fullseg.training.module import SegmenterModule
from fullseg.training.tracking import MetricsFile, wandb_logger

RUN_VARIABLE = "FULLSEG_RUN_FOLDER"  # tells the other ranks of this machine which folder rank 0 made


@dataclass
class Result:
    """What a run ends with."""

    folder: Path
    before: dict[str, float]  # metrics of the untrained model, by name
    after: dict[str, float]
    seconds: float  # of training, evaluations included


def train(config: Config) -> Result:
    """Train one experiment.

    Args:
        config: of ``load_config``.

    Returns:
        The run's folder and its metrics before and after training.

    Raises:
        ConfigError: if there is nothing to resume.
        DataError: for bad data.
        WeightsError: if ImageNet weights can't be had.
    """
    _quiet()
    torch.set_float32_matmul_precision("high")
    _keep_memory()
    if config.trainer.threads:
        torch.set_num_threads(config.trainer.threads)
    L.seed_everything(config.seed, verbose=False)
    checkpoint = _checkpoint_to_resume(config)
    data = InteractiveDataModule(config.data, jitter=config.extreme_points.jitter, seed=config.seed)
    data.prepare_data()
    data.setup()
    module = _module(config, data)
    folder = _run_folder(config, checkpoint)
    _write_provenance(folder, config, data)
    trainer = _trainer(config, folder, data)
    before = _before(trainer, module, data, folder, resumed=checkpoint is not None)
    start = time.perf_counter()
    trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    after = _metrics(trainer.callback_metrics)
    if "iou" not in after:  # a finished run was resumed
        trainer.validate(module, datamodule=data, verbose=False)
        after = _metrics(trainer.callback_metrics)
    result = Result(folder, before, after, time.perf_counter() - start)
    _write_summary(result)
    return result


def _module(config: Config, data: InteractiveDataModule) -> SegmenterModule:
    model = plain(config)["model"]
    class_specific = model.pop("class_specific")
    model["num_classes"] = len(data.categories) if class_specific else 1
    categories = [category._asdict() for category in data.categories]
    return SegmenterModule(model, plain(config), categories)


def _trainer(config: Config, folder: Path, data: InteractiveDataModule) -> L.Trainer:
    options = config.trainer
    saved = {"dirpath": folder / "checkpoints", "enable_version_counter": False, "auto_insert_metric_name": False}
    callbacks: list[Callback] = [
        ModelCheckpoint(filename="best", monitor="val/iou", mode="max", **saved),
        ModelCheckpoint(filename="last", save_on_train_epoch_end=True, **saved),
        LearningRateMonitor(logging_interval="step"),
        Throughput(),
        Pictures(folder / "figures", config.tracking.pictures),
    ]
    if options.progress_bar:
        callbacks.append(TQDMProgressBar(refresh_rate=1 if sys.stderr.isatty() else 20))
    wandb = wandb_logger(config.tracking, folder, {**plain(config), "data_fingerprint": data.fingerprint()})
    loggers: list[Logger] = [MetricsFile(folder / "metrics.csv"), *([wandb] if wandb else [])]
    on_gpu = options.accelerator == "gpu" or (options.accelerator == "auto" and torch.cuda.is_available())
    return L.Trainer(
        accelerator="gpu" if on_gpu else "cpu",
        devices=options.devices or ("auto" if on_gpu else 1),
        num_nodes=options.num_nodes,
        precision=_precision(options.precision, on_gpu=on_gpu),
        max_epochs=options.epochs,
        check_val_every_n_epoch=options.validate_every,
        num_sanity_val_steps=0,
        inference_mode=False,  # metrics updated before training are updated again in it
        gradient_clip_val=config.optimizer.gradient_clip or None,
        use_distributed_sampler=False,  # the data module's samplers see every evaluation image exactly once
        logger=loggers,
        callbacks=callbacks,
        enable_progress_bar=options.progress_bar,
        enable_model_summary=False,
        log_every_n_steps=10,
        default_root_dir=folder,
    )


def _precision(wanted: str, *, on_gpu: bool) -> Any:  # noqa: ANN401  Lightning's literal type
    if wanted != "auto":
        return wanted
    cpuinfo = Path("/proc/cpuinfo")
    has_matrix_units = cpuinfo.is_file() and "amx_bf16" in cpuinfo.read_text()
    return "bf16-mixed" if on_gpu or has_matrix_units else "32-true"


def _checkpoint_to_resume(config: Config) -> Path | None:
    if config.resume is None:
        return None
    base = Path(config.runs) / config.experiment / "latest" if config.resume == "latest" else Path(config.resume)
    checkpoint = base if base.suffix == ".ckpt" else base / "checkpoints" / "last.ckpt"
    if not checkpoint.is_file():
        raise ConfigError(f"resume={config.resume}: there is no checkpoint {checkpoint}; leave resume out to start anew")
    return checkpoint.resolve()


def _run_folder(config: Config, checkpoint: Path | None) -> Path:
    """Return the resumed run's folder, or a new one that ``latest`` then points to."""
    if RUN_VARIABLE in os.environ:
        return Path(os.environ[RUN_VARIABLE])
    if checkpoint is not None:
        folder = checkpoint.parent.parent
    else:
        parent = Path(config.runs) / config.experiment
        name, number = time.strftime("%Y%m%d-%H%M%S"), 1
        folder = parent / name
        while folder.exists():
            number += 1
            folder = parent / f"{name}-{number}"
        folder.mkdir(parents=True)
        partial = parent / f".latest-{folder.name}"
        partial.symlink_to(folder.name)
        partial.replace(parent / "latest")
    os.environ[RUN_VARIABLE] = str(folder.resolve())
    return folder


def _write_provenance(folder: Path, config: Config, data: InteractiveDataModule) -> None:
    OmegaConf.save(OmegaConf.create(plain(config)), folder / "config.yaml")
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40"],  # noqa: S607
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    ).stdout.strip()
    packages = sorted({f"{package.name}=={package.version}" for package in distributions()})
    facts = {"commit": commit or "unknown", "python": platform.python_version(), "machine": _machine()}
    lines = [f"{key}: {value}" for key, value in {**facts, **data.fingerprint(), "command": " ".join(sys.argv)}.items()]
    (folder / "environment.txt").write_text("\n".join([*lines, "", *packages]) + "\n")


def _machine() -> str:
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores, {platform.machine()}"


def _before(
    trainer: L.Trainer, module: SegmenterModule, data: InteractiveDataModule, folder: Path, *, resumed: bool
) -> dict[str, float]:
    summary = folder / "summary.json"
    if resumed and summary.is_file():
        found: dict[str, float] = json.loads(summary.read_text())["before"]
        return found
    trainer.validate(module, datamodule=data, verbose=False)
    before = _metrics(trainer.callback_metrics)
    summary.write_text(json.dumps({"before": before}, indent=1))
    return before


def _metrics(logged: Any) -> dict[str, float]:  # noqa: ANN401
    return {key.removeprefix("val/"): float(value) for key, value in logged.items() if key.startswith("val/")}


def _write_summary(result: Result) -> None:
    content = {"before": result.before, "after": result.after, "seconds": result.seconds}
    (result.folder / "summary.json").write_text(json.dumps(content, indent=1))


def _keep_memory() -> None:
    """Let glibc keep freed memory: a step frees and asks for gigabytes, and fresh pages cost a third of its time."""
    if torch.cuda.is_available() or not hasattr(libc := ctypes.CDLL(None), "mallopt"):
        return
    trim_threshold, mmap_max = -1, -4  # names of mallopt's parameters in <malloc.h>
    libc.mallopt(mmap_max, 0)
    libc.mallopt(trim_threshold, 2**31 - 1)


def _quiet() -> None:
    """Silence advice of libraries that does not concern the user; warnings of ours stay."""
    os.environ.setdefault("TQDM_MININTERVAL", "1")
    for pattern in ("'pin_memory' argument is set", ".*does not have many workers", ".*srun.*", ".*LeafSpec.*"):
        warnings.filterwarnings("ignore", message=pattern)
