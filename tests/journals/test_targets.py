import numpy as np

from fullseg.journals.targets import targets
from fullseg.simulation.errors import error_regions
from fullseg.types import Scribble

TRUTH = np.zeros((30, 40), np.int64)
TRUTH[:, 20:] = 1


def scribble(region: int, *points: tuple[float, float]) -> Scribble:
    return Scribble(region, np.array(points, np.float32))


def test_a_scribble_is_for_the_error_of_its_region_with_most_of_its_pixels() -> None:
    prediction = TRUTH.copy()
    prediction[5:10, 5:10] = 1  # two errors of region 0
    prediction[5:10, 12:18] = 1
    prediction[20:25, 30:35] = 0  # one of region 1
    errors = error_regions(TRUTH, prediction, 2)
    boxes = [error.box for error in errors]
    strokes = [
        scribble(0, (8, 7), (17, 7)),  # 2 pixels of the first error, 6 of the second
        scribble(1, (28, 22), (31, 22)),
        scribble(1, (8, 7), (9, 7)),  # on errors of another region only
        scribble(0, (2, 2)),  # on what is right
    ]
    found = targets(strokes, errors, (30, 40))
    assert [None if at is None else boxes[at] for at in found] == [(12, 5, 18, 10), (30, 20, 35, 25), None, None]


def test_without_errors_there_is_no_target() -> None:
    assert targets([scribble(0, (3, 3))], [], (30, 40)) == [None]
    assert targets([], error_regions(TRUTH, 1 - TRUTH, 2), (30, 40)) == []
