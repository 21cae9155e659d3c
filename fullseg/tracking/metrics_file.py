"""Writes every logged number to ``metrics.csv``, with and without W&B."""

import csv
from argparse import Namespace
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers.logger import Logger
from lightning.pytorch.utilities import rank_zero_only

from fullseg.formats.atomic import replacing


class MetricsFile(Logger):
    """Writes ``metrics.csv``: one row per logged step, one column per metric.

    Lightning's own CSVLogger deletes the file when a run is resumed.

    Args:
        path: the file. If it exists, its rows are kept.
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
        """Empty: Lightning requires this property."""
        return ""

    @property
    def version(self) -> str:
        """Empty: Lightning requires this property."""
        return ""

    def forget_after(self, step: int) -> None:
        """Drop rows of steps that a resumed run will take again."""
        self.rows = [row for row in self.rows if int(row["step"]) <= step]
        self.written = -1

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        """Add a row; the next ``save`` writes it."""
        row = {**metrics, "step": step}
        if (
            self.rows
            and str(self.rows[-1]["step"]) == str(step)
            and not set(row) & set(self.rows[-1]) - {"step", "epoch"}
        ):
            self.rows[-1].update(row)  # all metrics of one step go into one row
            self.written = -1
        else:
            self.rows.append(row)

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401
        """Do nothing: config.yaml has the options."""

    @rank_zero_only
    def save(self) -> None:
        """Append the new rows. If there is a new column or an old row has changed, write the whole file again."""
        new = sorted({key for row in self.rows for key in row} - set(self.columns))
        if new or self.written <= 0:
            self.columns += new
            with replacing(self.path) as partial:
                self._write(partial, self.rows, header=True, mode="w")
        else:
            self._write(self.path, self.rows[self.written :], header=False, mode="a")
        self.written = len(self.rows)

    def finalize(self, status: str) -> None:  # noqa: ARG002  Lightning's signature
        """Write the last rows."""
        self.save()

    def _write(self, path: Path, rows: list[dict[str, Any]], *, header: bool, mode: str) -> None:
        with path.open(mode, newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            if header:
                writer.writeheader()
            writer.writerows(rows)
