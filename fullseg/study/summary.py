"""The study of Sec. 5.3: images annotated by the simulated annotator, their records, and the numbers of study.json."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullseg.formats.atomic import write_json
from fullseg.formats.locks import locked
from fullseg.metrics.interaction import TARGETS, area_under_curve, bootstrap_band, effort, scribbles_to
from fullseg.metrics.panoptic import PanopticCounts
from fullseg.metrics.region_iou import SIZES
from fullseg.study.records import ImageRecord
from fullseg.types import Category


def summarise(
    records: Sequence[ImageRecord], categories: Sequence[Category], *, rounds: int, resamplings: int, seed: int
) -> dict[str, Any]:
    """Return one strategy's entry of ``study.json``: curves over rounds, their bands, and the interaction metrics.

    Args:
        records: of all images, at least one region among them.
        categories: of the data set; things and stuff are told apart where there is both.
        rounds: R, the budget of scribbles per region.
        resamplings: of the bootstrap.
        seed: of the bootstrap.
    """
    regions = sum(record.iou.shape[1] for record in records)
    x = np.sum([record.scribbles.sum(axis=1) for record in records], axis=0) / regions
    sums = np.array([np.nansum(record.iou, axis=1) for record in records])  # (I, R + 1)
    counts = np.array([np.count_nonzero(~np.isnan(record.iou[0])) for record in records])
    curve = sums.sum(axis=0) / counts.sum()
    iou = [record.iou for record in records]
    efforts = {f"{t:.2f}": effort(iou, [record.scribbles for record in records], t, rounds) for t in TARGETS}
    panoptic = [[record.panoptic[number] for record in records] for number in range(rounds + 1)]
    quality = [functools.reduce(PanopticCounts.plus, images).quality() for images in panoptic]
    return {
        "scribbles_per_region": x.tolist(),
        "iou": curve.tolist(),
        "iou_ci95": bootstrap_band(sums, counts, resamplings, np.random.default_rng(seed)).tolist(),
        "auc": area_under_curve(x, curve, rounds),
        "scribbles_to_iou": {f"{target:.2f}": scribbles_to(x, curve, target) for target in TARGETS},
        "noc": {target: found.noc for target, found in efforts.items()},
        "nci": {target: found.nci for target, found in efforts.items()},
        "failed_regions": {target: found.failed_regions for target, found in efforts.items()},
        "failed_images": {target: found.failed_images for target, found in efforts.items()},
        "boundary_iou": _mean([record.boundary_iou for record in records]),
        "panoptic_quality": quality,
        **{f"iou_{name}": curve for name, curve in _groups(records, categories).items()},
        "seconds_per_round": float(np.mean([record.seconds[1:].mean() for record in records])),
    }


def _groups(records: Sequence[ImageRecord], categories: Sequence[Category]) -> dict[str, list[float | None]]:
    """Return the curve of every group of regions: by size, and of things and stuff where there are both."""
    groups = {
        name: [record.iou[:, (record.area >= low) & (record.area < high)] for record in records]
        for name, (low, high) in SIZES.items()
    }
    isthing = np.array([category.isthing for category in categories])
    if isthing.any() and not isthing.all():
        groups["things"] = [record.iou[:, isthing[record.classes]] for record in records]
        groups["stuff"] = [record.iou[:, ~isthing[record.classes]] for record in records]
    return {name: _mean(parts) for name, parts in groups.items()}


def _mean(parts: Sequence[NDArray[np.float64]]) -> list[float | None]:
    """Return the mean over all regions of arrays (R + 1, n), without NaN; None where there is no region."""
    values = np.concatenate(parts, axis=1)
    scored = ~np.isnan(values)
    counts = np.count_nonzero(scored, axis=1)
    sums = np.where(scored, values, 0).sum(axis=1)
    return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]


def write_study(path: Path, header: dict[str, Any], strategies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write ``study.json``, keeping the strategies of an earlier study of the same model, data and plan."""
    # Two cells of a sweep may study one model at once, each by another strategy.
    with locked(path.with_name(f".{path.stem}.lock"), f"{path}: another study writes it"):
        kept: dict[str, Any] = {}
        if path.is_file():
            earlier = json.loads(path.read_text())
            kept = earlier.pop("strategies")
            if earlier != json.loads(json.dumps(header)):
                kept = {}
        content = {**header, "strategies": {**kept, **strategies}}
        write_json(path, content)
    return content
