"""Where a run's numbers go: metrics.csv always, W&B beside it. Nothing here ever waits for a network."""

import csv
import os
import warnings
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import wandb
from lightning.pytorch.loggers import WandbLogger
from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from fullseg.config.schema import TrackingConfig
from fullseg.runs.ranks import is_rank_0

CONNECT_SECONDS = 20.0  # to W&B
NO_NAME = str.maketrans(dict.fromkeys("=,/:#?%", "-"))  # what W&B's ids must not hold


class MetricsFile(Logger):
    """``metrics.csv``: one row a logged step, a column a metric.

    Lightning's own CSVLogger deletes the file when a run is resumed.

    Args:
        path: of the file; rows that are there stay.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path
        self.rows: list[dict[str, Any]] = []
        self.columns = ["epoch", "step"]
        self.written = 0
        if path.is_file():
            with path.open(newline="") as file:
                reader = csv.DictReader(file)
                self.rows = list(reader)
                self.columns = list(reader.fieldnames or self.columns)

    @property
    def name(self) -> str:
        """Lightning asks for it."""
        return ""

    @property
    def version(self) -> str:
        """Lightning asks for it."""
        return ""

    def forget_after(self, step: int) -> None:
        """Drop rows of steps that a resumed run will take again."""
        self.rows = [row for row in self.rows if int(row["step"]) <= step]
        self.written = -1

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Keep a row until the next ``save``."""
        row = {**metrics, "step": step}
        if (
            self.rows
            and str(self.rows[-1]["step"]) == str(step)
            and not set(row) & set(self.rows[-1]) - {"step", "epoch"}
        ):
            self.rows[-1].update(row)  # what is logged of one step belongs in one row
            self.written = -1
        else:
            self.rows.append(row)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """config.yaml has them."""

    @rank_zero_only
    def save(self) -> None:
        """Write what is new; the whole file, under another name first, when a column or an old row has changed."""
        new = sorted({key for row in self.rows for key in row} - set(self.columns))
        if new or self.written <= 0:
            self.columns += new
            partial = self.path.with_suffix(".partial")
            self._write(partial, self.rows, header=True, mode="w")
            partial.replace(self.path)
        else:
            self._write(self.path, self.rows[self.written :], header=False, mode="a")
        self.written = len(self.rows)

    def finalize(self, status: str) -> None:  # noqa: ARG002  Lightning's signature
        """Write the rest."""
        self.save()

    def _write(self, path: Path, rows: list[dict[str, Any]], *, header: bool, mode: str) -> None:
        with path.open(mode, newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if header:
                writer.writeheader()
            writer.writerows(rows)


def wandb_logger(tracking: TrackingConfig, run_folder: Path, config: dict[str, Any], job: str) -> WandbLogger | None:
    """Open one W&B run in the run folder, or return None where tracking is disabled.

    ``auto`` is online where a key is set, as an environment variable or by ``wandb login``, and offline otherwise, so
    that neither a prompt nor a missing network stops training.

    Args:
        tracking: options.
        run_folder: what W&B writes goes to ``wandb/`` in it.
        config: the complete configuration as plain values.
        job: ``train``, or ``study``: another W&B run than the training in the same folder.
    """
    mode = tracking.wandb
    if mode == "auto":
        mode = os.environ.get("WANDB_MODE") or ("online" if _has_key() else "offline")
    if mode == "disabled":
        return None
    os.environ["WANDB_MODE"] = mode
    os.environ.setdefault("WANDB_SILENT", "true")
    os.environ.setdefault("WANDB_DATA_DIR", str(run_folder.resolve() / "wandb"))  # artifacts are staged there
    os.environ.setdefault("WANDB_X_TRANSACTION_LOG_FLUSH_INTERVAL", "1")  # seconds: a kill loses no more than that
    if not is_rank_0():  # one run a job
        return WandbLogger(save_dir=run_folder)
    name = f"{config['experiment']}-{run_folder.name}".translate(NO_NAME)
    if job != "train":  # what is below the run's folder names it, too
        place = run_folder.resolve().parts
        names = place[place.index("studies") - 1 :] if "studies" in place else place[-1:]
        name = "-".join([config["experiment"].replace("/", "-"), *names, job]).translate(NO_NAME)
    options: dict[str, Any] = {
        "dir": run_folder,
        "project": tracking.project,
        "name": name,
        "group": os.environ.get("WANDB_RUN_GROUP", config["experiment"]),  # a sweep's cells are one group
        "id": os.environ.get("WANDB_RUN_ID", name),
        "job_type": job,
        "config": config,
        "mode": mode,
    }
    try:
        resume: Any = "allow" if mode == "online" else None
        run = wandb.init(**options, resume=resume, settings=wandb.Settings(init_timeout=CONNECT_SECONDS))
    except wandb.Error as error:
        warnings.warn(
            f"W&B is out of reach, so this run is logged offline; wandb sync uploads it: {error}", stacklevel=1
        )
        run = wandb.init(
            **{**options, "id": f"{options['id']}-offline", "mode": "offline"}
        )  # the first id is taken now
    return WandbLogger(save_dir=run_folder, experiment=run)


def finish_wandb() -> None:
    """Close this process's W&B run, if there is one: the next run in it is another."""
    wandb.finish()


def _has_key() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    netrc = Path(os.environ.get("NETRC", Path.home() / ".netrc"))
    return netrc.is_file() and "wandb" in netrc.read_text(errors="ignore")
