"""The record of every studied image: its quality and its scribbles after every round, written as a table."""

import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from fullseg.formats.atomic import replacing
from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.error_parts import ErrorParts, boundary_band, error_parts
from fullseg.metrics.panoptic import PanopticCounts, panoptic_counts
from fullseg.metrics.region_iou import region_iou
from fullseg.simulation.alone import ALONE
from fullseg.simulation.interaction import Round
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.study.alone import boundary_iou_alone, iou_alone, judge_alone
from fullseg.study.corrections import Correction, judge
from fullseg.study.plan import Plan, Predict
from fullseg.types import Category, Sample


class ImageRecord(NamedTuple):
    """The course of one image with N regions over R rounds. Row 0 of an array is the state after the extreme points."""

    index: int  # type: ignore[assignment]  # of the image in its split; it hides tuple.index
    name: str
    classes: NDArray[np.int64]  # (N,)
    area: NDArray[np.int64]  # (N,), of the true regions, in square pixels
    iou: NDArray[np.float64]  # (R + 1, N), in [0, 1]; NaN for a region without a scored pixel
    boundary_iou: NDArray[np.float64]  # (R + 1, N), in [0, 1]; NaN for a region without a scored pixel
    scribbles: NDArray[np.int64]  # (R + 1, N), number of scribbles that each region has so far
    panoptic: list[PanopticCounts]  # R + 1 of them; none for masks that are each by itself, as they may overlap
    errors: list[ErrorParts]  # likewise
    corrections: list[Correction]  # R of them, one per round of scribbles
    seconds: NDArray[np.float64]  # (R + 1,), time to simulate and predict each round
    annotator_seconds: NDArray[np.float64] | None = None  # (R + 1,), time of the annotator so far; None: unknown


def study_image(sample: Sample, predict: Predict, allocation: str, plan: Plan) -> ImageRecord:
    """Annotate one image and record its quality after every round.

    Args:
        sample: the image, its true regions and its extreme points.
        predict: of the model that is corrected.
        allocation: ``per_region``, ``free`` or ``alone``, see ``interact``.
        plan: rounds, noise and seed.
    """
    record = record_rounds(sample, plan.annotate(sample, predict, allocation), alone=allocation == ALONE)
    lengths = [one.length for one in record.corrections]
    if not plan.seconds.known:
        return record
    rng = seeded(plan.seed, EVALUATION, 4, sample.key.index, 0)  # nothing else draws with this number
    return record._replace(annotator_seconds=plan.seconds.of_rounds(len(sample.classes), lengths, rng))


def record_rounds(sample: Sample, states: Iterable[Round], *, alone: bool = False) -> ImageRecord:
    """Record the quality of an image after the extreme points and after every round of scribbles.

    Args:
        sample: the image and its true regions.
        states: of these rounds. They are computed while they are recorded.
        alone: the predictions are masks, each by itself.

    Returns:
        The record, without the time of the annotator.
    """
    truth, count = sample.region_map, len(sample.classes)
    iou, boundary, given, panoptic, errors, corrections, seconds = [], [], [], [], [], [], []
    band = boundary_band(truth)
    before: NDArray[Any] | None = None
    mark = time.perf_counter()
    for state in states:
        seconds.append(time.perf_counter() - mark)
        # A person's scribbles of no region count for none.
        regions = np.array([one.region for one in state.annotations.scribbles if one.region >= 0], np.int64)
        given.append(np.bincount(regions, minlength=count))
        if alone:
            iou.append(iou_alone(state.prediction, truth))
            boundary.append(boundary_iou_alone(state.prediction, truth))
        else:
            iou.append(region_iou(state.prediction, truth, count))
            boundary.append(boundary_iou(state.prediction, truth, count))
            panoptic.append(panoptic_counts(state.prediction, truth, count))
            errors.append(error_parts(state.prediction, truth, band, count))
        if before is not None:
            corrections.append(judge_alone(before, state, truth) if alone else judge(before, state, truth, count))
        before = state.prediction
        mark = time.perf_counter()
    area = np.bincount(truth[truth >= 0], minlength=count)
    return ImageRecord(
        index=sample.key.index,
        name=sample.name,
        classes=sample.classes,
        area=area,
        iou=np.stack(iou),
        boundary_iou=np.stack(boundary),
        scribbles=np.stack(given),
        panoptic=panoptic,
        errors=errors,
        corrections=corrections,
        seconds=np.array(seconds),
    )


def write_records(path: Path, records: Sequence[ImageRecord], categories: Sequence[Category]) -> None:
    """Write a Parquet table with one row per image, region and round. After an error there is no file, or the old one.

    Args:
        path: of the table.
        records: of all images.
        categories: of the data set.
    """
    parts = []
    for record in records:
        rounds, count = record.iou.shape
        number, region = (grid.ravel() for grid in np.indices((rounds, count)))
        names = np.array([category.name for category in categories], dtype=object)[record.classes]
        columns = {
            "image": np.full(rounds * count, record.index),
            "name": [record.name] * (rounds * count),
            "region": region,
            "class": names[region],
            "area": record.area[region],
            "round": number,
            "scribbles": record.scribbles.ravel(),
            "iou": record.iou.ravel(),
            "boundary_iou": record.boundary_iou.ravel(),
        }
        parts.append(pa.table(columns))
    with replacing(path) as partial:
        pq.write_table(pa.concat_tables(parts), partial)


def write_scribbles(path: Path, records: Sequence[ImageRecord]) -> None:
    """Write a Parquet table with one row per scribble. After an error there is no file, or the old one.

    Args:
        path: of the table.
        records: of all images.
    """
    parts = []
    for record in records:
        for number, correction in enumerate(record.corrections, start=1):
            count = len(correction.region)
            columns = {
                "image": np.full(count, record.index),
                "name": pa.array([record.name] * count, pa.string()),
                "round": np.full(count, number),
                "scribble": np.arange(count),
                "region": correction.region,
                "true_region": correction.true_region,
                "length": correction.length,
                "area": correction.area,
                "mended_share": correction.mended / correction.area,
                "damage_in_round": np.full(count, correction.damage),
            }
            parts.append(pa.table(columns))
    with replacing(path) as partial:
        pq.write_table(pa.concat_tables(parts), partial)
