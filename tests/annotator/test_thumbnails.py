"""The pictures of the strip: each is made once per state, of labels that are there already."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from starlette.testclient import TestClient

from fullseg.annotator.images import read_thumbnail
from fullseg.annotator.thumbnails import FOLDER
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import QUADS

NAME = "a.png"


def picture(client: TestClient, revision: int) -> tuple[NDArray[np.uint8], str]:
    answer = client.get(f"/api/images/0/thumbnail?revision={revision}")
    assert answer.status_code == 200
    return np.asarray(Image.open(io.BytesIO(answer.content))), answer.headers["Cache-Control"]


def mark(workspace: Workspace, number: int) -> int:
    revision = workspace.open(NAME).revision
    return workspace.act(NAME, revision, {"kind": "add", "points": QUADS[number]}, 0).revision


def test_the_picture_has_the_regions_of_the_labels(
    client: TestClient, workspace: Workspace, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = read_thumbnail(images / NAME, 160)
    np.testing.assert_array_equal(picture(client, 0)[0], plain)
    revision = mark(workspace, 0)
    early, keeping = picture(client, revision)  # nobody has asked for its labels: the model is not asked either
    np.testing.assert_array_equal(early, plain)
    assert keeping == "no-store"
    labels = workspace.labels(NAME, revision)[1].region_map
    monkeypatch.setattr(workspace, "labels", None)
    drawn, keeping = picture(client, revision)
    assert "max-age" in keeping
    changed = (drawn != plain).any(axis=2)
    np.testing.assert_array_equal(changed, labels == 0)  # the image is as small as its picture
    mixed = 2.0 * drawn[labels == 0] - plain[labels == 0]  # half of each
    assert np.ptp(mixed, axis=0).max() <= 2  # one colour
    assert np.ptp(np.median(mixed, axis=0)) > 100  # and no grey


def test_the_picture_is_kept_for_the_next_server_and_for_later_states(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = mark(workspace, 0)
    workspace.labels(NAME, revision)
    drawn, _ = picture(client, revision)
    monkeypatch.setattr(workspace, "labels_at_hand", lambda *_: None)
    np.testing.assert_array_equal(picture(client, revision)[0], drawn)
    later, keeping = picture(client, mark(workspace, 1))
    np.testing.assert_array_equal(later, drawn)  # the newest that is known
    assert keeping == "no-store"
    assert len(list((workspace.out / FOLDER).iterdir())) == 1


def test_an_export_has_the_regions_if_no_picture_was_kept(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    revision = mark(workspace, 0)
    workspace.export(NAME, revision)
    labels = workspace.labels(NAME, revision)[1].region_map
    monkeypatch.setattr(workspace, "labels_at_hand", lambda *_: None)
    drawn, _ = picture(client, revision)
    plain, _ = picture(client, 0)
    np.testing.assert_array_equal((drawn != plain).any(axis=2), labels == 0)
