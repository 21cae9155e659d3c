"""What the CPU is: its model, the cores that there are for a process, and the instructions that it has."""

import os
import platform
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")  # on Linux alone


def available_cores() -> int:
    """Return the number of cores that this process may use: on macOS and Windows, all of the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def cpu_model() -> str:
    """Return the name of the CPU's model, or of its architecture where the system does not say more."""
    return _described("model name") or platform.machine()


def instruction_sets() -> set[str]:
    """Return the instruction sets that the CPU has, as Linux names them; none where the system does not say it."""
    return set(_described("flags").split())


def computes_bf16() -> bool:
    """Return whether the CPU has instructions for bf16. Others emulate it, slowly."""
    return bool(instruction_sets() & {"amx_bf16", "avx512_bf16"})


def _described(what: str) -> str:
    """Return what the system says of the first core, or nothing."""
    lines = CPUINFO.read_text().splitlines() if CPUINFO.is_file() else []
    return next((line.partition(":")[2].strip() for line in lines if line.partition(":")[0].strip() == what), "")
