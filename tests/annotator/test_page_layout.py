"""How the page fills windows of several sizes, in a real Chromium."""

from collections.abc import Iterator

import numpy as np
import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.annotator.browser import Person, ThreadedServer
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow

LINES = """() => {
  const parts = [...document.querySelectorAll("header button, header input, header a")];
  const boxes = parts.map((one) => one.getBoundingClientRect());
  return new Set(boxes.filter(({ width }) => width).map(({ top }) => Math.round(top))).size;
}"""
OVERFLOWS = """() => [...document.querySelectorAll("html, header, main, main > *, footer, #hint, #looks")]
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


def drag(person: Person, splitter: Locator, dx: float, dy: float) -> None:
    box = splitter.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 4
    person.page.mouse.move(x, y)
    person.page.mouse.down()
    person.page.mouse.move(x + dx, y + dy, steps=4)
    person.page.mouse.up()


def side(person: Person, name: str, what: str = "width") -> float:
    box = person.page.locator(f"#{name}").bounding_box()
    return box[what] if box else 0


def test_lists_are_sized_and_hidden_and_the_browser_remembers(person: Person) -> None:
    person.open(1)
    before = side(person, "canvas")
    drag(person, person.page.locator("#split-aside"), 50, 0)
    assert (side(person, "aside"), side(person, "canvas")) == (230, before + 50)
    person.page.locator("#split-aside").focus()
    person.key("ArrowLeft")
    assert side(person, "aside") == 246
    high = side(person, "canvas", "height")
    person.page.locator("#split-strip").click()
    expect(person.page.locator("#strip")).to_be_hidden()
    assert side(person, "canvas", "height") == high + 94
    person.page.reload()
    person.settle()
    expect(person.page.locator("#strip")).to_be_hidden()
    assert side(person, "aside") == 246
    drag(person, person.page.locator("#split-strip"), 0, -150)  # out of the edge again
    assert side(person, "strip", "height") == 150
    drag(person, person.page.locator("#split-aside"), 200, 0)
    expect(person.page.locator("#aside")).to_be_hidden()
    person.page.locator("#split-aside").focus()
    person.key("Enter")
    expect(person.page.locator("#aside")).to_be_visible()
    person.mark(WIDE)  # the image still knows where the pointer is
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=0.51)


@pytest.fixture
def tablet(browser: Browser, server: ThreadedServer) -> Iterator[Person]:
    context = browser.new_context(viewport={"width": 820, "height": 1180}, has_touch=True)
    person = Person(context.new_page(), server.address, touch=True)
    yield person
    assert person.wrong == []
    context.close()


def test_an_upright_tablet_hides_the_lists_below_the_image(tablet: Person) -> None:
    tablet.open(2)
    height = side(tablet, "canvas", "height")
    drag(tablet, tablet.page.locator("#split-below"), 0, -40)
    assert side(tablet, "canvas", "height") == height - 40
    tablet.page.locator("#split-below").tap()
    expect(tablet.page.locator("#aside")).to_be_hidden()
    assert side(tablet, "canvas", "height") == height + 232
    tablet.page.locator("#split-strip").tap()
    expect(tablet.page.locator("#strip")).to_be_hidden()
    assert side(tablet, "canvas", "height") == height + 232 + 94


def draw(tablet: Person, pointer: str, way: list[tuple[float, float]], rest: int = 0) -> None:
    """Let a finger or a pen go along places of the screen, after a rest of some milliseconds at the first one."""
    devtools = tablet.page.context.new_cdp_session(tablet.page)
    for step, (left, top) in enumerate(way):
        if pointer == "finger":
            content = {"type": "touchMove" if step else "touchStart", "touchPoints": [{"x": left, "y": top}]}
            devtools.send("Input.dispatchTouchEvent", content)
        else:
            kind = "mouseMoved" if step else "mousePressed"
            content = {"type": kind, "x": left, "y": top, "button": "left", "buttons": 1, "clickCount": 1}
            devtools.send("Input.dispatchMouseEvent", {**content, "pointerType": "pen"})
        if step == 0:
            tablet.page.wait_for_timeout(rest)
    if pointer == "finger":
        devtools.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    else:
        content = {"type": "mouseReleased", "x": way[-1][0], "y": way[-1][1], "button": "left", "clickCount": 1}
        devtools.send("Input.dispatchMouseEvent", {**content, "pointerType": "pen"})


@pytest.mark.parametrize("pointer", ["finger", "pen"])
def test_fingers_and_pens_draw_strokes_and_dots(tablet: Person, pointer: str) -> None:
    number = {"finger": 3, "pen": 4}[pointer]
    tablet.act(number, kind="add", points=WIDE)
    tablet.act(number, kind="add", points=SMALL)
    tablet.open(number)
    tablet.page.locator("#correct").tap()
    labels = tablet.labels()
    y, x = (int(value) for value in np.argwhere(labels == 0).mean(axis=0))
    for count, rest in ((1, 0), (2, 800)):
        draw(tablet, pointer, [tablet.screen((x + 6 * step, y)) for step in range(1 if rest else 6)], rest)
        expect(tablet.page.locator("#undo")).to_be_enabled()
        tablet.page.wait_for_function(
            "async ([url, count]) => (await (await fetch(url)).json()).strokes.length === count",
            arg=[f"/api/images/{number}", count],
        )
        tablet.settle()
    stroke, dot = tablet.state()["strokes"]
    assert stroke["region"] == dot["region"] == 1
    np.testing.assert_allclose([stroke["points"][0], stroke["points"][-1]], [(x, y), (x + 30, y)], atol=1)
    np.testing.assert_allclose(dot["points"], [(x, y)], atol=1)


def test_buttons_zoom(person: Person) -> None:
    person.open(5)
    figures, canvas = person.page.locator("#figures"), person.page.locator("#canvas")
    whole = figures.inner_text().split("zoom ")[1]
    person.page.locator("#zoom-full").click()
    expect(figures).to_contain_text("240 x 180 px, zoom 100 %")
    expect(canvas).to_be_focused()
    person.page.locator("#zoom-in").click()
    expect(figures).to_contain_text("zoom 125 %")
    person.page.locator("#zoom-fit").click()
    expect(figures).to_contain_text(f"zoom {whole}")
    person.page.locator("#zoom-out").click()
    expect(figures).not_to_contain_text(f"zoom {whole}")
    smaller = int(figures.inner_text().split("zoom ")[1].split()[0])
    assert smaller == pytest.approx(0.8 * int(whole.split()[0]), abs=1)
    person.key("Shift+z")
    expect(figures).to_contain_text("zoom 100 %")
