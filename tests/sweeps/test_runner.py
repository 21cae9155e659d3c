"""Cells as processes: which ones run, which run again, and how they stop. A short script stands for a training."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from fullseg.__main__ import main
from fullseg.errors import ConfigError
from fullseg.sweeps import runner as sweep_runner
from fullseg.sweeps.cell_folder import read_state
from fullseg.sweeps.cells import Cell
from fullseg.sweeps.runner import Runner, alone, visible_gpus

PROGRAM = """
import os, pathlib, sys, time
here = pathlib.Path(__file__).parent
values = dict(word.lstrip("-").split("=") for word in sys.argv[1:])
with (here / "ran.txt").open("a") as file:
    names = ("WANDB_SWEEP_ID", "WANDB_RUN_GROUP", "WANDB_RUN_ID", "CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS")
    file.write(repr((values["a"], time.monotonic(), {name: os.environ.get(name) for name in names})) + chr(10))
print("this is cell", values["a"])
if (here / ("fail-" + values["a"])).exists():
    sys.exit("this one fails")
deadline = time.monotonic() + 60
while (here / "wait").exists() and time.monotonic() < deadline:
    time.sleep(0.01)
"""


class Folder:
    """A sweep over the parameter ``a``, in a folder of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "p.py").write_text(PROGRAM)
        self.write(1, 2, 3)

    def write(self, *values: int) -> None:
        (self.path / "s.yaml").write_text(
            f"method: grid\nprogram: {self.path / 'p.py'}\nparameters: {{a: {{values: {list(values)}}}}}"
        )

    def run(self, *options: str) -> int:
        return main(["sweep", str(self.path / "s.yaml"), "--runs", str(self.path / "runs"), *options])

    def ran(self) -> list[tuple[str, float, dict[str, str | None]]]:
        """Return the cells that ran since the last call: value, time, environment."""
        log = self.path / "ran.txt"
        lines = [eval(line) for line in log.read_text().splitlines()] if log.is_file() else []
        log.unlink(missing_ok=True)
        return lines

    def states(self) -> dict[str, str]:
        folders = (self.path / "runs" / "sweeps" / "s").glob("a=*")
        return {folder.name[2:3]: read_state(folder).status for folder in sorted(folders)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    monkeypatch.setattr(sweep_runner, "PAUSE", 0.02)
    for name in ("CUDA_VISIBLE_DEVICES", "OMP_NUM_THREADS", "WANDB_RUN_GROUP", "WANDB_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    return Folder(tmp_path)


def test_every_cell_runs_once_and_is_done(folder: Folder) -> None:
    assert folder.run() == 0
    assert [value for value, _, _ in folder.ran()] == ["1", "2", "3"]
    assert folder.states() == {"1": "done", "2": "done", "3": "done"}
    [cell] = (folder.path / "runs" / "sweeps" / "s").glob("a=1-*")
    content = json.loads((cell / "cell.json").read_text())
    assert content["command"] == ["/usr/bin/env", sys.executable, str(folder.path / "p.py"), "--a=1"]
    assert (content["parameters"], content["exit_status"], content["attempts"]) == ({"a": 1}, 0, 1)
    assert "this is cell 1" in (cell / "log.txt").read_text()

    assert folder.run() == 0
    assert folder.ran() == []
    folder.write(4, 2, 1)
    assert folder.run() == 0
    assert [value for value, _, _ in folder.ran()] == ["4"]  # only the new cell


def test_a_failing_cell_stops_no_other_and_runs_again(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.path / "fail-2").touch()
    assert folder.run() == 1
    assert folder.states() == {"1": "done", "2": "failed", "3": "done"}
    output = capsys.readouterr().out
    assert "failed, exit status 1: " in output
    assert "/log.txt\n  | this is cell 2\n  | this one fails\n" in output
    assert "1 of 3 cells failed; run the same command to try them again" in output

    (folder.path / "fail-2").unlink()
    folder.ran()
    assert folder.run() == 0
    assert [value for value, _, _ in folder.ran()] == ["2"]


def test_a_program_that_is_not_there_fails(folder: Folder) -> None:
    (folder.path / "s.yaml").write_text(
        "method: grid\ncommand: [/no/program, '${args}']\nparameters: {a: {values: [1, 2]}}"
    )
    assert folder.run() == 1
    assert folder.states() == {"1": "failed", "2": "failed"}


def test_cells_run_at_once_and_share_the_cores(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_SWEEP_ID", "of-another-sweep")
    monkeypatch.setattr(sweep_runner, "available_cores", lambda: 6)
    (folder.path / "wait").touch()
    threading.Thread(target=_open_when, args=(folder.path, 3)).start()
    start = time.monotonic()
    assert folder.run("--jobs", "3") == 0
    assert time.monotonic() - start < 30
    environments = [environment for _, _, environment in folder.ran()]
    assert [environment["OMP_NUM_THREADS"] for environment in environments] == ["2", "2", "2"]
    assert {environment["WANDB_SWEEP_ID"] for environment in environments} == {None}
    assert {environment["WANDB_RUN_GROUP"] for environment in environments} == {"sweeps/s"}
    assert len({environment["WANDB_RUN_ID"] for environment in environments}) == 3


def test_one_gpu_a_cell(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_runner, "visible_gpus", lambda: ["3", "5"])
    (folder.path / "wait").touch()
    threading.Thread(target=_open_when, args=(folder.path, 2)).start()
    assert folder.run() == 0
    gpus = [environment["CUDA_VISIBLE_DEVICES"] for _, _, environment in folder.ran()]
    assert sorted(gpus[:2]) == ["3", "5"]  # type: ignore[type-var]
    assert gpus[2] in ("3", "5")


def test_gpus_are_those_that_this_process_may_use(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_runner.torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert visible_gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "4,6")
    assert visible_gpus() == ["4", "6"]
    monkeypatch.setattr(sweep_runner.torch.cuda, "device_count", lambda: 0)
    assert visible_gpus() == []


def test_ctrl_c_stops_the_cells_and_the_same_command_goes_on(
    folder: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGINT)
    (folder.path / "wait").touch()
    threading.Thread(target=_interrupt_when, args=(folder.path, 2)).start()
    assert folder.run("--jobs", "2") == 130
    error = capsys.readouterr().err
    assert "press Ctrl-C again to stop at once" in error
    assert "Stopped: 0 of 3 cells are done. The same command goes on" in error
    assert folder.states() == {"1": "interrupted", "2": "interrupted"}
    assert sorted(value for value, _, _ in folder.ran()) == ["1", "2"]
    assert signal.getsignal(signal.SIGINT) is before

    (folder.path / "wait").unlink()
    assert folder.run() == 0
    assert [value for value, _, _ in folder.ran()] == ["1", "2", "3"]


def test_one_process_a_sweep_even_when_it_was_killed_and_a_cell_lives_on(folder: Folder) -> None:
    (folder.path / "wait").touch()
    command = [
        sys.executable,
        "-m",
        "fullseg",
        "sweep",
        str(folder.path / "s.yaml"),
        "--runs",
        str(folder.path / "runs"),
    ]
    process = subprocess.Popen(command, cwd=Path(__file__).parents[2], stdout=subprocess.DEVNULL)
    _wait_for(folder.path, 1)
    place = folder.path / "runs" / "sweeps" / "s"
    with pytest.raises(ConfigError, match=f"runs already .process {process.pid}"), alone(place):
        pass
    process.kill()
    process.wait()
    with pytest.raises(ConfigError, match="or cells that it left"), alone(place):
        pass

    (folder.path / "wait").unlink()
    with (place / "lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # waits for the cell
    folder.ran()
    assert folder.run() == 0
    assert [value for value, _, _ in folder.ran()] == ["1", "2", "3"]  # also 1, whose end no runner saw


def cells_of(folder: Folder, needs: dict[str, tuple[str, ...]]) -> list[Cell]:
    """Return cells that run the program, by name the cells that each of them needs."""
    program = str(folder.path / "p.py")
    return [
        Cell(name, name, {}, [sys.executable, program, f"--a={name}"], "", None, [], "", others)
        for name, others in needs.items()
    ]


def run_cells(folder: Folder, cells: list[Cell], **options: Any) -> None:
    place = folder.path / "runs" / "paper"
    place.mkdir(parents=True, exist_ok=True)
    with alone(place) as lock:
        Runner(cells, folder=place, runs=folder.path / "runs", lock=lock, console=Console(), **options).run()


def test_a_cell_waits_for_those_it_needs_while_others_run(folder: Folder) -> None:
    cells = cells_of(folder, {"a": (), "b": ("a",), "c": ()})
    (folder.path / "wait").touch()
    threading.Thread(target=_open_when, args=(folder.path, 2)).start()
    run_cells(folder, cells, jobs=2)
    ran = [value for value, _, _ in folder.ran()]
    assert set(ran[:2]) == {"a", "c"}  # "b" did not begin, although there was a job for it
    assert ran[2:] == ["b"]


def test_a_failed_cell_leaves_out_those_that_need_it(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    cells = cells_of(folder, {"a": (), "b": ("a",), "c": ("b",), "d": ()})
    (folder.path / "fail-a").touch()
    run_cells(folder, cells, jobs=None, unit="stages")
    assert [value for value, _, _ in folder.ran()] == ["a", "d"]
    output = capsys.readouterr().out
    assert "paper: 4 stages, 0 done before" in output
    assert "a  failed after 0.0 minutes: this one fails\n" in output
    assert "b  is left out, because it needs a\n" in output
    assert "c  is left out, because it needs b\n" in output


def test_a_cell_may_have_several_gpus(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep_runner, "visible_gpus", lambda: ["3", "4", "6", "7", "9"])
    (folder.path / "wait").touch()
    threading.Thread(target=_open_when, args=(folder.path, 2)).start()
    run_cells(folder, cells_of(folder, {"a": (), "b": ()}), jobs=None, gpus_each=2)
    assert {value: environment["CUDA_VISIBLE_DEVICES"] for value, _, environment in folder.ran()} == {
        "a": "3,4",
        "b": "6,7",
    }


def test_a_dry_run_lists_the_cells_and_runs_none(folder: Folder, capsys: pytest.CaptureFixture[str]) -> None:
    assert folder.run("--dry-run") == 0
    output = capsys.readouterr().out
    assert output.count(f"{sys.executable} {folder.path / 'p.py'} --a=") == 3
    assert "  3  new          a=3-" in output
    assert not (folder.path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [(["--jobs", "0"], "'0': write a whole number of at least 1"), (["--jobs", "2", "--no"], "unrecognized")],
)
def test_wrong_options(folder: Folder, capsys: pytest.CaptureFixture[str], options: list[str], message: str) -> None:
    with pytest.raises(SystemExit):
        folder.run(*options)
    assert message in capsys.readouterr().err


def _wait_for(path: Path, count: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        log = path / "ran.txt"
        if log.is_file() and len(log.read_text().splitlines()) >= count:
            return
        time.sleep(0.02)


def _open_when(path: Path, count: int) -> None:
    """Let the cells end when this many run at once."""
    _wait_for(path, count)
    (path / "wait").unlink()


def _interrupt_when(path: Path, count: int) -> None:
    _wait_for(path, count)
    os.kill(os.getpid(), signal.SIGINT)
