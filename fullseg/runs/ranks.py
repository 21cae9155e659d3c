"""The processes (ranks) of one run, started by Lightning, torchrun or Slurm, and what they must agree on."""

import os
import signal
from collections.abc import Callable

import lightning as L
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.utilities import rank_zero_only


def launched() -> tuple[int, int] | None:
    """Return (processes per node, nodes) if torchrun or srun has started this process, else None."""
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return None


def is_rank_0() -> bool:
    """Return whether this process is rank 0, which prints and writes for all."""
    return getattr(rank_zero_only, "rank", 0) == 0


def from_rank_0(trainer: L.Trainer, value: Callable[[], str]) -> str:
    """Call a function on rank 0 and return its result on every rank.

    If Lightning starts the other ranks itself, this starts them.

    Args:
        trainer: of the run.
        value: the function; it is called on rank 0 only.
    """
    if trainer.world_size == 1:
        return value()
    strategy = trainer.strategy
    assert strategy.launcher is not None
    strategy.launcher.launch(strategy.setup_environment, trainer=trainer)
    return strategy.broadcast(value() if trainer.is_global_zero else "")


def end_other_ranks(trainer: L.Trainer) -> None:
    """Kill the ranks that Lightning has started from this process. Without this process they would wait for ever."""
    if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        trainer.strategy.launcher.kill(signal.SIGKILL)
