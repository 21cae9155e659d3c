"""What a result was made with: command, commit, machine, versions, data. Every result names it, in the same words."""

import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import lightning as L
import torch
from torch import Tensor

from fullseg.data.datamodule import InteractiveDataModule
from fullseg.model.base import Segmenter

# All packages are in environment.txt; these compute the numbers, and are named wherever a number may end up alone.
PACKAGES = ("torch", "torchvision", "lightning", "numpy", "opencv-python-headless", "timm", "scipy")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")  # they decide a CPU's last bits

EVALUATION_SET = ("format", "root", "val_split", "val_annotators", "val_fraction", "min_region_area")  # options of data


def provenance(trainer: L.Trainer, data: InteractiveDataModule, counterpart: Segmenter | None = None) -> dict[str, Any]:
    """Return what a result was made with, as plain values that JSON, W&B and a checkpoint can hold.

    Args:
        trainer: that makes it: device, precision, number of ranks.
        data: it is made from, set up.
        counterpart: other model that has a part in it.
    """
    return {
        "command": f"python -m fullseg {shlex.join(sys.argv[1:])}",
        "commit": commit(),
        "uncommitted": uncommitted(),
        "machine": machine(),
        "instructions": instructions(),
        "python": platform.python_version(),
        "device": trainer.strategy.root_device.type,
        **(_gpu_software() if trainer.strategy.root_device.type == "cuda" else {}),
        "precision": str(trainer.precision),
        "ranks": trainer.world_size,
        "threads": torch.get_num_threads(),
        **data.fingerprint(),
        **({"counterpart_weights": weights_hash(counterpart.state_dict())} if counterpart is not None else {}),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def study_provenance(trainer: L.Trainer, counterpart: Segmenter | None) -> dict[str, Any]:
    """Return it for a strategy's entry in ``study.json``, whose strategies may stem from several calls.

    Args:
        trainer: of the study.
        counterpart: as of ``provenance``.
    """
    data: InteractiveDataModule = trainer.datamodule  # type: ignore[attr-defined]
    evaluated = {key: getattr(data.config, key) for key in EVALUATION_SET}
    return {**provenance(trainer, data, counterpart), "evaluation_set": evaluated}


class NamesProvenance(L.Callback):
    """Writes it into every checkpoint.

    Args:
        facts: of ``provenance``.
    """

    def __init__(self, facts: dict[str, Any]) -> None:
        self.facts = facts

    def on_save_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Add the key ``provenance``: plain values, so that the checkpoint still loads by itself."""
        checkpoint["provenance"] = self.facts


@functools.cache  # the code that runs is what was there when it began
def commit() -> str:
    """Name the commit of the code that runs."""
    return _git("describe", "--always", "--dirty", "--abbrev=40") or "unknown"


@functools.cache
def uncommitted() -> str:
    """Return a hash of what is changed in the code's repository and in no commit, ``none`` if nothing is."""
    changes = _git("diff", "HEAD")
    return hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else "none"


def machine() -> str:
    """Name what the run runs on."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    models = [line for line in _cpuinfo() if "model name" in line]
    model = models[0].split(":")[1].strip() if models else platform.machine()
    return f"{os.cpu_count()} CPU cores, {model}"


def instructions() -> str:
    """Name what torch uses of the CPU, and those of its instructions that decide how sums are rounded."""
    flags = next((line.split(":")[1].split() for line in _cpuinfo() if line.startswith("flags")), [])
    return " ".join([torch.backends.cpu.get_cpu_capability(), *(name for name in INSTRUCTIONS if name in flags)])


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """Return a hash of a model's weights, whatever else is in its file."""
    digest = hashlib.sha256()
    for name, weight in sorted(state.items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(as_bytes(weight).numpy().tobytes())
    return digest.hexdigest()[:16]


def as_bytes(weight: Tensor) -> Tensor:
    """Return the bytes of a tensor, (B,) uint8 on the CPU: NaN is then equal to NaN, and -0 is not 0."""
    return weight.detach().cpu().contiguous().reshape(-1).view(torch.uint8)


def _gpu_software() -> dict[str, str]:
    query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
    return {
        "cuda": str(torch.version.cuda),
        "cudnn": str(torch.backends.cudnn.version()),  # type: ignore[no-untyped-call]
        "driver": (_output(query).splitlines() or ["unknown"])[0],
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _cpuinfo() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []


def _git(*arguments: str) -> str:
    return _output(["git", *arguments])


def _output(command: list[str]) -> str:
    """Return what a program prints, nothing where there is no such program or it fails."""
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, cwd=Path(__file__).parent
        )
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""
