"""A folder of images and a server on it."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace

HEIGHT, WIDTH = 48, 64
QUADS = [
    [[2, 20], [15, 2], [40, 20], [15, 40]],
    [[20, 30], [40, 10], [60, 30], [40, 45]],
    [[0, 5], [5, 0], [12, 5], [5, 9]],
]
CATEGORIES = [{"id": 3, "name": "dog", "isthing": 1}, {"id": 8, "name": "sky", "isthing": 0}]


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save(folder / name)
    (folder / "broken.jpg").write_text("no image")
    return folder


@pytest.fixture
def workspace(images: Path, tmp_path: Path, tiny_checkpoint: Path) -> Iterator[Workspace]:
    workspace = Workspace(images, tmp_path / "out", Predictor.from_checkpoint(tiny_checkpoint), CATEGORIES)
    yield workspace
    workspace.journal.close()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = Guard(make_app(workspace), hosts=["testserver"], token=None)
    with TestClient(app, headers={"X-Fullseg": "1"}, raise_server_exceptions=False) as client:
        yield client
