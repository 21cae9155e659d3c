"""Logs a study to W&B: the curves of all strategies, tables by region size and class, and pictures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import wandb
from lightning.pytorch.loggers import WandbLogger

from fullseg.metrics.region_iou import SIZES
from fullseg.study.equal import common_scribbles, numbers_up_to, value_at
from fullseg.study.records import ImageRecord
from fullseg.types import Category

CURVES = (
    "iou",
    "boundary_iou",
    "panoptic_quality",
    "eta",
    "mended_share",
    "damage",
    "pixel_error",
    "error_at_boundary",
)
Row = list[str | int | float | None]


def log_study(
    logger: WandbLogger,
    summary: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Sequence[ImageRecord]],
    categories: Sequence[Category],
    pictures: Sequence[Path],
    step: int | None,
) -> None:
    """Log the results of one study.

    Args:
        logger: logger of the study's W&B run.
        summary: each strategy's entry in ``study.json``, by name of the strategy.
        records: each strategy's records of all images, by name of the strategy.
        categories: classes of the data.
        pictures: files that ``write_figures`` has drawn.
        step: of the training that is studied, whose W&B run has several studies: each has curves of its own,
            ``study/step_<step>/...``. None: the run is that of one study.
    """
    run = logger.experiment
    place = "study" if step is None else f"study/step_{step}"
    for name, strategy in summary.items():
        for number, x in enumerate(strategy["scribbles_per_region"]):
            values = {f"{place}/{name}/{key}": strategy[key][number] for key in CURVES}
            known = {key: value for key, value in values.items() if value is not None}
            run.log({"study/scribbles_per_region": x, **known})
    run.log(
        {
            "study/curves": wandb.plot.line_series(
                xs=[strategy["scribbles_per_region"] for strategy in summary.values()],
                ys=[strategy["iou"] for strategy in summary.values()],
                keys=list(summary),
                title="mean IoU of all regions",
                xname="scribbles per region",
            ),
            "study/by_size": _table("size", by_size(summary, records)),
            "study/by_class": _table("class", by_class(summary, records, categories)),
        }
    )
    for picture in pictures:
        logger.log_image(f"figures/{picture.stem}", [str(picture)])


def by_size(summary: Mapping[str, Mapping[str, Any]], records: Mapping[str, Sequence[ImageRecord]]) -> list[Row]:
    """Return one row per strategy and region size: strategy, size, number of regions, mean IoU.

    The IoU is at 0, 1, 2, ... scribbles per region, as many as all strategies reach; see ``study/equal.py``.
    """
    numbers = _whole_numbers(summary)
    rows: list[Row] = []
    for name, images in records.items():
        area = np.concatenate([record.area for record in images])
        for size, (low, high) in SIZES.items():
            regions = int(np.count_nonzero((area >= low) & (area < high)))
            values = [value_at(summary[name], f"iou_{size}", number) for number in numbers]
            rows.append([name, size, regions, *values])
    return rows


def by_class(
    summary: Mapping[str, Mapping[str, Any]],
    records: Mapping[str, Sequence[ImageRecord]],
    categories: Sequence[Category],
) -> list[Row]:
    """Return one row per strategy and class with regions: strategy, class, their number, mean IoU as in ``by_size``."""
    numbers = _whole_numbers(summary)
    rows: list[Row] = []
    for name, images in records.items():
        classes = np.concatenate([record.classes for record in images])
        iou = np.concatenate([record.iou for record in images], axis=1)  # (R + 1, M)
        for number in np.unique(classes).tolist():
            mine = iou[:, classes == number]
            scored = ~np.isnan(mine)
            means = np.where(scored, mine, 0).sum(axis=1) / np.maximum(1, scored.sum(axis=1))
            values = [value_at(summary[name], means.tolist(), at) for at in numbers]
            rows.append([name, categories[number].name, mine.shape[1], *values])
    return rows


def _whole_numbers(summary: Mapping[str, Mapping[str, Any]]) -> list[float]:
    return [number for number in numbers_up_to(common_scribbles(summary.values())) if number.is_integer()]


def _table(group: str, rows: list[Row]) -> wandb.Table:
    numbers = [f"IoU at {number}" for number in range(len(rows[0]) - 3)]
    return wandb.Table(columns=["strategy", group, "regions", *numbers], data=rows)
