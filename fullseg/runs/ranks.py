"""What the processes of one run must agree on. Lightning starts them, or torchrun, or Slurm."""

import os
import signal
from collections.abc import Callable

import lightning as L
from lightning.fabric.plugins.environments.slurm import SLURMEnvironment
from lightning.fabric.plugins.environments.torchelastic import TorchElasticEnvironment
from lightning.pytorch.strategies.launchers import _SubprocessScriptLauncher
from lightning.pytorch.utilities import rank_zero_only


def launched() -> tuple[int, int] | None:
    """Return how many processes a node and how many nodes torchrun or srun has started, None if neither has."""
    if TorchElasticEnvironment.detect():
        return int(os.environ["LOCAL_WORLD_SIZE"]), int(os.environ["GROUP_WORLD_SIZE"])
    if SLURMEnvironment.detect():
        nodes = int(os.environ.get("SLURM_JOB_NUM_NODES", "1"))
        return int(os.environ["SLURM_NTASKS"]) // nodes, nodes
    return None


def is_rank_0() -> bool:
    """Tell whether this process speaks for all."""
    return getattr(rank_zero_only, "rank", 0) == 0


def from_rank_0(trainer: L.Trainer, value: Callable[[], str]) -> str:
    """Return on every rank what ``value`` returns on rank 0; starts the other ranks where it is Lightning's to.

    Args:
        trainer: whose ranks they are.
        value: called on rank 0 alone.
    """
    if trainer.world_size == 1:
        return value()
    strategy = trainer.strategy
    assert strategy.launcher is not None
    strategy.launcher.launch(strategy.setup_environment, trainer=trainer)
    return strategy.broadcast(value() if trainer.is_global_zero else "")


def end_other_ranks(trainer: L.Trainer) -> None:
    """Kill the ranks that Lightning has started here: without this one they would wait for ever."""
    if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        trainer.strategy.launcher.kill(signal.SIGKILL)
