"""Annotations of one image as a file: what is read is what was written, and broken files are named."""

import json
from pathlib import Path

import numpy as np
import pytest

from fullseg.errors import DataError
from fullseg.formats.annotation_file import read_annotations, write_annotations
from fullseg.types import BACKGROUND, Annotations, Scribble


def test_annotations_survive_a_round_trip(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((3, 4, 2)).astype(np.float32)
    scribbles = [Scribble(2, points[0]), Scribble(BACKGROUND, points[2, :2]), Scribble(0, points[1, :1])]
    write_annotations(tmp_path / "a.json", Annotations(points, scribbles))

    read = read_annotations(tmp_path / "a.json")

    np.testing.assert_array_equal(read.extreme_points, points)
    assert [scribble.region for scribble in read.scribbles] == [0, 2, BACKGROUND]  # by region in the file
    np.testing.assert_array_equal(read.scribbles[2].points, points[2, :2])
    np.testing.assert_array_equal(read.scribbles[1].points, points[0])


QUAD = "[[0, 1], [1, 0], [2, 1], [1, 2]]"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, r"no annotations file .*a\.json"),
        ("{", r"a\.json is not JSON"),
        ("[]", r'a\.json: expected \{"regions": \[\.\.\.\]\}'),
        ('{"regions": [3]}', r"a\.json: region 0: expected"),
        (f'{{"regions": [{{"extreme_points": {QUAD}}}, {{}}]}}', r"region 1: extreme_points: expected 4 points"),
        (f'{{"regions": [{{"extreme_points": {QUAD}, "scribbles": [[]]}}]}}', r"region 0: scribble: expected one or"),
        (
            f'{{"regions": [{{"extreme_points": {QUAD.replace("2", "NaN")}}}]}}',
            r"region 0: .*: expected finite",
        ),
        (
            f'{{"regions": [{{"extreme_points": {QUAD.replace("2", "1e99")}}}]}}',
            r"expected finite numbers, found",
        ),
        ('{"regions": [{"extreme_points": [[0, "a"]]}]}', r"region 0: extreme_points: expected a list of \[x, y\]"),
    ],
)
def test_broken_files_are_named_with_the_region(tmp_path: Path, text: str | None, message: str) -> None:
    if text is not None:
        (tmp_path / "a.json").write_text(text)
    with pytest.raises(DataError, match=message):
        read_annotations(tmp_path / "a.json")


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    text = f'{{"regions": [{{"extreme_points": {QUAD}}}]}}'
    (tmp_path / "a.json").write_bytes(b"\xef\xbb\xbf" + text.encode())
    assert read_annotations(tmp_path / "a.json").extreme_points.tolist() == [json.loads(QUAD)]
