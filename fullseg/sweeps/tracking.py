"""Logs a sweep's tables and picture to W&B, in a run of its own in the group of the cells."""

from collections.abc import Sequence
from pathlib import Path

import wandb

from fullseg.config.schema import TrackingConfig
from fullseg.sweeps.differences import Difference
from fullseg.sweeps.results import METRICS, Group, metrics_in_table
from fullseg.tracking.wandb_run import finish_wandb, wandb_logger

Row = list[str | int | float]


def log_sweep(
    folder: Path, groups: Sequence[Group], found: Sequence[Difference], picture: Path, tracking: TrackingConfig
) -> None:
    """Log the tables and the picture.

    Args:
        folder: the sweep's folder.
        groups: rows of the table of results.
        found: rows of the table of differences.
        picture: file of the picture.
        tracking: the cells' tracking options.
    """
    logger = wandb_logger(tracking, folder, {"experiment": f"sweeps/{folder.name}"}, job="sweep")
    if logger is None:
        return
    columns, rows = results_table(groups)
    logger.experiment.log({"sweep/results": wandb.Table(columns=columns, data=rows)})
    if found:
        columns, rows = differences_table(found)
        logger.experiment.log({"sweep/differences": wandb.Table(columns=columns, data=rows)})
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


def differences_table(found: Sequence[Difference]) -> tuple[list[str | int], list[Row]]:
    """Return columns and rows of the table: what each value of a parameter gains over the first one, in percent."""
    title, factor, _ = METRICS[found[0].metric]
    columns: list[str | int] = ["parameter", "value", "instead of", "seeds"]
    columns += [f"difference in {title}", "95 % interval, from", "95 % interval, to"]
    rows: list[Row] = [
        [one.parameter, one.value, one.first, one.seeds, *(factor * number for number in (one.mean, *one.interval))]
        for one in found
    ]
    return columns, rows
