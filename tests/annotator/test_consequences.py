"""Imported and merged regions keep their pixels: the model changes only what a person asks it to change."""

import json
import sqlite3
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg import VOID, Predictor
from fullseg.annotator.actions import read_action
from fullseg.annotator.consequences import NEAR, around_line
from fullseg.annotator.work import History
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import CATEGORIES, HEIGHT, QUADS, WIDTH
from tests.annotator.test_painting import Annotator


def ids() -> NDArray[np.int64]:
    """Return a partition of three regions and VOID, whose borders no model of extreme points would guess."""
    ids = np.ones((HEIGHT, WIDTH), np.int64)
    ids[:, 30:] = 2
    ids[10:20, 5:50:2] = 3
    ids[40:, 40:] = 0
    return ids


@pytest.fixture
def imported(workspace: Workspace) -> Annotator:
    annotator = Annotator(workspace, "a.png")
    annotator.import_(ids())
    return annotator


def test_an_unlocked_import_stays_as_it_is_to_the_last_pixel(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
        np.testing.assert_array_equal(imported.labels(), ids() - 1)
    np.testing.assert_array_equal(imported.exported(), ids())
    assert imported.workspace.labels("a.png", imported.revision)[1].expected_iou.tolist() == [1, 1, 1]


def test_a_stroke_gives_pixels_to_its_region_only_near_it_and_where_the_model_changes(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    line = [[20, 30], [36, 33]]
    imported("scribbles", strokes=[{"region": 1, "points": line}])
    after = imported.labels()
    changed = after != ids() - 1
    assert changed[30:34, 30:36].any()
    assert (after[changed] == 0).all()  # no pixel goes to any region but the stroke's
    by_model = [
        imported.workspace._labeller.by_model(imported.workspace.open("a.png"), work) for work in states(imported)
    ]
    near = np.zeros((HEIGHT, WIDTH), bool)
    near[30 - NEAR : 34 + NEAR, 20 - NEAR : 37 + NEAR] = True
    assert not (changed & ~near & (by_model[0] == by_model[1])).any()
    np.testing.assert_array_equal(imported.exported() - 1, after)
    imported("undo")
    np.testing.assert_array_equal(imported.labels(), ids() - 1)


def states(annotator: Annotator) -> tuple[object, object]:
    history = annotator.workspace.open("a.png").history
    return history.states[history.now - 1], history.work


def test_a_stroke_of_no_region_takes_pixels_from_an_import(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    imported("scribbles", strokes=[{"region": None, "points": [[20, 30], [36, 30]]}])
    after = imported.labels()
    assert (after[30, 20:37] == VOID).all()
    assert (after[after != ids() - 1] == VOID).all()
    np.testing.assert_array_equal(imported.exported()[30, 20:37], 0)
    imported("undo")
    np.testing.assert_array_equal(imported.labels(), ids() - 1)


def test_a_second_stroke_elsewhere_leaves_the_first_ones_pixels(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    imported("scribbles", strokes=[{"region": 1, "points": [[20, 30], [36, 33]]}])
    first = imported.labels()
    imported("scribbles", strokes=[{"region": 2, "points": [[60, 45]]}])
    changed = imported.labels() != first
    assert changed[45, 60]
    assert (imported.labels()[changed] == 1).all()


def test_a_region_added_to_an_import_takes_what_the_model_gives_it(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    imported("add", points=QUADS[1])
    labels = imported.labels()
    added = labels == 3
    by_model = imported.workspace._labeller.by_model(imported.workspace.open("a.png"), imported.work)
    np.testing.assert_array_equal(added, by_model == 3)
    assert added.sum() > 20
    np.testing.assert_array_equal(labels[~added], (ids() - 1)[~added])
    imported("move", region=4, points=QUADS[2])
    now = imported.labels()
    assert not (now == 3)[:, 20:].any()
    kept = ~added & (now != 3)
    np.testing.assert_array_equal(now[kept], (ids() - 1)[kept])


def test_a_deleted_region_leaves_its_pixels_to_the_model_and_all_others_as_they_are(imported: Annotator) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    imported("delete", region=3)
    others = ids() != 3
    np.testing.assert_array_equal(imported.labels()[others], (ids() - 1)[others])


def test_a_merged_region_is_the_union_of_both(workspace: Workspace) -> None:
    annotator = Annotator(workspace, "a.png")
    for quad in QUADS:
        annotator("add", points=quad)
    before = annotator.labels()
    bare_history = workspace.open("a.png").history.after(read_action({"kind": "merge", "region": 1, "other": 2}))
    opened = workspace.open("a.png")._replace(history=bare_history, revision=99)
    union = np.isin(before, [0, 1])
    assert (union & (workspace._labeller.labels_of(opened, opened.work).region_map != 0)).any()  # the model would
    annotator("merge", region=1, other=2)
    assert (annotator.labels()[union] == 0).all()
    assert (annotator.exported()[union] == 1).all()
    annotator("undo")
    np.testing.assert_array_equal(annotator.labels(), before)


def test_a_journal_read_again_gives_the_same_labels(
    imported: Annotator, tmp_path: Path, tiny_checkpoint: Path, images: Path
) -> None:
    for region in (1, 2, 3):
        imported("unlock", region=region)
    imported("scribbles", strokes=[{"region": 1, "points": [[20, 30], [36, 33]]}])
    imported("brush", region=2, points=[[5, 5], [9, 9]], width=4)
    imported("brush", region=1, points=[[5, 40]], width=6, erase=True)
    imported("polygon", region=3, points=[[50, 2], [60, 2], [55, 12]])
    imported("merge", region=1, other=3)
    labels = imported.labels()
    again = Workspace(images, tmp_path / "out", cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES)
    np.testing.assert_array_equal(again.labels("a.png", imported.revision)[1].region_map, labels)
    again.journal.close()


def test_an_import_of_version_0_1_0_has_the_labels_that_it_had(imported: Annotator) -> None:
    """Its journal does not say which pixels are VOID. An unlocked region is the network's there."""
    path = imported.workspace.out / "journal.sqlite"
    imported("unlock", region=2)
    with sqlite3.connect(path) as connection:
        contents = [row[0] for row in connection.execute("SELECT content FROM action ORDER BY revision")]
    history = History((imported.work._replace(regions=(), edits=(), next_id=1),))
    for content in contents:
        old = json.loads(content)
        old.pop("void", None)
        history = history.after(read_action(old))
    assert history.work.edits == ()
    assert [region.mask is None for region in history.work.regions] == [False, True, False]


maps = st.integers(0, 2**32 - 1)


@given(maps)
def test_what_a_stroke_takes_is_connected_to_it_and_the_models(seed: int) -> None:
    rng = np.random.default_rng(seed)
    before, now, line, near = (rng.random((30, 40)) < part for part in (0.5, 0.6, 0.002, 0.3))
    line[rng.integers(30), rng.integers(40)] = True
    allowed, reached = line | (now & (near | ~before)), line
    while True:  # flood from the line, a pixel further each time
        padded = np.pad(reached, 1)
        grown = reached | padded[2:, 1:-1] | padded[:-2, 1:-1] | padded[1:-1, 2:] | padded[1:-1, :-2]
        if ((grown & allowed) == reached).all():
            break
        reached = grown & allowed
    np.testing.assert_array_equal(around_line(before, now, line, near), reached)
