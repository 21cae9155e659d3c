"""What the page shows, in a real Chromium: strokes, outlines, colours, messages and the address."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow


def test_a_stroke_stays_dimmed_while_it_is_sent(person: Person) -> None:
    person.act(0, kind="add", points=WIDE)
    person.open(0)
    held = person.hold("**/actions?*")
    person.key("c")
    before = person.colours()
    y, x = (int(value) for value in np.argwhere(person.labels() == 0).mean(axis=0))
    person.drag([(x, y), (x + 40, y)])
    expect(person.page.locator("#figures")).to_contain_text("sending a stroke ...")
    held.first()
    dimmed = person.colours()
    held.release()
    person.settle()
    assert person.state()["strokes"] != []
    after = person.colours()
    box = person.page.locator("#canvas").bounding_box()
    assert box is not None
    (left, top) = person.screen((x + 20, y))
    at = int(top - box["y"]), int(left - box["x"])  # on the line
    change = np.abs(dimmed[at] - before[at]).sum()
    assert 15 < change < np.abs(after[at] - before[at]).sum()


def test_points_and_strokes_are_hidden_and_a_held_key_shows_the_image_alone(person: Person) -> None:
    person.open(1)
    person.page.locator("#canvas").focus()
    person.key("m")  # the canvas has a frame while it has the keys
    plain = person.colours()
    person.mark(WIDE)
    person.key("Escape")
    assert not np.array_equal(person.colours(), plain)
    person.page.keyboard.down("w")
    np.testing.assert_array_equal(person.colours(), plain)
    person.page.keyboard.up("w")
    person.page.evaluate("document.getElementById('opacity').value = 0")
    person.key("Shift+BracketLeft")  # nothing but the points is left to be seen
    points = person.colours()
    assert not np.array_equal(points, plain)
    person.key("h")
    np.testing.assert_array_equal(person.colours(), plain)
    person.key("h")
    np.testing.assert_array_equal(person.colours(), points)


def test_an_outline_has_one_colour_and_is_two_screen_pixels_wide(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.open(2)
    person.key("h")
    person.key("o")
    swatch = person.page.locator("#regions .swatch").evaluate("(element) => getComputedStyle(element).backgroundColor")
    colour = np.array([int(value) for value in swatch[4:-1].split(",")])
    person.page.evaluate("document.getElementById('opacity').value = 100")
    person.key("Shift+BracketRight")
    shown = person.colours()
    person.page.keyboard.down("w")
    changed = np.abs(shown - person.colours()).sum(axis=2) > 0
    person.page.keyboard.up("w")
    solid = (np.abs(shown - colour) <= 3).all(axis=2)
    assert np.count_nonzero(solid) > 0.3 * np.count_nonzero(changed)  # the rest are mixed with the image at the rims
    assert not np.any(ndimage.binary_opening(changed, np.ones((5, 5))))  # nowhere thicker than 4 pixels with both rims
    ways = ndimage.distance_transform_edt(changed)
    assert 1 <= np.median(ways[solid]) <= 2  # a line of 2 px on whole pixels, or one that covers 3 in part


def test_the_outline_of_a_circle_is_smooth(person: Person) -> None:
    person.open(3)
    side, radius, scale = 61, 22.3, 4
    y, x = np.mgrid[:side, :side] - side // 2
    circle = (x**2 + y**2 <= radius**2).astype(int)
    code = """async ([map, side, scale]) => {
      const { traceBorders } = await import("/static/outlines.js");
      const shown = { map: Uint16Array.from(map), width: side, height: side, left: 0, top: 0, x: 1, y: 1 };
      const [{ a, b, path }, ...others] = traceBorders(shown);
      const context = new OffscreenCanvas(side * scale, side * scale).getContext("2d");
      context.scale(scale, scale);
      context.lineWidth = 2 / scale;
      context.stroke(path);
      const alpha = context.getImageData(0, 0, side * scale, side * scale).data.filter((_, at) => at % 4 === 3);
      return [a, b, others.length, Array.from(alpha)];
    }"""
    a, b, others, alpha = person.page.evaluate(code, [circle.ravel().tolist(), side, scale])
    assert (a, b, others) == (0, 1, 0)
    drawn = np.array(alpha).reshape(side * scale, side * scale) / 255
    rows, columns = np.nonzero(drawn)
    away = np.hypot(*(np.stack([rows, columns]) + 0.5 - side * scale / 2)) / scale
    assert np.abs(away - radius).max() < 1  # px of the image
    length = drawn.sum() / 2  # screen px; a staircase is 4 / pi = 1.27 times as long
    assert length == pytest.approx(2 * np.pi * radius * scale, rel=0.05)


def test_neighbours_have_hues_that_differ_and_keep_them(person: Person) -> None:
    person.open(3)
    rng = np.random.default_rng(0)
    seeds = rng.integers(0, 120, (60, 2))
    y, x = np.mgrid[:120, :120]
    places = ((y[..., None] - seeds[:, 0]) ** 2 + (x[..., None] - seeds[:, 1]) ** 2).argmin(axis=2)
    places = np.where((y < 8) | (y > 112), 59, places) + 1  # the last one has many neighbours
    code = """async ([map, ids]) => {
      const colours = new (await import("/static/colours.js")).Colours();
      const labels = { map: Uint16Array.from(map), regions: ids, categories: ids };
      colours.update(labels, 120);
      const before = ids.map((id) => colours.hue(id));
      colours.update(labels, 120);
      return [before, ids.map((id) => colours.hue(id))];
    }"""
    before, hues = person.page.evaluate(code, [places.ravel().tolist(), list(range(1, 61))])
    assert before == hues
    for one, other in ((places[1:], places[:-1]), (places[:, 1:], places[:, :-1])):
        differs = one != other
        apart = np.abs(np.array(hues)[one[differs] - 1] - np.array(hues)[other[differs] - 1])
        assert np.minimum(apart, 360 - apart).min() >= 30


def test_regions_of_one_class_share_a_colour_if_the_page_is_asked_to(person: Person) -> None:
    for quad, category in ((WIDE, 1), (SMALL, 1), ([[5, 5], [8, 2], [20, 5], [8, 20]], 2)):
        person.act(4, kind="add", points=quad, category=category)
    person.open(4)
    swatches = person.page.locator("#regions .swatch")
    shown = "(elements) => elements.map((element) => element.style.background)"
    assert len(set(swatches.evaluate_all(shown))) == 3
    person.key("t")
    first, second, third = swatches.evaluate_all(shown)
    assert first == second != third


def test_reload_and_back_return_to_image_zoom_and_tool(person: Person) -> None:
    person.open(5)
    person.key("c")
    figures = person.page.locator("#figures")
    whole = figures.inner_text()
    person.page.mouse.move(*person.screen((50, 40)))
    person.page.mouse.wheel(0, -400)
    expect(figures).not_to_have_text(whole)
    zoom = figures.inner_text().split("zoom ")[1]
    person.page.wait_for_url("**zoom=*")
    person.page.reload()
    expect(person.page.locator("#images li").nth(5)).to_have_attribute("aria-current", "true")
    expect(person.page.locator("#correct")).to_have_attribute("aria-checked", "true")
    expect(figures).to_contain_text(f"zoom {zoom}")
    person.key("f")
    expect(person.page.locator("#images li").nth(6)).to_have_attribute("aria-current", "true")
    expect(figures).not_to_contain_text(f"zoom {zoom}")
    person.key("v")
    person.page.wait_for_url("**tool=choose*")
    person.page.go_back()
    expect(person.page.locator("#images li").nth(5)).to_have_attribute("aria-current", "true")
    expect(figures).to_contain_text(f"zoom {zoom}")
    expect(person.page.locator("#correct")).to_have_attribute("aria-checked", "true")


def test_a_message_goes_when_the_next_action_is_done(person: Person) -> None:
    person.open(7)
    person.mark(WIDE)
    expect(person.page.locator("#message")).to_have_text("Region 1 added")
    person.draw([(80, 70), (110, 90)])
    expect(person.page.locator("#message")).to_have_text("")


def test_ones_own_stroke_is_not_another_tab(person: Person) -> None:
    person.act(8, kind="add", points=WIDE)
    person.open(8)
    labels = person.hold("**/labels?*")
    person.key("c")
    person.drag([(80, 70), (110, 90)])
    labels.first()
    answers = person.hold("**/actions?*")
    person.drag([(80, 80), (110, 100)])
    second = answers.first()
    done = second.fetch()  # the server has done the second action; the page does not know it yet
    labels.release()  # labels of the first one: the server refuses them
    person.page.wait_for_timeout(300)
    expect(person.page.locator("#message")).to_have_text("")
    second.fulfill(response=done)
    person.settle()
    expect(person.page.locator("#message")).to_have_text("")
    assert len(person.state()["strokes"]) == 2
    person.forgive(410)


def test_the_model_is_not_at_work_on_an_image_that_cannot_be_read(person: Person) -> None:
    person.open(9)
    person.page.route("**/pixels?*", lambda route: route.fulfill(status=415, json={"error": "10.png is no image"}))
    person.key("f")
    expect(person.page.locator("#message")).to_have_text("10.png is no image")
    expect(person.page.locator("#figures")).to_have_text("")
    person.wrong.clear()


def test_pixels_that_are_filled_are_not_without_a_region(person: Person) -> None:
    person.act(11, kind="add", points=WIDE)
    person.open(11)
    void = int(np.count_nonzero(person.labels() == -1))
    expect(person.page.locator("#figures")).to_contain_text(f"{void:,} px without a region")
    person.key("Shift+f")
    expect(person.page.locator("#figures")).to_contain_text(f"0 px without a region   ·   {void:,} px filled")


def test_the_path_of_an_export_does_not_wrap_the_footer(person: Person, out: Path) -> None:
    person.act(12, kind="add", points=WIDE)
    person.open(12)
    height = person.page.locator("footer").evaluate("(element) => element.offsetHeight")
    person.key("x")
    message = person.page.locator("#message")
    expect(message).to_contain_text("to export/panoptic/12.png.png")
    assert str(out) not in message.inner_text()
    assert str(out / "export/panoptic/12.png.png") in (message.get_attribute("title") or "")
    assert person.page.locator("footer").evaluate("(element) => element.offsetHeight") == height
