"""Painted pixels of images that are larger than the network sees them: exact at the size of the file."""

import math
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from fullseg import Predictor
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import CATEGORIES
from tests.annotator.test_painting import Annotator, near
from tests.annotator.test_shapes import distances

FACTOR = 1500 / 1024  # of the large image, which the network sees at 1024 px
LARGE, SEEN = (700, 1500), (478, 1024)  # (H, W)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, tiny_checkpoint: Path) -> Iterator[Workspace]:
    folder = tmp_path_factory.mktemp("large")
    rng = np.random.default_rng(0)
    for number in range(8):
        Image.fromarray(rng.integers(0, 256, (*LARGE, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    workspace = Workspace(folder, folder / "out", cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES)
    yield workspace
    workspace.journal.close()


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 2**32 - 1))
def test_a_large_images_export_has_the_painted_pixels_bit_for_bit(large: Workspace, seed: int) -> None:
    """The journal of strokes, polygons and erasing, against a reference that paints the file's pixels one by one."""
    rng = np.random.default_rng(seed)
    annotator = Annotator(large, "0.png")
    if not annotator.work.regions:
        for quad in ([[100, 200], [500, 10], [900, 200], [500, 470]], [[300, 240], [500, 100], [700, 240], [500, 400]]):
            annotator("add", points=quad)
    expected = np.zeros(LARGE, np.int64)  # the region of each painted pixel; minus it where it was erased
    for _ in range(6):
        region = int(rng.integers(1, 3))
        path = rng.uniform((0, 0), (SEEN[1] - 1, SEEN[0] - 1), 2) + rng.uniform(-9, 9, (3, 2)).round(2)
        path = path.clip(0, (SEEN[1] - 1, SEEN[0] - 1))
        width, erase = float(rng.choice([1, 2.5, 8, 40])), bool(rng.random() < 0.3)
        annotator("brush", region=region, points=path.tolist(), width=width, erase=erase)
        factors = np.array([LARGE[1] / SEEN[1], LARGE[0] / SEEN[0]])
        in_file = ((path + 0.5) * factors - 0.5).round(3)
        here = distances(in_file, LARGE) <= width / 2
        for x, y in in_file:
            here[min(math.floor(y + 0.5), LARGE[0] - 1), min(math.floor(x + 0.5), LARGE[1] - 1)] = True
        expected[here & (not erase or (np.abs(expected) != 3 - region))] = -region if erase else region
    exported = annotator.exported()
    for region in (1, 2):
        assert (exported[expected == region] == region).all()
        assert (exported[expected == -region] != region).all()
    for _ in range(6):
        annotator("undo")


def test_a_thin_line_in_a_large_imported_partition_changes_nothing_else(large: Workspace) -> None:
    annotator = Annotator(large, "1.png")
    ids = np.ones(LARGE, np.int64)
    ids[:, 400:900], ids[300:400, 100:1300] = 2, 3
    ids[600:, 1200:] = 0
    annotator.import_(ids)
    for region in (1, 2, 3):
        annotator("unlock", region=region)
    annotator("brush", region=2, points=[[200, 100], [800, 101]], width=1)
    line = near(
        [[200.5 * FACTOR - 0.5, 100.5 * 700 / 478 - 0.5], [800.5 * FACTOR - 0.5, 101.5 * 700 / 478 - 0.5]], 0.5, LARGE
    )
    assert line.sum() > 800
    expected = np.where(line, 2, ids)
    expected[147, 293] = expected[148, 1172] = 2  # the pixels under both ends
    np.testing.assert_array_equal(annotator.exported(), expected)
    annotator("brush", region=2, points=[[500, 100]], width=31, erase=True)
    disc = near([[500.5 * FACTOR - 0.5, 100.5 * 700 / 478 - 0.5]], 15.5, LARGE)
    exported = annotator.exported()
    np.testing.assert_array_equal(exported[~disc], expected[~disc])
    assert not (exported[disc] == 2).any()


def test_a_region_that_is_locked_keeps_its_painted_pixels_of_the_file(large: Workspace) -> None:
    annotator = Annotator(large, "2.png")
    annotator("add", points=[[100, 200], [500, 10], [900, 200], [500, 470]])
    annotator("brush", region=1, points=[[20, 20], [80, 33]], width=1)
    before = annotator.exported()
    annotator("lock", region=1)
    np.testing.assert_array_equal(annotator.exported(), before)
    annotator("add", points=[[10, 30], [30, 10], [90, 30], [30, 90]])
    np.testing.assert_array_equal(annotator.exported() == 1, before == 1)
