"""The palette of classes, in a real Chromium."""

import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow


def names(person: Person) -> list[str]:
    return person.page.locator("#palette .name").all_inner_texts()


def test_keys_1_to_9_give_the_chosen_region_a_class_or_the_next_one(person: Person) -> None:
    person.act(0, kind="add", points=WIDE)
    person.open(0)
    second = names(person)[1]
    person.page.locator("#regions li").first.click()
    person.key("2")
    expect(person.page.locator("#regions .name")).to_have_text(f"1  {second}")
    chip = person.page.locator("#palette button").nth(1)
    expect(chip).to_have_attribute("aria-pressed", "true")
    expect(chip).to_have_attribute("title", f"{second} (2)")
    person.key("Escape")
    person.page.locator("#palette button").first.click()  # no region is chosen: it is the class of the next one
    expect(person.page.locator("#canvas")).to_be_focused()
    person.mark(SMALL)
    categories = [region["category"] for region in person.state()["regions"]]
    listed = person.page.request.get(f"{person.address}api/categories").json()["categories"]
    assert categories == [listed[1]["id"], listed[0]["id"]]


def test_a_class_that_is_found_comes_first_and_the_others_keep_their_keys_until_then(person: Person) -> None:
    for number in range(9):  # with the model's own there are more than nine
        content = {"name": f"kind {number}", "isthing": False}
        headers = {"X-Fullseg": "1"}
        assert person.page.request.post(f"{person.address}api/categories", data=content, headers=headers).ok
    person.act(1, kind="add", points=WIDE)
    person.open(1)
    before = names(person)
    assert len(before) == 9
    assert "kind 8" not in before
    person.page.locator("#regions li").first.click()
    person.key("3")
    assert names(person) == before  # a key means the same class as before
    person.key("/")
    person.page.keyboard.type("kind 8")
    person.key("Enter")
    expect(person.page.locator("#regions .name")).to_have_text("1  kind 8")
    assert names(person) == ["kind 8", *before[:8]]


def test_a_colour_of_the_palette_is_that_of_its_class_in_the_image(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.open(2)
    person.page.locator("#regions li").first.click()
    person.key("2")
    expect(person.page.locator("#palette button").nth(1)).to_have_attribute("aria-pressed", "true")
    person.key("t")
    chip = person.page.locator("#palette .swatch").nth(1)
    colour = chip.evaluate("(element) => getComputedStyle(element).backgroundColor")
    swatch = person.page.locator("#regions .swatch")
    expect(swatch).to_have_css("background-color", colour)
