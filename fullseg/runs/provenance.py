"""What a result was made with: command, commit, machine, versions, data. Every result names it, in the same words."""

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
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError
from fullseg.model.segmenter import Segmenter

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


class Environment(NamedTuple):
    """Content of ``environment.txt``."""

    facts: dict[str, str]  # of ``provenance``, without packages
    packages: dict[str, str]  # version by name, of all that were installed


def write_provenance(folder: Path, config: Config, facts: dict[str, Any], step: int | None) -> None:
    """Write ``config.yaml`` and ``environment.txt``: what the run was asked for, and what it is made with.

    Args:
        folder: of the run.
        config: of the run.
        facts: of ``provenance``.
        step: from which a resumed run goes on, None for a new one. What the steps before it were made with is kept
            beside, ``*_until_step_<step>``, where it differs.
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
            if not before.exists():  # else this part has added no step
                path.replace(before)
        path.write_text(text)


def environment_of(facts: dict[str, Any]) -> Environment:
    """Return ``provenance`` with all packages that are installed, as it is written."""
    packages = dict(sorted((package.name, package.version) for package in distributions()))
    return Environment({key: str(value) for key, value in facts.items() if key != "packages"}, packages)


def read_environment(path: Path) -> Environment:
    """Read what a run was made with.

    Raises:
        ConfigError: if the file is damaged.
    """
    try:
        head, _, tail = path.read_text().partition("\n\n")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path} is damaged: {error}; put it back as the run has written it") from error
    facts = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
    packages = dict(line.split("==", 1) for line in tail.splitlines() if "==" in line)
    missing = [name for name in ("commit", "val_hash") if name not in facts] + ["packages"] * (not packages)
    if missing:
        raise ConfigError(f"{path} is damaged: no {', no '.join(missing)} in it; put it back as the run has written it")
    return Environment(facts, packages)
