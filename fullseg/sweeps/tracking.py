"""A sweep's table and picture as a W&B run of their own, in the group of its cells."""

from collections.abc import Sequence
from pathlib import Path

import wandb

from fullseg.config.schema import TrackingConfig
from fullseg.sweeps.results import METRICS, Group, shown_metrics
from fullseg.tracking.wandb_run import finish_wandb, wandb_logger

Row = list[str | int | float]


def track(folder: Path, groups: Sequence[Group], picture: Path, tracking: TrackingConfig) -> None:
    """Log them.

    Args:
        folder: of the sweep.
        groups: of ``write_results``.
        picture: that was drawn of them.
        tracking: options of the cells.
    """
    logger = wandb_logger(tracking, folder, {"experiment": f"sweeps/{folder.name}"}, job="sweep")
    if logger is None:
        return
    columns, rows = results_table(groups)
    logger.experiment.log({"sweep/results": wandb.Table(columns=columns, data=rows)})
    logger.log_image("sweep/picture", [str(picture)])
    finish_wandb()


def results_table(groups: Sequence[Group]) -> tuple[list[str | int], list[Row]]:
    """Return columns and rows: what tells a group from the others, its number of runs, and mean and deviation."""
    metrics = shown_metrics(groups)
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
