"""Keys in a real Chromium: buttons, fields, other layouts and own keys."""

import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import WIDE

pytestmark = pytest.mark.slow
PRESS = """([key, code]) => {
  const keys = { key, code, bubbles: true, cancelable: true };
  document.activeElement.dispatchEvent(new KeyboardEvent("keydown", keys));
  document.activeElement.dispatchEvent(new KeyboardEvent("keyup", keys));
}"""


def test_space_presses_no_button_and_a_clicked_button_gives_the_keys_back(person: Person) -> None:
    person.open(0)
    heat = person.page.locator("#heat")
    heat.click()
    expect(heat).to_have_attribute("aria-pressed", "true")
    person.key("Space")
    person.key("Enter")
    expect(heat).to_have_attribute("aria-pressed", "true")
    heat.focus()  # as by Tab
    person.page.keyboard.down("Space")
    expect(person.page.locator("#hint")).to_have_text("Drag to move the image")
    person.page.keyboard.up("Space")
    expect(person.page.locator("#hint")).not_to_have_text("Drag to move the image")
    expect(heat).to_have_attribute("aria-pressed", "true")
    person.key("Enter")  # presses the button that was reached by Tab
    expect(heat).to_have_attribute("aria-pressed", "false")


def test_enter_in_the_filter_opens_the_first_hit_and_escape_gives_the_keys_back(person: Person) -> None:
    person.open(1)
    images = person.page.locator("#images li")
    person.key("p")
    person.page.keyboard.type("13")
    person.key("Enter")
    expect(images).to_have_count(1)
    expect(images.first).to_have_attribute("aria-current", "true")
    person.key("c")  # the canvas has the keys
    expect(person.page.locator("#correct")).to_have_attribute("aria-checked", "true")
    person.key("p")
    person.key("Escape")
    expect(images.nth(13)).to_have_attribute("aria-current", "true")
    person.key("m")
    expect(person.page.locator("#mark")).to_have_attribute("aria-checked", "true")


def test_f_and_d_go_to_the_next_and_the_previous_image(person: Person) -> None:
    person.open(2)
    person.key("f")
    expect(person.page.locator("#images li").nth(3)).to_have_attribute("aria-current", "true")
    person.key("d")
    expect(person.page.locator("#images li").nth(2)).to_have_attribute("aria-current", "true")


def test_ctrl_s_says_that_all_is_saved_or_what_is_not(person: Person) -> None:
    person.open(4)
    person.mark(WIDE)
    person.page.locator("#name").fill("wall")  # a name that is still being typed
    person.key("Control+s")
    expect(person.page.locator("#message")).to_have_text("Everything is saved: 2 actions on this image")
    assert person.state()["regions"][0]["name"] == "wall"
    person.page.locator("#canvas").focus()
    person.key("k")
    person.key("c")
    person.drag([(80, 70), (110, 70)])
    person.key("Control+s")
    expect(person.page.locator("#message")).to_have_text("Saved, but for the clicks and strokes that are not sent yet")
    person.key("Escape")


@pytest.mark.parametrize(
    ("key", "code", "tool"),
    [
        ("\u0441", "KeyC", "correct"),  # the Cyrillic letter on that key
        ("v", "Period", "choose"),  # a Dvorak keyboard: what is printed counts
        ("M", "KeyM", "mark"),  # Caps Lock
    ],
)
def test_keys_are_found_on_other_keyboards(person: Person, key: str, code: str, tool: str) -> None:
    person.open(5)
    person.key("v" if tool == "mark" else "m")
    person.page.evaluate(PRESS, [key, code])
    expect(person.page.locator(f"#{tool}")).to_have_attribute("aria-checked", "true")


def test_a_sign_that_a_keyboard_has_elsewhere_is_found_by_its_place(person: Person) -> None:
    person.open(5)
    person.page.evaluate("document.activeElement.blur()")
    shifted = PRESS.replace("key, code,", "key, code, shiftKey: true,")
    person.page.evaluate(shifted, ["Ü", "BracketLeft"])  # a German keyboard's key for Shift+[
    expect(person.page.locator("#opacity")).to_have_value("40")


def test_a_key_is_changed_and_remembered(person: Person) -> None:
    person.open(5)
    person.key("?")
    lines = person.page.locator("#keylist div")
    lines.filter(has_text="correct: draw").locator("button").click()
    person.key("m")  # was the key for marking, which gets "c"
    expect(person.page.locator("#keys-said")).to_contain_text("m: correct: draw")
    expect(lines.filter(has_text="mark regions by").locator("button")).to_have_text("c")
    person.page.reload()
    person.settle()
    person.key("m")
    expect(person.page.locator("#correct")).to_have_attribute("aria-checked", "true")
    expect(person.page.locator("#correct")).to_have_attribute(
        "title", "Press inside a region and draw into what it lacks (M)"
    )
    person.key("?")
    person.page.locator("#keys-reset").click()
    person.page.get_by_role("button", name="Close").click()
    person.key("m")
    expect(person.page.locator("#mark")).to_have_attribute("aria-checked", "true")
