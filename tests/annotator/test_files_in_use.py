"""Images and exports that are replaced, moved or in the way while the server runs: no work is lost."""

import json
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import CATEGORIES, HEIGHT, QUADS, WIDTH
from tests.annotator.test_server import POINTS, act, add_all, labels


def test_a_picture_that_is_replaced_gets_labels_of_the_new_one(
    client: TestClient, workspace: Workspace, images: Path, tiny_checkpoint: Path
) -> None:
    revision = add_all(client)
    labels(client, revision)
    rng = np.random.default_rng(7)
    other = rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    Image.fromarray(other).save(images / "a.png")

    found = labels(client, revision)[0]

    np.testing.assert_array_equal(workspace.open("a.png").pixels, other)
    fresh = Predictor.from_checkpoint(tiny_checkpoint)
    fresh.set_image(other)
    np.testing.assert_array_equal(found, fresh.predict(workspace.open("a.png").history.work.annotations()))


def test_an_image_that_was_moved_stays_in_the_exported_files(
    client: TestClient, workspace: Workspace, images: Path, tmp_path: Path
) -> None:
    for image in (0, 1):
        act(client, 0, POINTS, image)
        client.post(f"/api/images/{image}/export", json={"revision": 1})
    model = workspace._labeller.seen(workspace.open("b.png")).model
    (images / "a.png").rename(tmp_path / "elsewhere.png")
    again = Workspace(images, tmp_path / "out", lambda: model, CATEGORIES)
    again.export("b.png", 1)
    for file in ("panoptic.json", "instances.json", "times.json"):
        content = json.loads((tmp_path / "out/export" / file).read_text())
        assert [image["file_name"] for image in content["images"]] == ["a.png", "b.png"], file
    again.journal.close()


def test_a_folder_of_exports_that_is_moved_gets_nothing_until_it_is_back(client: TestClient, tmp_path: Path) -> None:
    act(client, 0, POINTS)
    client.post("/api/images/0/export", json={"revision": 1})
    (tmp_path / "out").rename(tmp_path / "moved")
    content = {"revision": 1, "action": {"kind": "add", "points": QUADS[1]}}
    for path, body in (("actions", content), ("export", {"revision": 1})):
        answer = client.post(f"/api/images/0/{path}", json=body)
        assert answer.status_code == 507
        assert "journal.sqlite was moved" in answer.json()["error"]
    assert not (tmp_path / "out").exists()
    (tmp_path / "moved").rename(tmp_path / "out")
    assert act(client, 1, content["action"])["revision"] == 2


def test_an_export_that_cannot_be_written_says_so(client: TestClient, tmp_path: Path) -> None:
    act(client, 0, POINTS)
    (tmp_path / "out/export/panoptic/a.png.png").mkdir(parents=True)  # in the place of the file
    answer = client.post("/api/images/0/export", json={"revision": 1})
    assert answer.status_code == 507
    assert "a.png.png" in answer.json()["error"]


def test_a_folder_of_images_that_is_moved_is_named_and_its_work_stays(
    client: TestClient, images: Path, tmp_path: Path
) -> None:
    act(client, 0, POINTS)
    images.rename(tmp_path / "moved")
    for path in ("", "/pixels", "/thumbnail", "/labels?revision=1"):
        answer = client.get(f"/api/images/0{path}")
        assert answer.status_code == 415
        assert "images/a.png is missing" in answer.json()["error"]
    assert client.get("/api/workspace").json()[0]["regions"] == 1
    (tmp_path / "moved").rename(images)
    assert client.get("/api/images/0").json()["revision"] == 1
