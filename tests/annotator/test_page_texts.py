"""The page in several languages, in a real Chromium."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.annotator.browser import Person, ThreadedServer
from tests.annotator.conftest import WIDE
from tests.annotator.test_page_layout import LINES, OVERFLOWS

pytestmark = pytest.mark.slow

# By language: all entries with the kind of each, and for functions the number of their arguments.
ENTRIES = """async () => {
  const { LANGUAGES } = await import("/static/texts.js");
  const kind = (value) => (typeof value === "function" ? value.length : typeof value);
  const walk = (value, path) => (Object(value) === value && typeof value !== "function"
    ? Object.entries(value).flatMap(([name, inner]) => walk(inner, [...path, name]))
    : [[path.join(" "), kind(value), typeof value === "string" ? value : ""]]);
  return Object.fromEntries(Object.entries(LANGUAGES).map(([name, texts]) => [name, walk(texts, []).sort()]));
}"""
KEYS = """async () => {
  const { makeKeys } = await import("/static/keys.js");
  const page = new Proxy({}, { get: (_, name) => (name === Symbol.toPrimitive ? () => "" : page) });
  return makeKeys(page).map(([key]) => key).sort();
}"""


def test_each_language_has_each_text(person: Person) -> None:
    person.open(0)
    entries = person.page.evaluate(ENTRIES)
    english = {name: kind for name, kind, _ in entries["en"]}
    assert set(entries) == {"en", "de"}
    for found in entries.values():
        assert {name: kind for name, kind, _ in found} == english
    assert sorted(name.removeprefix("keys ") for name in english if name.startswith("keys ")) == person.page.evaluate(
        KEYS
    )
    same = {name for (name, _, one), (_, _, other) in zip(*entries.values(), strict=True) if one and one == other}
    assert same <= {"page polygon text", "page name-label text", "page export text", "page import text"}


@pytest.fixture
def german(browser: Browser, server: ThreadedServer) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="de-DE")
    yield Person(context.new_page(), server.address)
    context.close()


def test_the_page_speaks_the_browsers_language_or_the_persons(german: Person) -> None:
    page = german.page
    german.act(1, kind="add", points=WIDE)
    page.goto(f"{german.address}#image=01.png")
    expect(page.locator("#figures")).to_contain_text("px ohne Region")
    expect(page.locator("html")).to_have_attribute("lang", "de")
    expect(page.locator("#undo")).to_have_text("Zurück")
    expect(page.locator("#undo")).to_have_attribute("title", "Rückgängig machen (Ctrl+Z)")
    expect(page.locator("#images li").nth(1).locator("small").first).to_have_text("1 Region")
    assert page.evaluate(LINES) == 1
    assert page.evaluate(OVERFLOWS) == []
    page.locator("#settings").click()
    page.locator("#language").select_option("en")
    expect(page.locator("#undo")).to_have_text("Undo")
    page.reload()
    expect(page.locator("#undo")).to_have_text("Undo")
    assert german.wrong == []
