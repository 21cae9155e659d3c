"""Replays: a person's extreme points and strokes, in their order, shown to any model."""

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Add, Move
from fullseg.annotator.segmentation import segment
from fullseg.annotator.work import Work
from fullseg.formats.image_file import read_image, shrink
from fullseg.journals.courses import Course
from fullseg.journals.targets import targets
from fullseg.metrics.interaction import scribbles_to
from fullseg.model.predictor import Predictor
from fullseg.simulation.errors import error_regions
from fullseg.simulation.interaction import Round
from fullseg.study.records import ImageRecord, record_rounds
from fullseg.types import Sample, SampleKey


class Needed(NamedTuple):
    """How many strokes one image needs with each of M models, for a quality that all of them reach."""

    name: str  # of the image
    quality: float  # mean IoU of all regions with the finished annotation: the lowest of the models' last ones
    strokes: tuple[float, ...]  # M numbers of strokes at which each model reaches it
    drawn: int  # strokes that the person drew


def replay(course: Course, index: int, predictor: Predictor, rounds: int) -> ImageRecord:
    """Show a person's annotations of one image to a model: all extreme points, then the strokes in equal parts.

    What the person decided pixel by pixel is not shown: no brush, no lock. The finished annotation is the truth.

    Args:
        course: of the image.
        index: number of the image among all courses.
        predictor: the model.
        rounds: R, the parts of the strokes.
    """
    image = shrink(read_image(course.path))
    predictor.set_image(image)
    classes = np.zeros(len(course.work.regions), np.int64)
    points = course.work.annotations().extreme_points
    sample = Sample(SampleKey(0, index), course.name, image, course.truth, classes, points)
    ends = _ends(len(course.work.strokes), rounds)
    record = record_rounds(sample, _states(course, predictor, ends))
    marking = course.seconds_of(Add, Move)
    drawing = np.concatenate([[0.0], np.cumsum(course.stroke_seconds)])
    return record._replace(annotator_seconds=marking + drawing[ends])


def _ends(strokes: int, rounds: int) -> NDArray[np.int64]:
    return np.round(np.linspace(0, strokes, rounds + 1)).astype(np.int64)


def _states(course: Course, predictor: Predictor, ends: NDArray[np.int64]) -> Iterator[Round]:
    work = by_strokes_alone(course.work)
    before: NDArray[np.int64] | None = None
    for start, end in pairwise([0, *ends.tolist()]):
        shown = work._replace(strokes=work.strokes[:end])
        prediction = segment(predictor, shown, {}).region_map
        annotations = shown.annotations()
        if before is None:
            yield Round(annotations, prediction, [], [])
        else:
            errors = error_regions(course.truth, before, len(work.regions))
            new = annotations.scribbles[start:end]
            found = targets(new, errors, work.size)
            met = [(scribble, errors[at]) for scribble, at in zip(new, found, strict=True) if at is not None]
            yield Round(annotations, prediction, [one for one, _ in met], [error for _, error in met])
        before = prediction


def by_strokes_alone(work: Work) -> Work:
    """Return the work without what was decided pixel by pixel."""
    regions = tuple(region._replace(mask=None, full_mask=None) for region in work.regions)
    return work._replace(regions=regions, edits=(), learnt=())


def quality(record: ImageRecord) -> NDArray[np.float64]:
    """Return the mean IoU (R + 1,) of all regions of an image."""
    return np.asarray(np.nanmean(record.iou, axis=1), np.float64)


def strokes_needed(records: Sequence[Sequence[ImageRecord]]) -> list[Needed]:
    """Compare M models at equal quality, image by image. Between the rounds strokes are interpolated.

    Args:
        records: of each model those of all images, in the same order.
    """
    found = []
    for images in zip(*records, strict=True):
        curves = [quality(record) for record in images]
        target = min(float(curve[-1]) for curve in curves)
        drawn = [record.scribbles.sum(axis=1).astype(np.float64) for record in images]
        needed = [scribbles_to(x, curve, target) for x, curve in zip(drawn, curves, strict=True)]
        strokes = tuple(float(x[-1]) if one is None else one for one, x in zip(needed, drawn, strict=True))
        found.append(Needed(images[0].name, target, strokes, int(drawn[0][-1])))
    return found
