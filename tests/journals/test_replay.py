from pathlib import Path

import numpy as np
import pytest

from fullseg import Predictor
from fullseg.annotator.actions import Stroke
from fullseg.annotator.segmentation import segment
from fullseg.formats.image_file import read_image
from fullseg.journals.courses import read_courses
from fullseg.journals.replay import by_strokes_alone, quality, replay, strokes_needed
from fullseg.journals.strokes import see
from fullseg.metrics.region_iou import region_iou
from tests.annotated_people import SECONDS, Annotated


def test_a_replay_scores_the_models_labels_after_equal_parts_of_the_strokes(
    people: Annotated, tiny_checkpoint: Path
) -> None:
    course = read_courses(people.folder, people.out)[0][2]
    record = replay(course, 2, Predictor.from_checkpoint(tiny_checkpoint), 3)
    count, strokes = len(course.work.regions), len(course.work.strokes)
    assert record.scribbles.sum(axis=1).tolist() == [round(k * strokes / 3) for k in range(4)]
    anew = Predictor.from_checkpoint(tiny_checkpoint)
    anew.set_image(read_image(course.path))
    for row, end in ((0, 0), (3, strokes)):
        work = by_strokes_alone(course.work)
        labels = segment(anew, work._replace(strokes=work.strokes[:end]), {}).region_map
        assert record.iou[row] == pytest.approx(region_iou(labels, course.truth, count), nan_ok=True)
    assert record.annotator_seconds is not None
    assert record.annotator_seconds[0] == pytest.approx(SECONDS.region * count, rel=0.3)
    assert record.annotator_seconds[-1] == pytest.approx(record.annotator_seconds[0] + course.stroke_seconds.sum())


def test_strokes_of_no_region_are_shown_but_do_not_count(people: Annotated, tiny_checkpoint: Path) -> None:
    course = read_courses(people.folder, people.out)[0][2]
    work, count = course.work._replace(filled=False), len(course.work.strokes)
    course = course._replace(work=work)
    y, x = np.argwhere(course.truth >= 0).mean(axis=0)
    of_none = Stroke(region=None, points=((x, y), (x + 5, y)))
    more = course._replace(
        work=work._replace(strokes=(*work.strokes, of_none)), stroke_seconds=np.append(course.stroke_seconds, 2.0)
    )
    predictor = Predictor.from_checkpoint(tiny_checkpoint)
    record, plain = (replay(one, 0, predictor, 1) for one in (more, course))
    assert record.scribbles.sum(axis=1).tolist() == plain.scribbles.sum(axis=1).tolist() == [0, count]
    assert (record.iou[1] != plain.iou[1]).any()
    assert [one.region for one in see(more, predictor).strokes] == [
        one.region for one in see(course, predictor).strokes
    ]


def test_models_are_compared_at_the_quality_that_all_reach(people: Annotated, tiny_checkpoint: Path) -> None:
    course = read_courses(people.folder, people.out)[0][0]
    good = replay(course, 0, Predictor.from_checkpoint(tiny_checkpoint), 2)
    rising = np.array([0.5, 0.7, 0.9])
    good = good._replace(iou=np.repeat(rising[:, None], good.iou.shape[1], axis=1), scribbles=0 * good.scribbles)
    good.scribbles[:, 0] = [0, 10, 20]
    bad = good._replace(iou=good.iou - 0.1)
    [needed] = strokes_needed([[good], [bad]])
    assert needed.quality == pytest.approx(0.8)
    assert needed.strokes == pytest.approx((15, 20))
    assert needed.drawn == 20
    assert quality(good).tolist() == pytest.approx(rising.tolist())
