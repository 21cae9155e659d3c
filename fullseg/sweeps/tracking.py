"""Logs a sweep's table and picture to W&B, in a run of its own in the group of the cells."""

from collections.abc import Sequence
from pathlib import Path

import wandb

from fullseg.config.schema import TrackingConfig
from fullseg.sweeps.results import METRICS, Group, metrics_in_table
from fullseg.tracking.wandb_run import finish_wandb, wandb_logger

Row = list[str | int | float]


def log_sweep(folder: Path, groups: Sequence[Group], picture: Path, tracking: TrackingConfig) -> None:
    """Log the table and the picture.

    Args:
        folder: the sweep's folder.
        groups: rows of the table.
        picture: file of the picture.
        tracking: the cells' tracking options.
    """
    logger = wandb_logger(tracking, folder, {"experiment": f"sweeps/{folder.name}"}, job="sweep")
    if logger is None:
        return
    columns, rows = results_table(groups)
    logger.experiment.log({"sweep/results": wandb.Table(columns=columns, data=rows)})
    logger.log_image("sweep/picture", [str(picture)])
    finish_wandb()


def results_table(groups: Sequence[Group]) -> tuple[list[str | int], list[Row]]:
    """Return columns and rows of the table: values that distinguish a group, number of runs, means and deviations."""
    metrics = metrics_in_table(groups)
    titles = [title for key in metrics for title in (METRICS[key][0], f"{METRICS[key][0]}, deviation")]
    rows: list[Row] = [
        [
            *one.values.values(),
            len(one.rows),
            *(METRICS[key][1] * value for key in metrics for value in (one.mean(key), one.deviation(key))),
        ]
        for one in groups
    ]
    return [*groups[0].values, "runs", *titles], rows
