"""Pixels that a person decides: in the labels at once, and in the export to the last bit."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg.annotator.actions import ActionError
from fullseg.annotator.loose import count_loose
from fullseg.annotator.masks import encode_mask
from fullseg.annotator.workspace import Workspace
from fullseg.formats.panoptic_png import read_ids, write_panoptic_png
from tests.annotator.conftest import HEIGHT, QUADS, WIDTH
from tests.annotator.test_shapes import distances


class Annotator:
    """Does one action after another on one image."""

    def __init__(self, workspace: Workspace, name: str) -> None:
        self.workspace, self.name = workspace, name
        self.revision = workspace.open(name).revision

    def __call__(self, kind: str, **fields: Any) -> None:
        self.revision = self.workspace.act(self.name, self.revision, {"kind": kind, **fields}, 1.0).revision

    def labels(self) -> NDArray[np.int64]:
        return self.workspace.labels(self.name, self.revision)[1].region_map

    def exported(self) -> NDArray[np.int64]:
        """Return the exported png: 0 for VOID, else the region's place in the list, from 1 on."""
        self.workspace.export(self.name, self.revision)
        return read_ids(self.workspace.out / "export" / "panoptic" / f"{self.name}.png").astype(np.int64)

    def import_(self, ids: NDArray[np.int64]) -> None:
        png = self.workspace.out / "import.png"
        write_panoptic_png(png, ids - 1)
        segments = [{"id": number, "category_id": 3} for number in np.unique(ids[ids > 0]).tolist()]
        opened, _ = self.workspace.replace(self.name, self.revision, png.read_bytes(), {"segments_info": segments})
        self.revision = opened.revision

    @property
    def work(self) -> Any:
        return self.workspace.open(self.name).work


@pytest.fixture
def annotator(workspace: Workspace) -> Annotator:
    annotator = Annotator(workspace, "a.png")
    for quad in QUADS:
        annotator("add", points=quad)
    return annotator


def test_a_brush_gives_exactly_its_pixels_and_undo_takes_them_back(annotator: Annotator) -> None:
    before = annotator.labels()
    path = [[50, 4], [60, 12]]
    annotator("brush", region=3, points=path, width=5)
    here = near(path, 2.5, (HEIGHT, WIDTH))
    painted = annotator.labels()
    np.testing.assert_array_equal(painted, np.where(here, 2, before))
    np.testing.assert_array_equal(annotator.exported() - 1, painted)
    annotator("undo")
    np.testing.assert_array_equal(annotator.labels(), before)
    annotator("redo")
    np.testing.assert_array_equal(annotator.labels(), painted)


def near(path: list[list[float]], radius: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) whose centres are at most so far from a path."""
    return np.asarray(distances(np.array(path, np.float64), size) <= radius)


def test_the_brush_shows_the_network_its_path_but_takes_no_pixel_beside_it(annotator: Annotator) -> None:
    """With the next stroke the path is a scribble. Its line is not held: only the painted pixels are decided."""
    path, line = [[44, 20], [56, 30]], [[30, 45]]
    before = annotator.labels()
    annotator("brush", region=3, points=path, width=1)
    np.testing.assert_array_equal(annotator.labels(), np.where(near(path, 0.5, (HEIGHT, WIDTH)), 2, before))
    assert shown(annotator, 2) == []
    annotator("scribbles", strokes=[{"region": 1, "points": line}])
    annotator.labels()
    assert shown(annotator, 2) == [path]
    state = annotator.workspace._labeller.seen(annotator.workspace.open("a.png")).predictor._state
    assert state is not None
    assert state.decided.pixels.tolist() == [45 * WIDTH + 30]
    now = annotator.labels()
    annotator("brush", region=2, points=[[50, 25]], width=9)  # what is shown changes with the next stroke only
    assert shown(annotator, 2) == [path]
    far = ~near([[50, 25]], 4.5, (HEIGHT, WIDTH))
    np.testing.assert_array_equal(annotator.labels()[far], now[far])
    annotator("scribbles", strokes=[{"region": 1, "points": line}])
    annotator.labels()
    assert len(shown(annotator, 2)) == 2  # before and behind the new pixels


def shown(annotator: Annotator, place: int) -> list[list[list[float]]]:
    """Return the scribbles of a region that the network was shown last."""
    annotator.labels()
    state = annotator.workspace._labeller.seen(annotator.workspace.open("a.png")).predictor._state
    assert state is not None
    return [one.tolist() for one in state.regions[place].scribbles]


def test_the_eraser_gives_each_pixel_to_the_best_other_region_or_to_none(annotator: Annotator) -> None:
    before = annotator.labels()
    path = [[5, 20], [45, 20]]
    annotator("brush", region=1, points=path, width=9, erase=True)
    after, here = annotator.labels(), near(path, 4.5, (HEIGHT, WIDTH))
    np.testing.assert_array_equal(after[~here], before[~here])
    assert (after[here] != 0).all()
    probabilities = annotator.workspace._labeller.seen(annotator.workspace.open("a.png")).predictor.probabilities()
    assert not probabilities[0][here].any()
    best = probabilities.argmax(axis=0)
    competing = here & (probabilities.max(axis=0) > 0)
    assert competing.any()
    assert (here & ~competing).any()
    np.testing.assert_array_equal(after[competing], best[competing])
    assert (after[here & ~competing] == -1).all()
    annotator("fill", filled=True)  # what is of no region now goes to the nearest region, but not back to this one
    filled = annotator.labels()
    assert (filled != -1).all()
    assert (filled[here] != 0).all()
    annotator("brush", region=1, points=path, width=3)  # a later decision wins
    assert (annotator.labels()[near(path, 1.5, (HEIGHT, WIDTH))] == 0).all()


def test_a_scribble_wins_over_what_was_painted_before_on_its_line_and_the_brush_over_earlier_lines(
    annotator: Annotator,
) -> None:
    line = [[30, 20], [50, 20]]
    annotator("brush", region=3, points=line, width=7)
    annotator("scribbles", strokes=[{"region": 2, "points": line}])
    labels = annotator.labels()
    assert (labels[20, 30:51] == 1).all()
    assert (labels[18, 30:51] == 2).all()
    annotator("brush", region=3, points=[[38, 20], [42, 20]], width=1)
    assert annotator.labels()[20, 36:45].tolist() == [1, 1, 2, 2, 2, 2, 2, 1, 1]
    annotator("brush", region=2, points=line, width=1, erase=True)
    assert (annotator.labels()[20, 30:51] != 1).all()


def test_a_locked_region_is_neither_painted_nor_painted_over(annotator: Annotator) -> None:
    locked = annotator.labels() == 0
    annotator("lock", region=1)
    with pytest.raises(ActionError, match="region 1 is locked: unlock it first"):
        annotator("brush", region=1, points=[[5, 5]], width=3)
    annotator("brush", region=2, points=[[0, 20], [60, 20]], width=9)
    np.testing.assert_array_equal(annotator.labels() == 0, locked)
    annotator("unlock", region=1)
    assert (annotator.labels()[near([[0, 20], [60, 20]], 4.5, (HEIGHT, WIDTH))] == 1).all()


def test_what_was_painted_goes_with_its_region(annotator: Annotator) -> None:
    path = [[50, 4], [60, 12]]
    here = near(path, 2.5, (HEIGHT, WIDTH))
    annotator("brush", region=3, points=path, width=5)
    annotator("reorder", order=[3, 1, 2])
    assert (annotator.labels()[here] == 0).all()
    annotator("merge", region=2, other=3)
    assert [region.id for region in annotator.work.regions] == [1, 2]
    assert (annotator.labels()[here] == 1).all()
    annotator("delete", region=2)
    assert annotator.work.edits == ()
    assert not (annotator.labels()[here] == 1).any()


def test_a_polygon_is_a_rectangle_where_its_corners_are(annotator: Annotator) -> None:
    annotator("polygon", region=1, points=[[49.5, 1.5], [60.5, 1.5], [60.5, 9.5], [49.5, 9.5]])
    assert (annotator.labels()[2:10, 50:61] == 0).all()
    annotator("scribbles", strokes=[{"region": 2, "points": [[40, 30]]}])
    lines = shown(annotator, 0)
    assert [line[0][1] for line in lines] == [3, 6, 8]
    for (x0, _), (x1, _) in lines:
        assert 50 <= x0 < x1 <= 60


def test_a_hole_is_filled_and_islands_are_cleaned_in_one_action_each(annotator: Annotator) -> None:
    ids = np.ones((HEIGHT, WIDTH), np.int64)
    ids[:, 32:] = 2
    ids[10:13, 10:12], ids[30:32, 50:53], ids[20:22, 40:42] = 2, 1, 0
    annotator.import_(ids)
    for region in annotator.work.regions:
        annotator("unlock", region=region.id)
    workspace = annotator.workspace
    assert [count_loose(workspace, "a.png", annotator.revision, below) for below in (4, 5, 6, 7)] == [0, 1, 1, 3]
    annotator("hole", at=[40, 21])
    assert annotator.labels()[20:22, 40:42].tolist() == [[1, 1], [1, 1]]
    assert count_loose(workspace, "a.png", annotator.revision, 7) == 2
    annotator("clean", below=7)
    assert count_loose(workspace, "a.png", annotator.revision, 7) == 0
    expected = np.where(np.arange(WIDTH) < 32, 1, 2) * np.ones((HEIGHT, 1), np.int64)
    np.testing.assert_array_equal(annotator.exported(), expected)
    annotator("undo")
    annotator("undo")
    np.testing.assert_array_equal(annotator.exported(), ids)


def test_what_a_browser_says_about_pixels_is_ignored(annotator: Annotator) -> None:
    patch = {"region": 1, "size": [HEIGHT, WIDTH], "box": None, "mask": encode_mask(np.ones((HEIGHT, WIDTH), bool))}
    annotator("scribbles", strokes=[{"region": 1, "points": [[15, 20]]}], kept=[patch])
    assert annotator.work.edits == ()
    annotator("clean", below=1, patches=[patch])
    assert annotator.work.edits == ()
