"""Runs the cells of a sweep as processes, several at once on the GPUs or the CPU, and stops and resumes them."""

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, NamedTuple

import torch
from rich.console import Console

from fullseg.cpu import available_cores
from fullseg.errors import ConfigError
from fullseg.runs.stopping import Interrupted
from fullseg.sweeps.cell_folder import RESULT_VARIABLE, State, last_words, read_state, write_arguments, write_state
from fullseg.sweeps.cells import Cell, launch_command
from fullseg.sweeps.waiting import runs_of, waiting_cells

NOT_FOR_CELLS = ("WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_NAME", "WANDB_RESUME", "WANDB_SERVICE")
PAUSE = 0.2  # seconds between two checks of the cells' processes


class Running(NamedTuple):
    """A cell whose process runs."""

    cell: Cell
    state: State
    process: subprocess.Popen[bytes]
    slot: int
    since: float


class Runner:
    """Runs cells, some at once, until all have ended. A cell that fails stops only those that need it.

    Args:
        cells: all cells of the sweep; those that a cell needs come before it. Cells that are done are skipped.
        folder: the sweep's folder, ``<runs>/sweeps/<name>``.
        runs: folder of all run folders.
        jobs: cells that run at once; None: as many as there are GPUs for, one on a CPU.
        lock: file that holds the sweep's lock. The cells' processes inherit it.
        console: progress is printed here.
        gpus_each: GPUs of a cell, if there are any.
        unit: name of the cells in messages.
    """

    def __init__(
        self,
        cells: Sequence[Cell],
        *,
        folder: Path,
        runs: Path,
        jobs: int | None,
        lock: IO[str],
        console: Console,
        gpus_each: int = 1,
        unit: str = "cells",
    ) -> None:
        self.cells, self.folder, self.runs, self.lock, self.console = cells, folder, runs, lock, console
        self.waiting = waiting_cells(cells, folder)
        self.before = len(cells) - len(self.waiting)
        self.gpus, self.gpus_each, self.unit = visible_gpus(), gpus_each, unit
        self.jobs = max(1, min(jobs or len(self.gpus) // gpus_each, len(self.waiting)))
        self.slots = list(range(self.jobs))
        self.running: list[Running] = []
        self.asked = 0  # how often Ctrl-C was pressed
        self.start = time.monotonic()

    def run(self) -> None:
        """Run the cells.

        Raises:
            Interrupted: after Ctrl-C, when all cells have stopped.
        """
        where = f"{len(self.gpus)} GPU{'s' * (len(self.gpus) > 1)}" if self.gpus else "the CPU"
        counts = f"{len(self.cells)} {self.unit}, {self.before} done before; {self.jobs} at once"
        self._print(f"{self.folder.name}: {counts} on {where}")
        previous = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self.console.status("") as status:
                while self.running or (self.waiting and not self.asked):
                    while self.slots and not self.asked and (cell := self._next()):
                        self._start(cell)
                    status.update(self._progress())
                    time.sleep(PAUSE)
                    for running in [one for one in self.running if one.process.poll() is not None]:
                        self._end(running)
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)
        if self.asked:
            done = len(self.cells) - len(waiting_cells(self.cells, self.folder))
            raise Interrupted(
                f"Stopped: {done} of {len(self.cells)} {self.unit} are done. The same command goes on; interrupted "
                f"{self.unit} resume from their last checkpoint"
            )

    def _next(self) -> Cell | None:
        """Take the first waiting cell that needs no other one that is not done yet; None if there is none."""
        unfinished = {cell.name for cell in [*self.waiting, *(running.cell for running in self.running)]}
        cell = next((cell for cell in self.waiting if unfinished.isdisjoint(cell.needs)), None)
        if cell is not None:
            self.waiting.remove(cell)
        return cell

    def _start(self, cell: Cell) -> None:
        folder = self.folder / cell.name
        state = read_state(folder)
        used = runs_of(cell.needs, self.folder)
        # A cell that is still marked "running" was killed together with the sweep or the machine.
        go_on = cell.job == "train" and state.status in ("interrupted", "running") and state.used == used
        state.command = launch_command(cell, str(folder.relative_to(self.runs)), self.runs, go_on=go_on)
        go_on = any(word.startswith("resume=") for word in state.command)  # false if there is no checkpoint yet
        if not go_on:
            state.attempts, state.seconds = state.attempts + 1, 0.0
        state.status, state.exit_status, state.parameters, state.used = "running", None, cell.parameters, used
        write_state(folder, state)
        write_arguments(folder, cell.parameters)
        slot = self.slots.pop(0)
        with (folder / "log.txt").open("ab") as log:
            log.write(f"$ {' '.join(state.command)}\n".encode())
            log.flush()
            try:
                process = self._popen(state.command, self._environment(cell, state, slot), log)
            except OSError as error:
                log.write(f"{error}\n".encode())
                self._set_end(cell, state, "failed", 127)
                self.slots.append(slot)
                return
        state.process = process.pid
        write_state(folder, state)
        self.running.append(Running(cell, state, process, slot, time.monotonic()))
        self._say(cell, "goes on" if go_on else "begins")

    def _popen(self, command: list[str], environment: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            process_group=0,  # a group of its own: Ctrl-C reaches only this process, which then stops the cells
            pass_fds=[self.lock.fileno()],  # while a cell lives, it holds the lock, even if this process was killed
        )

    def _environment(self, cell: Cell, state: State, slot: int) -> dict[str, str]:
        environment = {key: value for key, value in os.environ.items() if key not in NOT_FOR_CELLS}
        group = self.folder.relative_to(self.runs)
        environment["WANDB_RUN_GROUP"] = str(group)  # WANDB_SWEEP_ID is for sweeps on W&B's server
        environment["WANDB_RUN_ID"] = f"{self.folder.name[:80]}-{cell.key}-{state.attempts}"
        environment[RESULT_VARIABLE] = str((self.folder / cell.name / "result.json").resolve())
        if self.gpus:
            numbers = range(slot * self.gpus_each, (slot + 1) * self.gpus_each)
            environment["CUDA_VISIBLE_DEVICES"] = ",".join(self.gpus[k % len(self.gpus)] for k in numbers)
        if self.jobs > 1:
            environment.setdefault("OMP_NUM_THREADS", str(max(1, available_cores() // self.jobs)))
        return environment

    def _end(self, running: Running) -> None:
        status = running.process.returncode
        stopped = status < 0 or status == 130 or self.asked  # by a signal, or with the status after Ctrl-C
        running.state.seconds += time.monotonic() - running.since
        self.running.remove(running)
        self.slots.append(running.slot)
        how = "done" if status == 0 else "interrupted" if stopped else "failed"
        self._set_end(running.cell, running.state, how, status)

    def _set_end(self, cell: Cell, state: State, how: str, status: int) -> None:
        state.status, state.exit_status = how, status
        write_state(self.folder / cell.name, state)
        reason = f": {last_words(self.folder / cell.name)}" if how == "failed" else ""
        self._say(cell, f"{how} after {state.seconds / 60:.1f} minutes{reason}")
        if how != "done" and not self.asked:
            self._leave_out(cell)

    def _leave_out(self, failed: Cell) -> None:
        """Take the waiting cells that need a cell, which has failed, out of the list, and those that need them."""
        for cell in [one for one in self.waiting if failed.name in one.needs]:
            self.waiting.remove(cell)
            self._say(cell, f"is left out, because it needs {failed.name}")
            self._leave_out(cell)

    def _ask(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002  signal's signature
        self.asked += 1
        if self.asked == 1:
            sys.stderr.write(
                f"\nStopping: the {self.unit} write their checkpoints; press Ctrl-C again to stop at once.\n"
            )
        for running in self.running:
            try:
                os.killpg(running.process.pid, signal.SIGINT if self.asked < 3 else signal.SIGKILL)
            except ProcessLookupError:
                continue  # it ended since the last check

    def _ended(self) -> int:
        return len(self.cells) - len(self.waiting) - len(self.running)

    def _say(self, cell: Cell, what: str) -> None:
        self._print(f"{time.strftime('%H:%M:%S')}  {self._ended()}/{len(self.cells)}  {cell.name}  {what}")

    def _print(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, markup=False, highlight=False)

    def _progress(self) -> str:
        """Return the status line: number of running cells and time that is left."""
        now, ended = time.monotonic(), self._ended() - self.before
        oldest = max((now - running.since for running in self.running), default=0.0)
        text = f"{len(self.running)} running, the longest for {oldest / 60:.0f} minutes"
        if ended:
            left = (now - self.start) / ended * (len(self.waiting) + len(self.running))
            text += f"; about {left / 60:.0f} minutes left"
        return text


def visible_gpus() -> list[str]:
    """Return the GPUs that this process may use, by their names in CUDA_VISIBLE_DEVICES."""
    count = torch.cuda.device_count()
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    return [part.strip() for part in named.split(",")][:count] if named else [str(number) for number in range(count)]


@contextmanager
def alone(folder: Path) -> Iterator[IO[str]]:
    """Hold a sweep's lock; raise ConfigError if another process holds it.

    ``filelock`` would not do: the cells' processes must inherit the open file, and with it the lock.
    """
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise ConfigError(
                f"{folder} runs already (process {lock.read()}, or cells that it left when it was killed): "
                "wait for it or stop it"
            ) from error
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield lock
