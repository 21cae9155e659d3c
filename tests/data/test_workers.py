"""Loader processes hold what they need, and not the trainer's memory."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import numpy as np
import pytest

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.scribbling import Scribbler
from fullseg.data.workers import WorkerError, naming_lost_workers, worker_context

GIB = 2**30


def resident(process: int) -> int:
    """Return the memory of a process in bytes, shared pages included."""
    status = Path(f"/proc/{process}/status").read_text()
    return 1024 * int(status.split("VmRSS:")[1].split()[0])


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_loader_process_does_not_hold_the_trainers_heap(tiny_data: Path, tmp_path: Path) -> None:
    config = DataConfig(format="coco_panoptic", root=str(tiny_data), cache=str(tmp_path), crop_size=64, workers=1)
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=0), seed=0)
    data.setup()
    heap = np.ones(3 * GIB // 2, np.uint8)  # a forked process would have these pages, too
    batches = data.train_dataloader()
    next(iter(batches))
    [loader] = batches._iterator._workers  # type: ignore[union-attr]
    assert 0 < resident(loader.pid) < GIB < heap.nbytes


def test_scribbles_are_simulated_in_processes_of_the_same_kind() -> None:
    scribbler = Scribbler(predict=lambda batch: batch.region_maps, move=lambda b: b, max_scribbles=1, seed=0, workers=1)
    try:
        assert scribbler.processes is not None
        assert scribbler.processes._mp_context is worker_context()  # type: ignore[attr-defined]
    finally:
        scribbler.close()


TRAINER = """
import sys, time
from pathlib import Path

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.scribbling import Scribbler

if __name__ == "__main__":
    config = DataConfig(format="coco_panoptic", root=sys.argv[1], cache=sys.argv[2], crop_size=64, workers=1)
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=0), seed=0)
    data.setup()
    batches = data.train_dataloader()
    next(iter(batches))
    scribbler = Scribbler(predict=None, move=None, max_scribbles=1, seed=0, workers=1)
    scribbler.processes.submit(time.time).result()
    print(*[one.pid for one in batches._iterator._workers], *scribbler.processes._processes, flush=True)
    time.sleep(600)
"""


def is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_no_process_stays_when_the_trainer_was_killed(tiny_data: Path, tmp_path: Path) -> None:
    (tmp_path / "trainer.py").write_text(TRAINER)
    command = [sys.executable, tmp_path / "trainer.py", tiny_data, tmp_path / "cache"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as trainer:
        assert trainer.stdout is not None
        processes = [int(one) for one in trainer.stdout.readline().split()]
        assert len(processes) == 2
        assert all(map(is_running, processes))
        trainer.kill()
        end = time.monotonic() + 60
        while (left := [one for one in processes if is_running(one)]) and time.monotonic() < end:
            time.sleep(0.05)
        for one in left:
            os.kill(one, signal.SIGKILL)
    assert left == []


@pytest.mark.parametrize(
    "error", [RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed."), BrokenProcessPool("a child")]
)
def test_a_lost_worker_is_named_with_the_options_that_help(error: Exception) -> None:
    with pytest.raises(WorkerError, match=r"memory \(.*\). Lower data.workers"), naming_lost_workers():
        raise error


def test_other_errors_stay_as_they_are() -> None:
    with pytest.raises(RuntimeError, match=r"^other$"), naming_lost_workers():
        raise RuntimeError("other")
