"""The numbers of ``study.json``: curves over rounds and interaction metrics, computed from the images' records."""

import functools
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullseg.config.strategies import SINGLE_REGION, SINGLE_REGION_CANVAS
from fullseg.formats.atomic import write_json
from fullseg.formats.locks import locked
from fullseg.metrics.interaction import TARGETS, area_under_curve, bootstrap_band, effort, scribbles_to
from fullseg.metrics.panoptic import PanopticCounts
from fullseg.metrics.region_iou import SIZES
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.records import ImageRecord
from fullseg.types import Category

# Number of the rules by which a study was made; studies of different rules are never mixed. By rules 1 (version 0.1.0)
# the masks of ``single_region`` competed in the canvas, and ``per_region`` gave no scribble to a region without missing
# pixels. Such a study does not name its rules.
RULES = 2


def summarise(
    records: Sequence[ImageRecord], categories: Sequence[Category], *, rounds: int, resamplings: int, seed: int
) -> dict[str, Any]:
    """Return the entry of one strategy in ``study.json``: plain lists and numbers.

    Curves are lists of R + 1 values: after the extreme points, and after every round.

    Args:
        records: of all images; they have at least one region.
        categories: of the data set. If it has both things and stuff, each gets a curve of its own.
        rounds: R, also the budget of scribbles per region.
        resamplings: of the images, for the 95 % bands (bootstrap).
        seed: of the bootstrap.
    """
    regions = sum(record.iou.shape[1] for record in records)
    x = np.sum([record.scribbles.sum(axis=1) for record in records], axis=0) / regions
    sums = np.array([np.nansum(record.iou, axis=1) for record in records])  # (I, R + 1)
    counts = np.array([np.count_nonzero(~np.isnan(record.iou[0])) for record in records])
    curve = sums.sum(axis=0) / counts.sum()
    iou = [record.iou for record in records]
    efforts = {f"{t:.2f}": effort(iou, [record.scribbles for record in records], t, rounds) for t in TARGETS}
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
        "failed_regions_by_round": {target: found.failed_regions_by_round for target, found in efforts.items()},
        "failed_images_by_round": {target: found.failed_images_by_round for target, found in efforts.items()},
        "boundary_iou": _mean([record.boundary_iou for record in records]),
        "panoptic_quality": _panoptic_quality(records),
        **{f"iou_{name}": curve for name, curve in _groups(records, categories).items()},
        **_errors(records),
        **_corrections(records, sums),
        "annotator_seconds_per_region": _annotator_seconds(records, regions),
        "seconds_per_round": float(np.mean([record.seconds[1:].mean() for record in records])),
    }


def _annotator_seconds(records: Sequence[ImageRecord], regions: int) -> list[float] | None:
    """Return the curve of the annotator's time per region; None if it is unknown."""
    seconds = [record.annotator_seconds for record in records]
    known = [one for one in seconds if one is not None]
    return (np.sum(known, axis=0) / regions).tolist() if len(known) == len(seconds) else None


def _panoptic_quality(records: Sequence[ImageRecord]) -> list[float | None]:
    """Return the curve of the panoptic quality; None for masks that are each by itself, which may overlap."""
    if not records[0].panoptic:
        return [None] * len(records[0].iou)
    rounds = zip(*(record.panoptic for record in records), strict=True)
    return [functools.reduce(PanopticCounts.plus, images).quality() for images in rounds]


def _errors(records: Sequence[ImageRecord]) -> dict[str, list[float | None]]:
    """Return curves of the wrong pixels, and of those in the boundary band (``metrics/error_parts.py``).

    They are None for masks that are each by itself: such a mask has its own wrong pixels.
    """
    errors = [record.errors for record in records]
    if not errors[0]:
        keys = ("pixel_error", "error_at_boundary", "iou_if_boundary_mended", "iou_if_inside_mended")
        return {key: [None] * len(records[0].iou) for key in keys}
    pixels = [[(one.scored, one.at_boundary, one.inside) for one in image] for image in errors]
    scored, at_boundary, inside = np.sum(pixels, axis=0).T  # (R + 1,) each
    return {
        "pixel_error": _ratios(at_boundary + inside, scored),
        "error_at_boundary": _ratios(at_boundary, at_boundary + inside),
        "iou_if_boundary_mended": _mean([np.stack([one.iou_if_boundary_mended for one in image]) for image in errors]),
        "iou_if_inside_mended": _mean([np.stack([one.iou_if_inside_mended for one in image]) for image in errors]),
    }


def _corrections(records: Sequence[ImageRecord], sums: NDArray[np.float64]) -> dict[str, Any]:
    """Return curves of what the scribbles of each round have done; nothing in round 0, which has no scribbles.

    Args:
        records: of I images.
        sums: (I, R + 1), sum of the IoU over the regions of each image.
    """
    if_mended = [[np.nansum(correction.ideal_iou) for correction in record.corrections] for record in records]
    ideal = (np.array(if_mended) - sums[:, :-1]).sum(axis=0)  # (R,), gain if every error with a scribble became right
    gain = np.diff(sums).sum(axis=0)  # (R,)
    corrections = [record.corrections for record in records]
    pixels = [[(one.area.sum(), one.mended.sum(), one.damage) for one in image] for image in corrections]
    area, mended, damage = np.sum(pixels, axis=0).T  # (R,) each
    # Pixels of masks that are each by itself are no part of the image's pixels.
    scored = np.full(len(damage), sum(record.errors[0].scored if record.errors else 0 for record in records))
    lengths = [np.concatenate([one.length for one in images]) for images in zip(*corrections, strict=True)]
    return {
        "eta": [None, *_ratios(gain, ideal)],
        "eta_of_all_rounds": _ratios(gain.sum(keepdims=True), ideal.sum(keepdims=True))[0],
        "mended_share": [None, *_ratios(mended, area)],
        "damage": [None, *_ratios(damage, scored)],
        "scribble_length_median": [None, *(float(np.median(some)) if len(some) else None for some in lengths)],
    }


def _ratios(parts: NDArray[Any], wholes: NDArray[Any]) -> list[float | None]:
    """Return parts / wholes, None where the whole is 0."""
    return [float(part / whole) if whole else None for part, whole in zip(parts, wholes, strict=True)]


def _groups(records: Sequence[ImageRecord], categories: Sequence[Category]) -> dict[str, list[float | None]]:
    """Return the IoU curve of every group of regions: by size, and things and stuff if there are both."""
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
    """Return the R + 1 means over the regions of several images.

    Args:
        parts: of each image (R + 1, n); NaN is left out.

    Returns:
        One mean per round; None if no region counts.
    """
    values = np.concatenate(parts, axis=1)
    scored = ~np.isnan(values)
    counts = np.count_nonzero(scored, axis=1)
    sums = np.where(scored, values, 0).sum(axis=1)
    return [float(total / count) if count else None for total, count in zip(sums, counts, strict=True)]


def read_study(path: Path) -> dict[str, Any]:
    """Read ``study.json``. In one of earlier rules ``single_region`` is called ``single_region_canvas``, as it is now.

    Raises:
        ValueError: if the file is no JSON.
    """
    content = _as_of_now(json.loads(path.read_text()))
    if content.get("rules", 1) < RULES:
        names = {SINGLE_REGION: SINGLE_REGION_CANVAS}
        content["strategies"] = {names.get(name, name): entry for name, entry in content["strategies"].items()}
    return content


def _as_of_now(header: dict[str, Any]) -> dict[str, Any]:
    """Return what a ``study.json`` says first, with the entries that earlier versions did not know."""
    return {**header, "noise": {**NO_NOISE._asdict(), **header.get("noise", {})}}


def write_study(path: Path, header: dict[str, Any], strategies: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Write ``study.json``. Strategies of an earlier study stay in it if that study has the same header.

    Args:
        path: of the file.
        header: what the file says of the model, the data and the plan.
        strategies: entries of the strategies that were studied now.

    Returns:
        The content of the file.
    """
    # Two cells of a sweep may study one model at once, each by another strategy.
    with locked(path.with_name(f".{path.stem}.lock"), f"{path}: another study writes it"):
        kept: dict[str, Any] = {}
        if path.is_file():
            earlier = json.loads(path.read_text())
            kept = earlier.pop("strategies")
            if _as_of_now(earlier) != _as_of_now(json.loads(json.dumps(header))):
                kept = {}
        content = {**header, "strategies": {**kept, **strategies}}
        write_json(path, content)
    return content
