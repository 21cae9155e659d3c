"""The processes that load samples and simulate scribbles beside the trainer."""

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor
from contextlib import contextmanager
from multiprocessing.context import BaseContext

from torch import multiprocessing

from fullseg.errors import UserError

PRELOADED = ["fullseg.data.dataset", "fullseg.simulation.interaction"]  # what the processes run


def worker_context() -> BaseContext:
    """Return how the processes are started: from a fork server, which has loaded their modules and nothing else.

    A process that is forked from the trainer shares the trainer's heap at first. Each page that the trainer then writes
    to is copied and stays in the process: several GB per process. The fork server is a new process without that heap,
    and its children share its modules.
    """
    if "forkserver" not in multiprocessing.get_all_start_methods():  # Windows
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


class WorkerError(UserError, RuntimeError):
    """A process that loads samples or simulates scribbles was ended from outside."""


@contextmanager
def naming_lost_workers() -> Iterator[None]:
    """Turn the error about a process that was ended from outside into one that says what helps."""
    try:
        yield
    except RuntimeError as error:  # of torch's loader, or of the pool that simulates
        if isinstance(error, BrokenExecutor) or "DataLoader worker" in str(error):
            raise WorkerError(
                f"a process that prepares training samples was ended from outside, probably for lack of "
                f"memory ({str(error).splitlines()[0]}). Lower data.workers, scribbles.workers or data.batch_size"
            ) from error
        raise


def begin_worker(*_: object) -> None:
    """Tie this process to the trainer: Ctrl-C is the trainer's alone, and the process ends when the trainer has gone.

    A terminal sends Ctrl-C to all processes, but the current step still needs this one. A trainer that was killed
    tells nobody, and the process would wait for work for ever.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_trainer, daemon=True).start()


def _end_with_trainer() -> None:
    trainer = multiprocessing.parent_process()  # the one that asked the fork server for this process
    assert trainer is not None
    trainer.join()
    os._exit(1)
