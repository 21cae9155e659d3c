"""A folder of images, and a server for it."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace
from fullseg.data.scenes import generate_scene
from fullseg.types import Category

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

    from tests.annotator.browser import Person, ThreadedServer

IMAGES = 17  # in the folder for tests in a browser: each test takes one or two
HEIGHT, WIDTH = 48, 64
QUADS = [
    [[2, 20], [15, 2], [40, 20], [15, 40]],
    [[20, 30], [40, 10], [60, 30], [40, 45]],
    [[0, 5], [5, 0], [12, 5], [5, 9]],
]
WIDE = [[10, 60], [90, 12], [170, 70], [100, 150]]  # left, top, right, bottom
SMALL = [[120, 100], [160, 80], [210, 110], [165, 160]]
CATEGORIES = [Category(3, "dog", isthing=True), Category(8, "sky", isthing=False)]


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
    workspace = Workspace(
        images, tmp_path / "out", cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES
    )
    yield workspace
    workspace.journal.close()


@pytest.fixture
def client(workspace: Workspace) -> Iterator[TestClient]:
    app = Guard(make_app(workspace), hosts=["testserver"], token=None)
    with TestClient(app, headers={"X-Fullseg": "1"}, raise_server_exceptions=False) as client:
        yield client


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    from playwright.sync_api import sync_playwright  # the other tests run without it

    from tests.annotator.browser import launch

    with sync_playwright() as started:
        browser = launch(started)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    image = Image.fromarray(generate_scene(np.random.default_rng(0))[0]).resize((240, 180))
    for number in range(IMAGES):
        image.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def server(folder: Path, out: Path, tiny_checkpoint: Path) -> Iterator["ThreadedServer"]:
    from tests.annotator.browser import ThreadedServer

    server = ThreadedServer(folder, tiny_checkpoint, out)
    yield server
    server.stop()


@pytest.fixture
def page(browser: "Browser") -> Iterator["Page"]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def person(page: "Page", server: "ThreadedServer") -> Iterator["Person"]:
    from tests.annotator.browser import Person

    person = Person(page, server.address)
    yield person
    assert person.wrong == []
