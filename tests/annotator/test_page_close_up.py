"""A large image from near: the page shows the labels that the export will have, in a real browser."""

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from fullseg.formats.image_file import enlarge
from fullseg.formats.panoptic_png import read_ids
from tests.annotator.browser import Person, Server

pytestmark = pytest.mark.slow
SIZE = (1536, 2048)  # (H, W); the network sees 768 x 1024
QUAD = [[470, 384], [512, 350], [560, 384], [512, 430]]
AROUND = 200  # px


@pytest.fixture
def person(page: Page, tiny_checkpoint: Path, tmp_path: Path) -> Iterator[Person]:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    oblique = (x + 0.37 * y) % 701 < 350  # edges between the pixels that the network sees
    (tmp_path / "photos").mkdir()
    Image.fromarray(np.where(oblique, 200, 150).astype(np.uint8)).convert("RGB").save(tmp_path / "photos" / "large.png")
    server = Server(tmp_path / "photos", tiny_checkpoint, tmp_path / "out")
    person = Person(page, server.address)
    yield person
    assert server.stop() == 0
    assert person.wrong == []


def exported(person: Person, out: Path) -> NDArray[np.int64]:
    path = out / "export" / "panoptic" / "large.png.png"
    person.key("x")
    expect(person.page.locator("#message")).to_have_attribute("title", re.compile(re.escape(str(path))), timeout=30_000)
    return read_ids(path).astype(np.int64)


def drawn(person: Person, around: int) -> NDArray[np.bool_]:
    """Return where the canvas shows the region's colour: so many pixels around its middle."""
    colours = person.colours()
    y, x = colours.shape[0] // 2, colours.shape[1] // 2
    part = colours[y - around : y + around, x - around : x + around]
    return np.asarray(np.ptp(part, axis=2) > 20)  # the image is grey


def test_from_near_the_page_shows_what_is_exported(person: Person, tmp_path: Path) -> None:
    person.page.set_viewport_size({"width": 1281, "height": 800})  # the canvas is 916 px wide, an even number
    person.act(0, kind="add", points=QUAD)
    for number in range(4):  # each is one pixel of the network wide at most, and oblique
        y = 362.3 + 11 * number
        person.act(0, kind="brush", region=1, points=[[475, y], [550, y + 9]], width=4, erase=True)
    person.open(0)
    asked: list[str] = []
    person.page.on("response", lambda answer: asked.append(answer.url) if "/close_up" in answer.url else None)
    whole = exported(person, tmp_path / "out") == 1
    seen = enlarge(person.labels(), SIZE) == 0
    person.page.wait_for_timeout(600)
    assert asked == []  # from far nobody sees the difference
    person.key("h")  # without points
    person.key("Shift+z")  # a pixel of the file is a pixel of the screen
    with person.page.expect_response("**/close_up*"):
        pass
    part = tuple(slice(side // 2 - AROUND, side // 2 + AROUND) for side in SIZE)
    wrong = [0.0, 0.0]
    for _ in range(50):
        found = drawn(person, AROUND)
        wrong = [float((found != expected[part]).mean()) for expected in (whole, seen)]
        if wrong[0] < 0.0003:
            break
    assert wrong[0] < 0.0003, wrong
    assert wrong[1] > 0.001, wrong
    with person.page.expect_response("**/close_up*revision=6&*"):
        person.key("Control+z")
