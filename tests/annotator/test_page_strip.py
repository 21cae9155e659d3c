"""The strip of images below the open one, in a real Chromium."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow


def pictured(person: Person, number: int) -> NDArray[np.int64]:
    """Return the picture (h, w, 3) that the strip shows of an image."""
    source = person.page.locator("#images img").nth(number).get_attribute("src")
    body = person.page.request.get(f"{person.address.rstrip('/')}{source}").body()
    return np.asarray(Image.open(io.BytesIO(body)).convert("RGB"), np.int64)


def until(person: Person, true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        person.page.wait_for_timeout(50)
    raise AssertionError("it did not come true")


def test_the_strip_shows_what_was_done_after_a_pause_and_when_another_image_is_opened(person: Person) -> None:
    person.open(0)
    plain = pictured(person, 0)
    person.mark(WIDE)
    until(person, lambda: not np.array_equal(pictured(person, 0), plain))  # nobody has touched anything since
    first = pictured(person, 0)
    person.mark(SMALL)
    person.key("f")  # at once
    expect(person.page.locator("#images li").nth(1)).to_have_attribute("aria-current", "true")
    drawn, labels = pictured(person, 0), person.labels()
    assert not np.array_equal(drawn, first)
    rows, columns = (np.arange(new) * old // new for new, old in zip(drawn.shape, labels.shape, strict=False))
    np.testing.assert_array_equal((drawn != plain).any(axis=2), labels[np.ix_(rows, columns)] >= 0)


def test_no_picture_is_asked_for_while_a_stroke_is_on_its_way(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.open(2)
    person.page.wait_for_timeout(1700)
    asked: list[str] = []
    person.page.on("request", lambda request: asked.append(request.url.split("/")[-1].split("?")[0]))
    for step in range(3):
        person.draw([(80, 70 + 5 * step), (110, 90)])
    assert "actions" in asked
    assert "thumbnail" not in asked


def test_the_line_on_top_says_what_is_open_and_whether_it_is_saved(person: Person) -> None:
    person.open(3)
    expect(person.page.locator("#where")).to_have_text("03.png 4 of 17 saved")
    held = person.hold("**/actions?*")
    for x, y in WIDE:
        person.click((x, y))
    expect(person.page.locator("#saved")).to_have_text("saving ...")
    held.release()
    expect(person.page.locator("#saved")).to_have_text("saved")
