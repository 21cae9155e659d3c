"""Stops training early after a signal: from Ctrl-C, a closed terminal, a machine that is taken away, or Slurm."""

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Checkpoint

from fullseg.runs.ranks import is_rank_0


class Interrupted(KeyboardInterrupt):
    """Raised when a run was stopped. Its message says how to go on.

    Args:
        message: text for the user.
        status: exit status of the process: 128 + the signal's number, or 0.
    """

    def __init__(self, message: str, status: int = 128 + signal.SIGINT) -> None:
        super().__init__(message)
        self.status = status


class StopAfterStep(Checkpoint):
    """After a signal, ends training when the current step is done, with a checkpoint to resume from exactly.

    The signals are Ctrl-C, SIGTERM, SIGHUP and, in a Slurm job, SIGUSR1; that job is then queued again. A second Ctrl-C
    stops at once. If one rank gets a signal, all ranks stop after the same step. Lightning calls it after all callbacks
    that write no checkpoint.

    Args:
        checkpoint: file to write.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked = 0  # number of the signal that asked to stop; 0: no signal
        if _job():  # before training starts, SIGUSR1's default action would kill the process
            signal.signal(signal.SIGUSR1, self._ask)

    def on_train_start(self, *_: Any) -> None:  # noqa: ANN401
        """Handle the signals from here on. Lightning restores the earlier handlers when training ends."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                signal.signal(number, self._ask)

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,  # noqa: ARG002  Lightning's signature
        outputs: Any,  # noqa: ANN401, ARG002
        batch: Any,  # noqa: ANN401, ARG002
        batch_idx: int,
    ) -> None:
        """Stop here if asked to. After the last step of an epoch its evaluation comes first."""
        whole = (batch_idx + 1) % trainer.accumulate_grad_batches == 0
        if whole and not trainer.is_last_batch:
            self._stop_if_asked(trainer)

    def on_train_epoch_end(self, trainer: L.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Stop here if asked to."""
        self._stop_if_asked(trainer)

    def _stop_if_asked(self, trainer: L.Trainer) -> None:
        if trainer.world_size > 1:
            asked = torch.tensor(self.asked, device=trainer.strategy.root_device)
            self.asked = int(trainer.strategy.reduce(asked, reduce_op="max"))
        if self.asked:
            trainer.save_checkpoint(self.checkpoint, weights_only=False)
            raise KeyboardInterrupt

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002
        if self.asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.asked = number
        if is_rank_0():
            hint = "; press Ctrl-C again to stop at once" if number == signal.SIGINT else ""
            try:
                sys.stderr.write(f"\n{signal.Signals(number).name}: stopping after this step{hint}.\n")
                sys.stderr.flush()
            except OSError:  # the terminal is gone, so nothing can be shown from here on
                for stream in (1, 2):
                    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def interrupted(folder: Path, asked: int) -> Interrupted:
    """Return the exception that ends a stopped run. After SIGUSR1 this queues the Slurm job again.

    Args:
        folder: the run folder.
        asked: number of the signal; 0: Ctrl-C, which Lightning handled.
    """
    if not is_rank_0():
        return Interrupted("", 0)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    how = f"go on exactly from there with resume={folder}" if checkpoint.is_file() else "there is no checkpoint yet"
    if asked == signal.SIGUSR1 and (requeued := _requeue()):
        return Interrupted(f"Stopped. Run folder {folder}: {requeued}", 0)
    return Interrupted(f"Stopped. Run folder {folder}: {how}", 128 + (asked or signal.SIGINT))


def _requeue() -> str | None:
    """Queue this Slurm job again. Return a message for the user, or None if Slurm refused."""
    job = _job()
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"scontrol requeue {job}: {done.stderr.strip()}\n")
        return None
    return f"job {job} is queued again and will go on from there"


def _job() -> str:
    """Return the id of the Slurm job that this process belongs to, or an empty text."""
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID", "")
