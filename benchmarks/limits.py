"""The limits of the machine: the work of a call is counted, and the peaks of the machine are measured."""

import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

REPETITIONS = 5


class Work(NamedTuple):
    """The work of one call."""

    flops: float  # floating-point operations
    bytes: float  # inputs and outputs of all operations but views; more than is moved if caches hold some of them


class Peaks(NamedTuple):
    """The best rates of the machine in fp32."""

    flops: float  # per second, in a matrix product of 2048 x 2048
    bytes: float  # per second, read and written in a copy of 256 MiB


class _ByteCounter(TorchDispatchMode):
    """Adds up what operations read and write."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            tensors = [leaf for leaf in tree_leaves((args, kwargs, result)) if isinstance(leaf, torch.Tensor)]
            self.bytes += sum(tensor.nbytes for tensor in tensors)
        return result


def count_work(call: Callable[[], object]) -> Work:
    """Run a call and count its work."""
    with FlopCounterMode(display=False) as flops, _ByteCounter() as moved:
        call()
    return Work(flops.get_total_flops(), moved.bytes)


def measure_peaks(device: str) -> Peaks:
    """Measure the best rates of the machine."""
    square = torch.ones(2048, 2048, device=device)
    long = torch.ones(2**26, device=device)
    other = torch.empty_like(long)
    return Peaks(
        2 * 2048**3 / fastest(lambda: square @ square),
        2 * long.nbytes / fastest(lambda: other.copy_(long)),
    )


def fastest(call: Callable[[], object]) -> float:
    """Return the seconds of the fastest of some calls."""
    return min(seconds(call) for _ in range(REPETITIONS))


def seconds(call: Callable[[], object]) -> float:
    """Return how many seconds a call takes until its result has been computed."""
    start = now()
    call()
    return now() - start


def now() -> float:
    """Wait until the GPU has finished all work, and return the time in seconds."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def peak_memory(device: str) -> float:
    """Return the peak memory of this process so far, in MB: of the GPU, or on a CPU of the whole process."""
    if device != "cpu":
        return torch.cuda.max_memory_allocated() / 1e6
    status = Path("/proc/self/status")
    if status.is_file():  # getrusage would include the process that started this one
        [peak] = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return float(peak) / 1e3
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
