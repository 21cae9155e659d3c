"""Contrast, roles, names and the order of the Tab key, in a real Chromium."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow

# All visible texts with their colour and the colour behind them, and all fields with those of their border and around.
COLOURS = """() => {
  const behind = (element) => {
    for (let one = element; one; one = one.parentElement) {
      const colour = getComputedStyle(one).backgroundColor;
      if (!/, 0\\)$/.test(colour)) return colour;
    }
  };
  const dialog = document.querySelector("dialog[open]");
  const every = [...(dialog ?? document.body).querySelectorAll("*")];
  const all = every.filter((one) => one.checkVisibility() && !one.disabled);
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
  const texts = all.filter(hasText).map((one) => [one.textContent, getComputedStyle(one).color, behind(one)]);
  const fields = all.filter((one) => one.matches("input:not([type=range]), select, textarea"));
  const typed = fields.map((one) => [`in ${one.id}`, getComputedStyle(one).color, behind(one)]);
  const empty = fields.filter(({ placeholder, value }) => placeholder && !value);
  const hints = empty.map((one) => [one.placeholder, getComputedStyle(one, "::placeholder").color, behind(one)]);
  const edges = fields.map((one) => [one.id, getComputedStyle(one).borderTopColor, behind(one.parentElement)]);
  return [[...texts, ...typed, ...hints], edges];
}"""
NAMED = "button, input:not([hidden]), select, textarea, canvas, [role], dialog"
NAMELESS = """(named) => [...document.querySelectorAll(named)].filter((one) => {
  const by = one.getAttribute("aria-labelledby");
  const label = one.labels?.[0]?.textContent || (by && document.getElementById(by)?.textContent);
  const own = one.matches("input, select, textarea") ? "" : one.textContent.trim();
  return !(one.ariaLabel || label || own) && !one.matches("[role=status], [role=alert], [hidden], [hidden] *");
}).map((one) => one.outerHTML.slice(0, 80))"""
SEEN = (
    """(buttons) => buttons.map((one) => one.innerText || (one.querySelector("svg") && one.title && one.ariaLabel))"""
)
FOCUSED = """() => {
  const { id, className } = document.activeElement;
  return id || className;
}"""


def luminance(colour: str) -> float:
    """Return the relative luminance of an opaque colour "rgb(r, g, b)" by WCAG 2.2."""
    assert colour.startswith("rgb("), colour
    channels = [int(value) / 255 for value in colour[4:-1].split(",")]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def poor(person: Person) -> list[tuple[Any, ...]]:
    """Return the texts below 4.5 and the borders of fields below 3 (WCAG AA)."""
    texts, edges = person.page.evaluate(COLOURS)
    assert texts
    rated = [
        (what, round(contrast(one, other), 2), least)
        for found, least in ((texts, 4.5), (edges, 3))
        for what, one, other in found
    ]
    return [(what, found) for what, found, least in rated if found < least]


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_contrast_is_that_of_wcag_aa(person: Person, theme: str) -> None:
    person.page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    person.act(0, kind="add", points=WIDE, category=1)
    person.act(0, kind="add", points=SMALL)  # its class is guessed
    person.act(1, kind="finish", done=True)
    person.open(0)
    person.page.locator("#regions li").nth(1).click()
    assert poor(person) == []
    person.key("/")
    assert poor(person) == []
    person.key("Escape")
    person.page.evaluate("() => document.getElementById('canvas').focus()")
    person.key("Escape")
    person.key("l")  # there is none to lock
    expect(person.page.locator("#message")).to_have_class("error")
    assert poor(person) == []
    for button in ("#help", "#settings", "#edit-classes", "#comment", "#done"):
        person.page.locator(button).click()
        expect(person.page.locator("dialog[open]")).to_be_visible()
        assert poor(person) == []
        person.key("Escape")
    accent, panel = (
        person.page.evaluate(
            """(name) => {
              const probe = document.body.appendChild(document.createElement("p"));
              probe.style.color = `var(--${name})`;
              const { color } = getComputedStyle(probe);
              probe.remove();
              return color;
            }""",
            name,
        )
        for name in ("accent", "panel")
    )
    assert contrast(accent, panel) >= 3  # the frame of what has the keys


def test_the_theme_is_the_systems_or_the_persons(person: Person) -> None:
    person.page.emulate_media(color_scheme="light")
    person.open(1)
    ground = "() => getComputedStyle(document.body).backgroundColor"
    light = person.page.evaluate(ground)
    person.page.emulate_media(color_scheme="dark")
    dark = person.page.evaluate(ground)
    assert luminance(light) > 0.8
    assert luminance(dark) < 0.05
    person.page.locator("#settings").click()
    person.page.locator("#theme").select_option("light")
    assert person.page.evaluate(ground) == light
    person.key("Escape")
    person.page.reload()
    person.settle()
    assert person.page.evaluate(ground) == light


def test_all_that_can_be_used_has_a_name(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.open(2)
    assert person.page.evaluate(NAMELESS, NAMED) == []
    texts = person.page.locator("button:visible").evaluate_all(SEEN)
    assert len(texts) > 20
    assert all(texts)  # also who sees it knows what it is


def test_tab_stops_once_per_group_and_goes_through_the_page_in_order(person: Person) -> None:
    person.act(3, kind="add", points=WIDE)
    person.act(3, kind="add", points=SMALL)
    person.open(3)
    person.page.locator("#regions li").nth(1).click()
    person.page.evaluate("() => { document.body.tabIndex = -1; document.body.focus(); }")
    stops = []
    while len(stops) < 60:
        person.key("Tab")
        stops.append(person.page.evaluate(FOCUSED))
        if stops[-1] == "below":
            break
    assert stops[0] == "undo"
    order = ("undo", "done", "mark", "width", "canvas", "heat", "filter", "name", "category", "pick")
    places = [stops.index(name) for name in order]
    assert places == sorted(places)
    assert stops.count("pick") == 1
    assert len(set(stops) & {"mark", "correct", "choose", "brush", "erase", "polygon", "hole"}) == 1


def test_arrow_keys_move_within_a_group(person: Person) -> None:
    person.act(4, kind="add", points=WIDE)
    person.act(4, kind="add", points=SMALL)
    person.open(4)
    person.page.locator("#mark").focus()
    person.key("ArrowRight")
    expect(person.page.locator("#correct")).to_have_attribute("aria-checked", "true")
    expect(person.page.locator("#correct")).to_be_focused()
    person.page.locator("#regions .pick").first.focus()
    person.key("ArrowDown")
    person.key("Enter")
    expect(person.page.locator("#regions li").nth(1)).to_have_attribute("aria-current", "true")
    person.page.locator("#images li").nth(4).focus()
    person.key("ArrowDown")
    person.key("Enter")
    expect(person.page.locator("#images li").nth(5)).to_have_attribute("aria-selected", "true")


def test_an_error_is_an_alert_and_other_messages_are_a_status(person: Person) -> None:
    person.open(6)
    person.key("l")
    expect(person.page.get_by_role("alert")).to_contain_text("Choose a region first")
    person.key("Control+s")
    expect(person.page.locator("#message")).to_have_attribute("role", "status")
