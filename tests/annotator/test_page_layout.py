"""How the page fills windows of several sizes, in a real Chromium."""

import pytest

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")

from tests.annotator.browser import Person, chromium  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install the system's package, or set FULLSEG_CHROMIUM"),
]

LINES = """() => {
  const parts = [...document.querySelectorAll("header button, header input, header a")];
  const boxes = parts.map((one) => one.getBoundingClientRect());
  return new Set(boxes.filter(({ width }) => width).map(({ top }) => Math.round(top))).size;
}"""
OVERFLOWS = """() => [document.documentElement, ...document.querySelectorAll("header, main, main > *, footer, #looks")]
  .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.id || one.tagName)"""


SIZES = [(1280, 800, 1), (1920, 1080, 1), (2560, 1440, 1), (820, 1180, 2)]


@pytest.mark.parametrize(("width", "height", "lines"), SIZES)
def test_the_header_is_one_line_or_two_on_a_tablet(person: Person, width: int, height: int, lines: int) -> None:
    person.page.set_viewport_size({"width": width, "height": height})
    person.open(0)
    assert person.page.evaluate(LINES) == lines
    assert person.page.evaluate(OVERFLOWS) == []
    picture = person.page.locator("#canvas").bounding_box()
    assert picture is not None
    assert picture["width"] * picture["height"] > 0.5 * width * height
