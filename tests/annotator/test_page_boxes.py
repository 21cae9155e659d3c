"""Regions by a box, and extreme points that are dragged, in a real Chromium."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow


def test_a_dragged_box_marks_a_region_and_its_points_are_of_the_mask(person: Person) -> None:
    person.open(0)
    person.key("m")
    person.drag([(30, 40), (150, 140)])
    expect(person.page.locator("#regions li")).to_have_count(1)
    person.settle()
    (region,) = person.state()["regions"]
    points = np.array(region["points"])
    assert (points >= [29.5, 39.5]).all()
    assert (points <= [150.5, 140.5]).all()
    person.key("Control+z")  # one action
    expect(person.page.locator("#regions li")).to_have_count(0)


def test_a_box_of_no_pixel_is_said_and_dropped(person: Person) -> None:
    person.open(1)
    person.key("m")
    person.drag([(30, 40), (150, 40)])
    expect(person.page.locator("#message")).to_contain_text("These points span 121 x 1 px")
    person.mark(WIDE)  # the clicks are not disturbed
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=0.51)


def test_points_of_the_chosen_region_are_dragged(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.act(2, kind="add", points=SMALL)
    person.open(2)
    person.page.locator("#regions li").first.click()
    person.key("m")
    (left, top), *_ = WIDE
    person.drag([(left, top), (left + 12, top + 5)])
    expect(person.page.locator("#figures")).not_to_contain_text("...")
    person.page.wait_for_function("async () => (await (await fetch('/api/images/2')).json()).revision === 3")
    first, second = person.state()["regions"]
    np.testing.assert_allclose(first["points"], [[left + 12, top + 5], *WIDE[1:]], atol=0.51)
    np.testing.assert_allclose(second["points"], SMALL)
    person.key("l")
    expect(person.page.locator("#regions li .lock").first).to_have_attribute("aria-pressed", "true")
    person.drag([(170, 70), (180, 60)])  # a locked region's points stay: this is a new region's box
    expect(person.page.locator("#regions li")).to_have_count(3)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], first["points"])


def test_escape_drops_a_box_that_is_being_drawn(person: Person) -> None:
    person.open(3)
    person.key("m")
    person.page.mouse.move(*person.screen((30, 40)))
    person.page.mouse.down()
    person.page.mouse.move(*person.screen((100, 90)), steps=4)
    person.key("Escape")
    person.page.mouse.up()
    person.page.wait_for_timeout(200)
    assert person.state()["revision"] == 0
