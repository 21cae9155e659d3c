"""Provenance: the command, commit, machine, versions and data that a result was made with.

Runs, studies, checkpoints and W&B runs all record it under the same names.
"""

import functools
import hashlib
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, distributions, version
from pathlib import Path
from typing import Any, NamedTuple

import lightning as L
import torch
from omegaconf import OmegaConf
from torch import Tensor

from fullseg.config.load import plain
from fullseg.config.schema import Config
from fullseg.cpu import cpu_model, instruction_sets
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError
from fullseg.model.segmenter import Segmenter

# The packages that compute the numbers. Every result records their versions. environment.txt has all packages.
PACKAGES = ("torch", "torchvision", "lightning", "numpy", "opencv-python-headless", "timm", "scipy")
INSTRUCTIONS = ("avx2", "fma", "avx512f", "avx512_vnni", "avx512_bf16", "amx_bf16")  # they decide how a CPU rounds
EVALUATION_SET = (
    "format",
    "root",
    "val_split",
    "val_annotators",
    "val_fraction",
    "min_region_area",
)  # options of ``data``


def provenance(trainer: L.Trainer, data: InteractiveDataModule, counterpart: Segmenter | None = None) -> dict[str, Any]:
    """Return the provenance of a result as plain values, which JSON, W&B and a checkpoint can hold.

    Args:
        trainer: its device, precision and number of ranks are recorded.
        data: the data that the result is made from, after ``setup``.
        counterpart: the non-interactive model that the result also depends on, or None.
    """
    return {
        "command": f"fullseg {shlex.join(sys.argv[1:])}",
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
    """Return the provenance of one strategy in ``study.json``. Strategies of one file may come from several studies.

    Args:
        trainer: the study's trainer.
        counterpart: the model that predicts in round 0, or None.
    """
    data: InteractiveDataModule = trainer.datamodule  # type: ignore[attr-defined]
    evaluated = {key: getattr(data.config, key) for key in EVALUATION_SET}
    return {**provenance(trainer, data, counterpart), "evaluation_set": evaluated}


class NamesProvenance(L.Callback):
    """Writes the provenance into every checkpoint.

    Attributes:
        facts: the result of ``provenance``, which is known when the trainer has been made.
    """

    def __init__(self) -> None:
        self.facts: dict[str, Any] = {}

    def on_save_checkpoint(self, trainer: L.Trainer, module: L.LightningModule, checkpoint: dict[str, Any]) -> None:  # noqa: ARG002
        """Add the key ``provenance``. Its values are plain, so that the checkpoint loads with ``weights_only=True``."""
        checkpoint["provenance"] = self.facts


@functools.cache  # asked only once: the code that runs was loaded at the start
def commit() -> str:
    """Return the commit of the code that runs, ``unknown`` outside a repository."""
    return _git("describe", "--always", "--dirty", "--abbrev=40") or "unknown"


@functools.cache
def uncommitted() -> str:
    """Return a hash of the uncommitted changes to the code, ``none`` if there are none."""
    changes = _git("diff", "HEAD")
    return hashlib.sha256(changes.encode()).hexdigest()[:16] if changes else "none"


def machine() -> str:
    """Return the name of the GPUs, or of the CPU with its number of cores."""
    if torch.cuda.is_available():
        return f"{torch.cuda.device_count()} x {torch.cuda.get_device_name()}"
    return f"{os.cpu_count()} CPU cores, {cpu_model()}"


def instructions() -> str:
    """Return torch's CPU capability and the CPU's instructions that decide how sums are rounded."""
    there = instruction_sets()
    return " ".join([torch.backends.cpu.get_cpu_capability(), *(name for name in INSTRUCTIONS if name in there)])


def weights_hash(state: Mapping[str, Tensor]) -> str:
    """Return a hash of a model's weights. Nothing else in the checkpoint changes it."""
    digest = hashlib.sha256()
    for name, weight in sorted(state.items()):
        digest.update(f"{name} {weight.dtype} {tuple(weight.shape)}".encode())
        digest.update(as_bytes(weight).numpy().tobytes())
    return digest.hexdigest()[:16]


def as_bytes(weight: Tensor) -> Tensor:
    """Return the bytes of a tensor, (B,) uint8 on the CPU. As bytes NaN equals NaN, and -0 differs from 0."""
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


def _git(*arguments: str) -> str:
    return _output(["git", *arguments])


def _output(command: list[str]) -> str:
    """Return what a program prints, or nothing if the program is missing or fails."""
    try:
        found = subprocess.run(
            command, capture_output=True, text=True, errors="replace", check=False, cwd=Path(__file__).parent
        )
    except FileNotFoundError:
        return ""
    return found.stdout.strip() if found.returncode == 0 else ""


class Environment(NamedTuple):
    """The content of ``environment.txt``."""

    facts: dict[str, str]  # the result of ``provenance`` as text, without its packages
    packages: dict[str, str]  # versions of all installed packages, by name


def write_provenance(folder: Path, config: Config, facts: dict[str, Any], step: int | None) -> None:
    """Write ``config.yaml`` (all options) and ``environment.txt`` (provenance and packages).

    Args:
        folder: the run folder.
        config: the run's configuration.
        facts: the result of ``provenance``.
        step: the step at which a resumed run goes on; None for a new run. If a file of the earlier part differs, it is
            kept as ``*_until_step_<step>``.
    """
    environment = environment_of(facts)
    lines = [f"{key}: {value}" for key, value in environment.facts.items()]
    packages = [f"{name}=={version}" for name, version in environment.packages.items()]
    files = {
        "config.yaml": OmegaConf.to_yaml(OmegaConf.create(plain(config))),
        "environment.txt": "\n".join([*lines, "", *packages]) + "\n",
    }
    for name, text in files.items():
        path = folder / name
        if step is not None and path.is_file() and path.read_text() != text:
            before = path.with_stem(f"{path.stem}_until_step_{step}")
            if not before.exists():  # if it exists, the run was resumed at this step before and took no step since
                path.replace(before)
        path.write_text(text)


def environment_of(facts: dict[str, Any]) -> Environment:
    """Return the content of ``environment.txt``: the result of ``provenance`` and all installed packages."""
    packages = dict(sorted((package.name, package.version) for package in distributions()))
    return Environment({key: str(value) for key, value in facts.items() if key != "packages"}, packages)


def read_environment(path: Path) -> Environment:
    """Read ``environment.txt``.

    Raises:
        ConfigError: if the file is damaged.
    """
    try:
        head, _, tail = path.read_text().partition("\n\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}; restore the file that the run wrote") from error
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    packages = dict(line.split("==", 1) for line in tail.splitlines() if "==" in line)
    missing = [name for name in ("commit", "val_hash") if name not in facts] + ["packages"] * (not packages)
    if missing:
        raise ConfigError(f"{path} is damaged: no {', no '.join(missing)} in it; restore the file that the run wrote")
    return Environment(facts, packages)
