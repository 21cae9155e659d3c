"""The labels of a shrunk image at its full size."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg import Predictor
from fullseg.formats.image_file import enlarge
from fullseg.model.interactive import enlarged
from fullseg.types import VOID, Annotations, Scribble

SEEN, TIMES = (48, 64), 4
FULL = (TIMES * SEEN[0], TIMES * SEEN[1])
POINTS = np.array([[[2, 20], [15, 2], [40, 20], [15, 40]], [[20, 30], [40, 10], [60, 30], [40, 45]]], np.float32)


@pytest.fixture
def predictor(tiny_checkpoint: Path) -> Predictor:
    return Predictor.from_checkpoint(tiny_checkpoint)


def shown(predictor: Predictor, full: NDArray[np.uint8], scribbles: list[Scribble]) -> NDArray[np.int64]:
    """Show the model an image that was shrunk; return its labels."""
    predictor.set_image(np.ascontiguousarray(full[::TIMES, ::TIMES]))
    return predictor.predict(Annotations(POINTS, scribbles))


def halves(edge: int) -> NDArray[np.uint8]:
    """Return a full image that is black to the left of a column, and white to its right."""
    image = np.zeros((*FULL, 3), np.uint8)
    image[:, edge:] = 255
    return image


@pytest.mark.parametrize("edge", [130, 131, 132, 133, 134])
def test_a_border_follows_the_edge_of_the_full_image(edge: int, predictor: Predictor) -> None:
    image = halves(edge)
    predictor.set_image(np.ascontiguousarray(image[::TIMES, ::TIMES]))
    corner = np.zeros((4, 2), np.float32)
    predictor.predict(Annotations(np.stack([*POINTS, corner, corner]), []))
    labels = np.full(SEEN, 2)
    labels[:, 132 // TIMES :] = 3  # the nearest that the shrunk image can show
    expected = np.full(FULL, 2)
    expected[:, edge:] = 3
    wrong = [
        (found != expected)[TIMES:].sum(axis=1) for found in (predictor.enlarged(image, labels), enlarge(labels, FULL))
    ]
    np.testing.assert_array_equal(wrong[1], abs(edge - 132))
    assert (wrong[0] <= np.maximum(0, wrong[1] - 1)).all()


def test_an_image_of_one_colour_has_its_labels_but_for_their_borders(predictor: Predictor) -> None:
    image = np.full((*FULL, 3), 90, np.uint8)
    labels = shown(predictor, image, [])
    labels[10:30, 20:50] = VOID
    squares, found = enlarge(labels, FULL), predictor.enlarged(image, labels)
    near = np.zeros(FULL, bool)
    reach = TIMES + 3
    for shift in range(-reach, reach + 1):
        for axis in (0, 1):
            near |= np.roll(squares, shift, axis) != squares
    assert 0.2 < near.mean() < 0.9
    np.testing.assert_array_equal(found[~near], squares[~near])
    assert (found == VOID).any()


def test_the_line_of_a_scribble_keeps_its_squares(predictor: Predictor) -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (*FULL, 3), dtype=np.uint8)
    line = np.array([[30, 12], [34, 12], [38, 16]], np.float32)
    labels = shown(predictor, image, [Scribble(0, line)])
    found = predictor.enlarged(image, labels)
    for x, y in [(30, 12), (32, 12), (34, 12), (38, 16)]:
        assert (found[TIMES * y : TIMES * (y + 1), TIMES * x : TIMES * (x + 1)] == 0).all()


def test_tiles_leave_no_trace(predictor: Predictor, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (FULL[0] + 3, FULL[1] + 5, 3), dtype=np.uint8)
    predictor.set_image(np.ascontiguousarray(image[: FULL[0] : TIMES, : FULL[1] : TIMES]))
    labels = predictor.predict(Annotations(POINTS, [Scribble(1, POINTS[0, :1])]))
    whole = predictor.enlarged(image, labels)
    assert len(np.unique(whole)) == 3
    monkeypatch.setattr(enlarged, "TILE", 13)
    np.testing.assert_array_equal(predictor.enlarged(image, labels), whole)


@pytest.mark.parametrize("part", [(0, 0, 1, 1), (30, 17, 199, 150), (101, 60, 102, 190), (0, 100, 261, 195)])
def test_a_part_has_the_labels_of_the_whole(part: tuple[int, int, int, int], predictor: Predictor) -> None:
    rng = np.random.default_rng(1)
    image = rng.integers(0, 256, (FULL[0] + 3, FULL[1] + 5, 3), dtype=np.uint8)
    predictor.set_image(np.ascontiguousarray(image[: FULL[0] : TIMES, : FULL[1] : TIMES]))
    labels = predictor.predict(Annotations(POINTS, [Scribble(1, POINTS[0, :1])]))
    left, top, right, bottom = part
    whole = predictor.enlarged(image, labels)
    np.testing.assert_array_equal(predictor.enlarged(image, labels, part), whole[top:bottom, left:right])


def test_labels_need_a_prediction(predictor: Predictor) -> None:
    with pytest.raises(RuntimeError, match="call predict before enlarged"):
        predictor.enlarged(halves(9), np.zeros(SEEN, np.int64))
