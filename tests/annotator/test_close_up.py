"""Labels of parts of large images: those that an export would have there."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.close_up import CloseUps
from fullseg.annotator.layer import Part
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import StaleError, Workspace
from fullseg.errors import ImageError
from tests.annotator.conftest import CATEGORIES
from tests.annotator.test_painting import Annotator

LARGE = (700, 1500)  # (H, W); the network sees it at 478 x 1024
QUADS = ([[100, 200], [500, 10], [900, 200], [500, 470]], [[300, 240], [500, 100], [700, 240], [500, 400]])


@pytest.fixture
def workspace(tmp_path: Path, tiny_checkpoint: Path) -> Iterator[Workspace]:
    rng = np.random.default_rng(0)
    image = np.kron(rng.integers(0, 256, (70, 150, 3)), np.ones((10, 10, 1))) + rng.integers(-9, 10, (*LARGE, 3))
    (tmp_path / "images").mkdir()
    Image.fromarray(image.clip(0, 255).astype(np.uint8)).save(tmp_path / "images" / "large.png")
    Image.new("RGB", (60, 40)).save(tmp_path / "images" / "small.png")
    load = cache(lambda: Predictor.from_checkpoint(tiny_checkpoint))
    workspace = Workspace(tmp_path / "images", tmp_path / "out", load, CATEGORIES)
    yield workspace
    workspace.journal.close()


def parts(rng: np.random.Generator) -> Iterator[Part]:
    yield Part(0, 0, 1024, 700)
    yield Part(476, 0, 1500, 700)
    for _ in range(12):
        left, top = rng.integers(0, LARGE[1]), rng.integers(0, LARGE[0])
        sides = rng.integers(1, 400, 2)
        yield Part(int(left), int(top), int(min(LARGE[1], left + sides[0])), int(min(LARGE[0], top + sides[1])))


@pytest.mark.parametrize("what", ["marked", "painted", "locked"])
def test_a_part_is_that_of_the_export(what: str, workspace: Workspace) -> None:
    annotator = Annotator(workspace, "large.png")
    if what == "locked":
        ids = np.ones(LARGE, np.int64)
        ids[:, 400:903], ids[301:400, 100:1300] = 2, 3
        annotator.import_(ids)
        annotator("unlock", region=3)
    else:
        for quad in QUADS:
            annotator("add", points=quad)
        annotator("scribbles", strokes=[{"region": 1, "points": [[200, 150], [260, 160]]}])
    if what == "painted":
        annotator("brush", region=2, points=[[300, 100], [800, 301]], width=17)
        annotator("brush", region=1, points=[[500, 50], [500, 450]], width=9.5, erase=True)
        annotator("polygon", region=1, points=[[100, 30], [180, 60], [90, 111]])
    whole = annotator.exported() - 1
    assert len(np.unique(whole)) >= 3
    close_ups = CloseUps(workspace)
    for part in parts(np.random.default_rng(3)):
        found = close_ups.labels("large.png", annotator.revision, part)
        np.testing.assert_array_equal(found, whole[part.slices])


def test_requests_for_parts(workspace: Workspace) -> None:
    annotator = Annotator(workspace, "large.png")
    for quad in QUADS:
        annotator("add", points=quad)
    client = TestClient(Guard(make_app(workspace), hosts=["testserver"], token=None))
    query = {"revision": 2, "left": 600, "top": 100, "right": 700, "bottom": 150}
    answer = client.get("/api/images/0/close_up", params=query)
    assert answer.status_code == 200
    found = np.frombuffer(answer.content, "<u2").reshape(50, 100).astype(np.int64) - 1
    np.testing.assert_array_equal(found, annotator.exported()[100:150, 600:700] - 1)
    assert client.get("/api/images/0/close_up", params={**query, "revision": 1}).status_code == 204
    for wrong in ({"right": 600}, {"right": 1501}, {"bottom": 701}, {"left": 0, "right": 1025}):
        answer = client.get("/api/images/0/close_up", params={**query, **wrong})
        assert answer.status_code >= 400
        assert "is no part of 1500 x 700 px" in answer.json()["error"]
    assert client.get("/api/images/0/close_up", params={"revision": 2}).status_code == 400
    small = client.get("/api/images/1/close_up", params={**query, "revision": 0})
    assert "have the size of its file already" in small.json()["error"]


def test_an_old_revision_and_a_file_that_is_replaced(workspace: Workspace) -> None:
    annotator = Annotator(workspace, "large.png")
    annotator("add", points=QUADS[0])
    close_ups, part = CloseUps(workspace), Part(0, 0, 9, 9)
    with pytest.raises(StaleError):
        close_ups.labels("large.png", 0, part)
    close_ups.labels("large.png", 1, part)
    path = workspace.path("large.png")
    path.write_text("no image")
    with pytest.raises(ImageError, match=r"large\.png"):
        close_ups.labels("large.png", 1, part)
