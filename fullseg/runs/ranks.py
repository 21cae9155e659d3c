"""The processes (ranks) of one run. Lightning, torchrun or Slurm starts them."""

import os
import signal

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
    """Return whether this process is rank 0, which prints and writes for all ranks. It needs no trainer."""
    return getattr(rank_zero_only, "rank", 0) == 0 and os.environ.get("NODE_RANK", "0") == "0"


def end_other_ranks(trainer: L.Trainer) -> None:
    """Kill the ranks that Lightning has started from this process. Otherwise they would wait for it for ever."""
    if isinstance(trainer.strategy.launcher, _SubprocessScriptLauncher):
        trainer.strategy.launcher.kill(signal.SIGKILL)
