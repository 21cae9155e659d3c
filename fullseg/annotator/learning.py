"""Learning from the annotator: it starts ``fullseg learn`` beside the page, and changes the model in use."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from fullseg.annotator.choices import Choice
from fullseg.annotator.learnt import FOLDER, Chosen, Learnt, read_models, write_models
from fullseg.cpu import available_cores
from fullseg.errors import DataError

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor

NICE = 15  # so that labels come first
LOG = "log.txt"
SECONDS_TO_STOP = 60  # a learner that is asked to stop finishes its step


class Started(NamedTuple):
    """How the annotator was started."""

    images: Path
    out: Path
    checkpoint: str  # name of the model, as the user called it
    options: tuple[str, ...] = ()  # ``key=value`` each, of the training


class Learning:
    """The model of an annotator, which may change, and the process that learns.

    Args:
        started: how the annotator was started.
        first: the model that it was started with; it may still be loading.
        load: loads the model of a checkpoint.
        choices: returns the models that the page offers to switch to.
    """

    def __init__(
        self,
        started: Started,
        first: "Future[Predictor]",
        load: Callable[[Path], "Predictor"],
        choices: Callable[[], list[Choice]] = list,
    ) -> None:
        self.started, self._first, self._load, self.choices = started, first, load, choices
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._current = self._in_use()
        self._learnt: tuple[str, Predictor] | None = None  # file and model in use, if it has learnt

    def _in_use(self) -> str | None:
        """Return the file of the model in use; None: it is the one that the annotator was started with.

        It also is that one if the file is gone, or if a model was chosen instead of another one.
        """
        models = read_models(self.started.out)
        one = models.current or models.chosen
        if isinstance(one, Chosen) and one.instead_of != self.started.checkpoint:
            return None
        return one.checkpoint if one is not None and Path(one.checkpoint).is_file() else None

    def predictor(self) -> "Predictor":
        """Return the model in use; this may wait until it is loaded."""
        with self._lock:
            if self._current is None:
                return self._first.result()
            if self._learnt is None or self._learnt[0] != self._current:
                self._learnt = self._current, self._load(Path(self._current))
            return self._learnt[1]

    def start(self) -> None:
        """Start to learn; raise DataError if that goes on already."""
        if self.running:
            raise DataError("learning goes on already: wait until it is done, or stop it")
        images, out, checkpoint, options = self.started
        model = self._current or checkpoint
        (out / FOLDER).mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "fullseg", "learn", str(images), "--out", str(out), "--checkpoint", model]
        threads = max(1, available_cores() // 2)
        with (out / FOLDER / LOG).open("wb") as log:
            self._process = subprocess.Popen(
                [*command, f"trainer.threads={threads}", "data.workers=1", "scribbles.workers=1", *options],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                env={**os.environ, "OMP_NUM_THREADS": str(threads)},
            )
        os.setpriority(os.PRIO_PROCESS, self._process.pid, NICE)

    @property
    def running(self) -> bool:
        """Whether a process learns."""
        return self._process is not None and self._process.poll() is None

    def stop(self) -> None:
        """Stop learning. The next start goes on where it has stopped, if no image was finished meanwhile."""
        if self._process is not None and self.running:
            self._process.terminate()
            try:
                self._process.wait(SECONDS_TO_STOP)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def use(self, name: str) -> None:
        """Take a learnt model into use; raise DataError if there is none of this name."""
        write_models(self.started.out, read_models(self.started.out).using(name, time.time()))
        self._current = self._in_use()

    def back(self) -> None:
        """Use the model before again; raise DataError if there is none."""
        write_models(self.started.out, read_models(self.started.out).back(time.time()))
        self._current = self._in_use()

    def choose(self, name: str) -> None:
        """Take a model of the choices into use, once it is loaded; raise DataError if there is none of this name."""
        one = next((one for one in self.choices() if one.name == name), None)
        if one is None:
            raise DataError(f"there is no model {name!r}, or it is not on this machine any more")
        first = self.started.checkpoint
        chosen = Chosen(one.name, one.checkpoint, first) if one.name != first else None
        loaded = self._load(Path(one.checkpoint)) if chosen is not None else None
        with self._lock:
            write_models(self.started.out, read_models(self.started.out).choosing(chosen))
            self._current = self._in_use()
            if loaded is not None:
                self._learnt = one.checkpoint, loaded

    def first(self) -> "Predictor":
        """Return the model that the annotator was started with; this may wait until it is loaded."""
        return self._first.result()

    @property
    def name(self) -> str:
        """What the model in use is called: by the user, or the name of the run in which it has learnt."""
        models = read_models(self.started.out)
        one = models.current or models.chosen
        return one.name if one is not None and self._current is not None else self.started.checkpoint

    def status(self) -> dict[str, Any]:
        """Return the state for the page: whether it learns, what is in use and what is offered."""
        models = read_models(self.started.out)
        failed = self._process is not None and not self.running and self._process.returncode not in (0, None)
        return {
            "running": self.running,
            "said": self._said() if self.running or failed else "",
            "failed": failed,
            "newest": _plain(models.learnt[-1] if models.learnt else None),
            "offered": _plain(models.offered),
            "current": _plain(models.current),
            "since": models.since,
            "first": self.started.checkpoint if models.current is not None else self.name,
        }

    def _said(self) -> str:
        """Return the last line that the process has written."""
        path = self.started.out / FOLDER / LOG
        text = path.read_bytes()[-4000:].decode(errors="replace") if path.is_file() else ""
        lines = [line.strip() for line in text.replace("\r", "\n").splitlines() if line.strip()]
        return lines[-1] if lines else ""


def _plain(one: Learnt | None) -> dict[str, Any] | None:
    return one._asdict() | {"better": one.better} if one is not None else None


def learning_options(values: Sequence[str]) -> tuple[str, ...]:
    """Return options of the training, ``key=value`` each; raise DataError if one is something else."""
    for value in values:
        if "=" not in value:
            raise DataError(f"--learn {value}: write key=value, for example --learn data.mix.root=/path/to/BSDS500")
    return tuple(values)
