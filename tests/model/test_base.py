"""Scribbles as tensors."""

import numpy as np
import torch

from fullseg.model.base import Strokes
from fullseg.types import Scribble


def test_scribbles_are_packed_in_their_order() -> None:
    scribbles = [Scribble(4, np.array([[1, 2], [3, 4]], np.float32)), Scribble(0, np.array([[5.5, 6]], np.float32))]

    strokes = Strokes.pack(scribbles)

    assert strokes.points.tolist() == [[1, 2], [3, 4], [5.5, 6]]
    assert strokes.lengths.tolist() == [2, 1]
    assert strokes.regions.tolist() == [4, 0]
    assert strokes.region_of_points().tolist() == [4, 4, 0]


def test_no_scribbles_are_empty_tensors_of_the_right_shape() -> None:
    strokes = Strokes.pack(iter([]))

    assert [tuple(part.shape) for part in strokes] == [(0, 2), (0,), (0,)]
    assert [part.dtype for part in strokes] == [torch.float32, torch.int64, torch.int64]
    assert strokes.region_of_points().shape == (0,)


def test_strokes_move_to_a_device_as_a_whole() -> None:
    moved = Strokes.pack([Scribble(1, np.zeros((3, 2), np.float32))]).to("meta")

    assert type(moved) is Strokes
    assert {part.device.type for part in moved} == {"meta"}
