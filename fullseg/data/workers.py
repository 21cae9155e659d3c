"""The processes that load samples and simulate scribbles beside the trainer."""

import signal
from multiprocessing.context import BaseContext

from torch import multiprocessing

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


def ignore_ctrl_c(*_: object) -> None:
    """Leave Ctrl-C to the trainer: a terminal sends it to all processes, and the current step still needs these."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
