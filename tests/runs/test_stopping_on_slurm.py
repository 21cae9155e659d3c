"""A job of two tasks on a real Slurm trains, and goes on by itself when its time is up."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from tests.training.test_run import rows, weights

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scontrol", "squeue")
MISSING = [name for name in PROGRAMS if shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin") is None]
CONFIGURATION = """
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={controller}
SlurmdPort={node}
SlurmUser=root
AuthInfo=socket={folder}/munge.sock,cred_expire=5
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SlurmdParameters=config_overrides
NodeName={host} NodeAddr=127.0.0.1 CPUs=4 State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""

SWEEP = f"""
method: grid
command: ["${{interpreter}}", -m, fullseg, train, {ROOT}/experiments/default.yaml, "${{args_no_hyphens}}"]
parameters: {{loss: {{values: [pixelwise, maskwise]}}}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """Start a cluster on this machine. Return the environment in which Slurm's commands find it."""
    if MISSING or os.getuid() != 0:
        pytest.skip(f"no Slurm here: needs root and slurm-wlm, munge; missing: {', '.join(MISSING) or 'root'}")
    folder = tmp_path_factory.mktemp("slurm")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    for parent in [folder, *folder.parents[:2]]:
        parent.chmod(0o755)  # munge refuses a socket below a folder that others can write to
    host = socket.gethostname().split(".")[0]
    settings = CONFIGURATION.format(host=host, controller=free_port(), node=free_port(), folder=folder)
    (folder / "slurm.conf").write_text(settings)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": f"{os.environ['PATH']}:/usr/sbin"}
    munge = ["munged", "--foreground", "--force", f"--socket={folder}/munge.sock"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("key", "pid", "log", "seed")]
    daemons = []
    try:
        for command in (munge, ["slurmctld", "-D"], ["slurmd", "-D"]):
            daemons.append(subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL))
            time.sleep(0.5)
        for _ in range(100):
            state = subprocess.run(
                ["sinfo", "-h", "-o", "%t"], env=environment, capture_output=True, text=True, check=False
            )
            if state.stdout.strip() == "idle":
                break
            time.sleep(0.2)
        else:
            raise AssertionError((folder / "slurmctld.log").read_text()[-2000:])
        yield environment
    finally:
        for daemon in reversed(daemons):
            daemon.terminate()
            daemon.wait()


class Cluster:
    """Submits the project's own batch script, for two tasks without GPUs."""

    def __init__(self, environment: dict[str, str], folder: Path, options: list[str]) -> None:
        self.environment = {**environment, "PYTHON": sys.executable, "MASTER_ADDR": "127.0.0.1"}
        self.folder, self.options = folder, options

    def submit(self, *overrides: str) -> str:
        return self.run(
            ROOT, "--ntasks-per-node=2", "experiments/slurm/train.sbatch", "default", *self.options, *overrides
        )

    def run(self, folder: Path, *words: str) -> str:
        """Submit a batch script from a folder. Return the id of the job."""
        command = ["sbatch", "--parsable", "--gres=none", "--cpus-per-task=1", f"--output={self.folder}/%j.log", *words]
        done = subprocess.run(command, env=self.environment, cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def state(self, job: str) -> str:
        command = ["scontrol", "show", "job", job, "--oneliner"]
        shown = subprocess.run(command, env=self.environment, capture_output=True, text=True, check=True).stdout
        return shown.split("JobState=")[1].split()[0]

    def wait(self, job: str, seconds: float = 240) -> str:
        """Wait for the end of a job. Return its log."""
        end = time.monotonic() + seconds
        while self.state(job) in ("PENDING", "RUNNING", "COMPLETING", "REQUEUED"):
            assert time.monotonic() < end, self.log(job)
            time.sleep(0.2)
        return self.log(job)

    def log(self, job: str) -> str:
        return (self.folder / f"{job}.log").read_text()


@pytest.fixture
def cluster(slurm: dict[str, str], tmp_path: Path, tiny_options: list[str], tiny_data: Path) -> Cluster:
    options = [*tiny_options, f"data.root={tiny_data}", f"runs={tmp_path}", "tracking.wandb=disabled"]
    return Cluster(slurm, tmp_path, [*options, "data.batch_size=2", "trainer.epochs=5"])


def test_usr1_requeues_and_the_job_ends_as_an_uninterrupted_one(cluster: Cluster, tmp_path: Path) -> None:
    whole = cluster.submit()
    log = cluster.wait(whole)
    assert cluster.state(whole) == "COMPLETED", log
    assert log.count("run folder") == 1  # two tasks, one run

    job = cluster.submit("trainer.checkpoint_every=1")
    folder = tmp_path / "default" / f"slurm-{job}"
    last = folder / "checkpoints" / "last.ckpt"
    while not (last.is_file() and torch.load(last, weights_only=True)["global_step"] >= 3):
        assert cluster.state(job) in ("PENDING", "RUNNING"), cluster.log(job)
        time.sleep(0.1)
    subprocess.run(["scancel", "--signal=USR1", job], env=cluster.environment, check=True)
    log = cluster.wait(job)
    assert cluster.state(job) == "COMPLETED", log
    assert log.count("SIGUSR1: stopping after this step.") == 1
    assert f"job {job} is queued again and will go on from there" in log
    assert log.count("run folder") == 1
    first = tmp_path / "default" / f"slurm-{whole}"
    assert weights(folder) == weights(first)
    assert [(row["step"], row["val/iou"]) for row in rows(folder)] == [(r["step"], r["val/iou"]) for r in rows(first)]


def test_a_job_whose_rank_dies_fails(cluster: Cluster, tmp_path: Path, tiny_data: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(tiny_data, data)
    image = sorted((data / "train" / "images").iterdir())[0]
    image.write_bytes(image.read_bytes()[:300])
    job = cluster.submit(f"data.root={data}", "data.max_bad=0")
    log = cluster.wait(job, seconds=240)
    assert cluster.state(job) == "FAILED"
    assert "more than data.max_bad=0" in log


def test_a_sweep_goes_on_after_its_time_is_up(cluster: Cluster, tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "two.yaml").write_text(SWEEP)
    options = [option for option in cluster.options if not option.startswith("runs=")]  # the sweep sets runs=
    options.append("trainer.checkpoint_every=1")
    script = str(ROOT / "experiments" / "slurm" / "sweep.sbatch")
    job = cluster.run(tmp_path, script, "two", "--runs", str(tmp_path), *options)
    place = tmp_path / "sweeps" / "two"
    while not list(place.glob("*/latest/checkpoints/last.ckpt")):
        assert cluster.state(job) in ("PENDING", "RUNNING"), cluster.log(job)
        time.sleep(0.1)
    subprocess.run(["scancel", "--batch", "--signal=USR1", job], env=cluster.environment, check=True)
    log = cluster.wait(job)
    assert cluster.state(job) == "COMPLETED", log
    assert "Stopped: 0 of 2 cells are done. The same command goes on" in log
    assert "two: 2 of 2 cells" in log
    assert [cell.read_text().count("resume=") > 0 for cell in sorted(place.glob("*/log.txt"))] == [False, True]
