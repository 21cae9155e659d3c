"""Locks between processes: who waits, who is told, and what is left."""

import sys
import threading
from pathlib import Path

import pytest

from fullseg.errors import DataError
from fullseg.formats import locks
from fullseg.formats.locks import locked


class Stderr:
    """Notes what is written, in order with what else happens."""

    def __init__(self, events: list[str]) -> None:
        self.events, self.written = events, threading.Event()

    def write(self, text: str) -> None:
        self.events.append(text)
        self.written.set()


def test_the_second_waits_and_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SILENT_SECONDS", 0.05)
    events: list[str] = []
    stderr = Stderr(events)
    monkeypatch.setattr(sys, "stderr", stderr)

    def second() -> None:
        with locked(tmp_path / "a.lock", "another process writes DIR"):
            events.append("second")

    with locked(tmp_path / "a.lock", "nobody else"):
        waiting = threading.Thread(target=second)
        waiting.start()
        assert stderr.written.wait(30)
        events.append("first is done")
    waiting.join(30)
    assert events == ["another process writes DIR: waiting until it is done\n", "first is done", "second"]


def test_a_free_lock_is_silent_and_an_error_gives_it_back(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError), locked(tmp_path / "a.lock", "busy"):
        _ = 1 / 0
    with locked(tmp_path / "a.lock", "busy", wait=False):
        assert capsys.readouterr().err == ""


def test_who_does_not_wait_is_refused(tmp_path: Path) -> None:
    with locked(tmp_path / "a.lock", "busy"):
        refused: list[str] = []

        def other() -> None:
            with pytest.raises(DataError) as caught, locked(tmp_path / "a.lock", "DIR is in use", wait=False):
                pass
            refused.append(str(caught.value))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join(30)
    assert refused == ["DIR is in use; wait until it is done"]
