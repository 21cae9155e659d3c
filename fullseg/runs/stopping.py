"""How training ends before its time: Ctrl-C, SIGTERM of a machine that is taken away, SIGUSR1 of Slurm."""

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

from fullseg.runs.ranks import is_rank_0


class Interrupted(KeyboardInterrupt):
    """A run was stopped; the message says how to go on.

    Args:
        message: for the user.
        status: of the process, as a shell gives it for the signal.
    """

    def __init__(self, message: str, status: int = 128 + signal.SIGINT) -> None:
        super().__init__(message)
        self.status = status


class StopAfterStep(L.Callback):
    """A signal ends training after the current step, with a checkpoint from which it resumes exactly.

    Ctrl-C (a second one: now), SIGTERM, and SIGUSR1 in a Slurm job, which is then put into the queue again. All ranks
    stop after the same step, whichever of them got the signal.

    Args:
        checkpoint: file to write.
    """

    def __init__(self, checkpoint: Path) -> None:
        self.checkpoint = checkpoint
        self.asked = 0  # by which signal
        if _job():  # SIGUSR1 would end the process: what comes before training is not its end
            signal.signal(signal.SIGUSR1, self._ask)

    def on_train_start(self, *_: Any) -> None:  # noqa: ANN401
        """Listen; Lightning puts back what was there before when training ends."""
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                signal.signal(number, self._ask)

    def on_train_batch_end(self, trainer: L.Trainer, *_: Any) -> None:  # noqa: ANN401
        """Stop here if asked to; the last step of an epoch is followed by its evaluation first."""
        if not trainer.is_last_batch:
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
            sys.stderr.write(f"\n{signal.Signals(number).name}: stopping after this step{hint}.\n")


def interrupted(folder: Path, asked: int) -> Interrupted:
    """Say what is left of a run that a signal has stopped; put its Slurm job into the queue again on SIGUSR1.

    Rank 0 speaks for all.
    """
    if not is_rank_0():
        return Interrupted("", 0)
    checkpoint = folder / "checkpoints" / "last.ckpt"
    how = f"go on exactly from there with resume={folder}" if checkpoint.is_file() else "there is no checkpoint yet"
    if asked == signal.SIGUSR1 and (requeued := _requeue()):
        return Interrupted(f"Stopped. Run folder {folder}: {requeued}", 0)
    return Interrupted(f"Stopped. Run folder {folder}: {how}", 128 + (asked or signal.SIGINT))


def _requeue() -> str | None:
    """Put this Slurm job into the queue again; return what to tell the user, None if that was refused."""
    job = _job()
    done = subprocess.run(["scontrol", "requeue", job], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.stderr.write(f"scontrol requeue {job}: {done.stderr.strip()}\n")
        return None
    return f"job {job} is in the queue again and goes on from there"


def _job() -> str:
    """Return the id of the Slurm job that this process is of, empty if it is of none."""
    if "SLURM_ARRAY_JOB_ID" in os.environ:
        return f"{os.environ['SLURM_ARRAY_JOB_ID']}_{os.environ['SLURM_ARRAY_TASK_ID']}"
    return os.environ.get("SLURM_JOB_ID", "")
