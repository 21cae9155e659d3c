"""Regions that are marked by a box: their extreme points are those of the model's mask within it."""

import numpy as np
import pytest
from starlette.testclient import TestClient

from fullseg.annotator.actions import ActionError, Add
from fullseg.annotator.boxes import extremes_within, middles
from fullseg.annotator.workspace import Workspace

CORNERS = ((4.0, 30.0), (44.0, 6.0))  # bottom left and top right


def test_the_middles_of_a_boxs_sides() -> None:
    assert middles(CORNERS) == ((4, 18), (24, 6), (44, 18), (24, 30))
    with pytest.raises(ActionError, match=r"box: it spans 1.5 x 25 px, and needs 2 x 2"):
        middles(((4, 30), (4.5, 6)))


def test_the_extreme_points_are_those_of_the_largest_part_within_the_box() -> None:
    y, x = np.mgrid[:48, :64]
    disc = (x - 25) ** 2 + (y - 17) ** 2 <= 8.5**2
    small = (x < 9) & (x > 5) & (y > 10) & (y < 13)
    outside = y > 40
    assert extremes_within(disc | small | outside, CORNERS) == ((17, 17), (25, 9), (33, 17), (25, 25))


@pytest.mark.parametrize("mask", [np.zeros((48, 64), bool), np.arange(64) == np.full((48, 1), 20)])
def test_without_a_mask_the_middles_are_the_extreme_points(mask: np.ndarray) -> None:  # type: ignore[type-arg]
    assert extremes_within(mask, CORNERS) == middles(CORNERS)


def test_a_box_is_a_marked_region_in_the_journal(client: TestClient, workspace: Workspace) -> None:
    opened = workspace.open("a.png")
    by_middles = opened.history.after(Add(points=middles(CORNERS))).work
    mask = workspace._labeller.labels_of(opened, by_middles).region_map == 0
    content = {"kind": "box", "corners": CORNERS, "category": 8}
    answer = client.post("/api/images/0/actions", json={"revision": 0, "action": content})
    (region,) = answer.json()["regions"]
    assert region["category"] == 8
    assert region["points"] == [list(point) for point in extremes_within(mask, CORNERS)]
    (entry,) = workspace.journal.open_image("a.png", opened.work.size)
    assert entry.action.kind == "add"  # so that the journal is read again without a model


@pytest.mark.parametrize(
    ("corners", "why"),
    [(((4, 30), (90, 6)), "lies outside the image"), (((4, 30), (4, 6)), "box: it spans 1 x 25 px")],
)
def test_a_box_that_is_none_is_refused(client: TestClient, corners: object, why: str) -> None:
    answer = client.post("/api/images/0/actions", json={"revision": 0, "action": {"kind": "box", "corners": corners}})
    assert answer.status_code == 400
    assert why in answer.json()["error"]
