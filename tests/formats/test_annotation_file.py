from pathlib import Path

import numpy as np

from fullseg.formats.annotation_file import read_annotations, write_annotations
from fullseg.types import Annotations, Scribble


def test_annotations_survive_a_round_trip(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((3, 4, 2)).astype(np.float32)
    scribbles = [Scribble(2, points[0]), Scribble(0, points[1, :1])]
    write_annotations(tmp_path / "a.json", Annotations(points, scribbles))

    read = read_annotations(tmp_path / "a.json")

    np.testing.assert_array_equal(read.extreme_points, points)
    assert [scribble.region for scribble in read.scribbles] == [0, 2]  # by region in the file
    np.testing.assert_array_equal(read.scribbles[1].points, points[0])
