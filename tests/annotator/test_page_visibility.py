"""Which regions are drawn, and which one is below the pointer, in a real Chromium."""

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE
from tests.annotator.test_page_regions import inside

pytestmark = pytest.mark.slow


def open_two(person: Person, number: int) -> None:
    """Open an image with two regions, of which only the fill is drawn."""
    for quad in (WIDE, SMALL):
        person.act(number, kind="add", points=quad)
    person.open(number)
    person.key("h")
    person.page.locator("#canvas").focus()  # it has a frame then


def at(person: Person, point: tuple[float, float], shown: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the colour of a point of the image in a picture of the canvas."""
    box = person.page.locator("#canvas").bounding_box()
    assert box is not None
    x, y = person.screen(point)
    return shown[int(y - box["y"]), int(x - box["x"])]


def test_a_hidden_region_has_no_fill_and_keeps_its_pixels(person: Person) -> None:
    open_two(person, 0)
    first, second = inside(person, 0), inside(person, 1)
    labels, drawn = person.labels(), person.colours()
    person.page.keyboard.down("w")
    plain = person.colours()
    person.page.keyboard.up("w")
    eye = person.page.locator("#regions .eye")
    eye.first.click()
    expect(eye.first).to_have_attribute("aria-pressed", "true")
    expect(person.page.locator('#regions li[aria-current="true"]')).to_have_count(0)
    hidden = person.colours()
    np.testing.assert_array_equal(at(person, first, hidden), at(person, first, plain))
    np.testing.assert_array_equal(at(person, second, hidden), at(person, second, drawn))
    np.testing.assert_array_equal(person.labels(), labels)
    person.page.mouse.move(0, 0)
    person.key("Shift+y")
    np.testing.assert_array_equal(person.colours(), drawn)
    person.page.locator("#regions li").nth(1).click()
    person.key("y")
    expect(eye.nth(1)).to_have_attribute("aria-pressed", "true")
    np.testing.assert_array_equal(at(person, second, person.colours()), at(person, second, plain))
    person.key("f")
    expect(person.page.locator("#images li").nth(1)).to_have_attribute("aria-current", "true")
    person.key("d")
    expect(eye.nth(1)).to_have_attribute("aria-pressed", "false")


def test_solo_shows_the_chosen_region_alone_and_follows_the_choice(person: Person) -> None:
    open_two(person, 2)
    first, second = inside(person, 0), inside(person, 1)
    drawn = person.colours()
    regions = person.page.locator("#regions li")
    regions.first.click()
    person.key("s")
    expect(person.page.locator("#solo")).to_have_attribute("aria-pressed", "true")
    alone = person.colours()
    np.testing.assert_array_equal(at(person, first, alone), at(person, first, drawn))
    assert not np.array_equal(at(person, second, alone), at(person, second, drawn))
    regions.nth(1).click()
    alone = person.colours()
    np.testing.assert_array_equal(at(person, second, alone), at(person, second, drawn))
    assert not np.array_equal(at(person, first, alone), at(person, first, drawn))
    person.page.locator("#solo").click()
    expect(person.page.locator("#solo")).to_have_attribute("aria-pressed", "false")
    np.testing.assert_array_equal(at(person, first, person.colours()), at(person, first, drawn))


def test_the_region_below_the_pointer_is_named_and_highlighted(person: Person) -> None:
    open_two(person, 3)
    second = inside(person, 1)
    person.key("c")
    before = person.colours()
    name, row = person.page.locator("#hovered"), person.page.locator("#regions li").nth(1)
    person.page.mouse.move(*person.screen(second))
    expect(name).to_have_text(row.locator(".name").inner_text())
    expect(row).to_have_class("guess hovered")
    beside = name.bounding_box()
    x, y = person.screen(second)
    assert beside is not None
    assert 0 < beside["x"] - x < 30
    assert 0 < beside["y"] - y < 30
    person.page.mouse.move(0, 0)
    expect(name).to_be_hidden()
    np.testing.assert_array_equal(person.colours(), before)
    row.hover()  # the other way round: its outline is drawn, and nothing else
    changed = (person.colours() != before).any(axis=2)
    assert changed.any()
    assert not changed[tuple(int(value) for value in (y - 65, x - 76))]
    person.page.mouse.move(0, 0)
    person.key("m")  # clicks of this tool are about points
    person.page.mouse.move(*person.screen(second))
    expect(name).to_be_hidden()


def test_the_name_is_hidden_while_a_stroke_is_drawn(person: Person) -> None:
    open_two(person, 4)
    person.key("c")
    x, y = inside(person, 0)
    person.page.mouse.move(*person.screen((x, y)))
    expect(person.page.locator("#hovered")).to_be_visible()
    person.page.mouse.down()
    person.page.mouse.move(*person.screen((x + 20, y)), steps=4)
    expect(person.page.locator("#hovered")).to_be_hidden()
    person.key("Escape")
    person.page.mouse.up()
