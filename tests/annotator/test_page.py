"""The page in a real Chromium with a real server process: all that a person does, and that no work is lost."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.annotator.browser import Person, ThreadedServer
from tests.annotator.conftest import SMALL, WIDE
from tests.annotator.test_export import check_by_panopticapis_rules

pytestmark = pytest.mark.slow


def colours(page: Page) -> np.ndarray:  # type: ignore[type-arg]
    return np.asarray(Image.open(io.BytesIO(page.locator("#canvas").screenshot())).convert("RGB"), np.int64)


def test_four_clicks_mark_a_region_and_the_page_shows_it(person: Person) -> None:
    person.open(0)
    before = colours(person.page)
    person.mark(WIDE)
    person.mark(SMALL)
    for region, quad in zip(person.state()["regions"], (WIDE, SMALL), strict=True):
        np.testing.assert_allclose(region["points"], quad, atol=0.51)  # half a screen pixel
    assert set(np.unique(person.labels())) == {-1, 0, 1}
    assert np.abs(colours(person.page) - before).max(axis=2).mean() > 10  # the labels are laid over the image
    assert person.page.locator("#images li").nth(0).locator("small").first.inner_text() == "2 regions"


def test_a_click_just_beside_the_image_is_one_at_its_border(person: Person) -> None:
    person.open(0)
    person.mark([[-2, 60], [90, -3], [241, 70], [100, 181]])
    points = person.state()["regions"][-1]["points"]
    np.testing.assert_allclose(points, [[0, 60], [90, 0], [239, 70], [100, 179]], atol=0.51)


def test_a_stroke_extends_a_region_and_undo_takes_it_back(person: Person) -> None:
    person.open(1)
    person.mark(WIDE)
    person.mark(SMALL)
    before = person.labels()
    y, x = (int(value) for value in np.argwhere(before == 0)[0])
    other_y, other_x = (int(value) for value in np.argwhere(before == 1)[len(np.argwhere(before == 1)) // 2])
    person.draw([(x, y), (other_x, other_y)])
    assert person.state()["strokes"][0]["region"] == 1
    assert person.labels()[other_y, other_x] == 0  # the pixel was region 2's before
    after = person.labels()
    person.key("Control+z")
    expect(person.page.locator("#redo")).to_be_enabled()
    person.settle()
    np.testing.assert_array_equal(person.labels(), before)
    person.page.locator("#redo").click()
    expect(person.page.locator("#redo")).to_be_disabled()
    person.settle()
    np.testing.assert_array_equal(person.labels(), after)


def test_several_strokes_are_collected_before_one_update(person: Person) -> None:
    person.open(2)
    person.mark(WIDE)
    person.key("k")
    person.key("c")
    for y in (70, 80):
        person.drag([(80, y), (110, y)])
    expect(person.page.locator("#hint")).to_contain_text("2 strokes collected")
    assert person.state()["strokes"] == []
    person.key("Enter")
    expect(person.page.locator("#hint")).not_to_contain_text("collected")
    person.settle()
    state = person.state()
    assert (len(state["strokes"]), state["revision"]) == (2, 2)  # one action


def test_a_locked_region_keeps_its_pixels_until_it_is_opened(person: Person) -> None:
    person.open(4)
    person.mark(WIDE)
    person.page.locator("#regions li").first.click()
    person.key("l")
    expect(person.page.locator("#regions li .lock").first).to_have_attribute("aria-pressed", "true")
    person.settle()
    locked = person.labels() == 0
    person.mark(SMALL)
    np.testing.assert_array_equal(person.labels() == 0, locked)
    person.page.locator("#regions li").nth(1).click()
    person.draw([(x, y) for x, y in ((150, 110), (60, 80))])  # across the locked region
    np.testing.assert_array_equal(person.labels() == 0, locked)
    person.page.locator("#regions li .lock").first.click()
    expect(person.page.locator("#regions li .lock").first).to_have_attribute("aria-pressed", "false")


def test_the_rest_is_filled_and_the_export_has_no_hole(person: Person, out: Path) -> None:
    person.open(5)
    person.mark(WIDE)
    person.mark(SMALL)
    unassigned = int(np.count_nonzero(person.labels() == -1))
    person.key("Shift+f")
    expect(person.page.locator("#message")).to_contain_text(f"{unassigned:,} px without a region")
    person.settle()
    person.key("x")
    expect(person.page.locator("#message")).to_contain_text("Exported 2 segments, 0 px VOID")
    check_by_panopticapis_rules(out / "export")
    png = np.asarray(Image.open(out / "export/panoptic/05.png.png"))
    np.testing.assert_array_equal(png[..., 0].astype(np.int64) - 1, person.labels())


def test_done_exports_and_the_export_is_imported_again(person: Person, out: Path) -> None:
    person.open(10)
    person.mark(WIDE)
    person.mark(SMALL)
    before = person.labels()
    person.finish()
    expect(person.page.locator("#message")).to_contain_text("Exported 2 segments")
    expect(person.page.locator("#images li").nth(10).locator("small").first).to_have_text("done, 2 regions")
    person.key("Shift+d")  # back from the next image
    expect(person.page.locator("#regions li")).to_have_count(2)
    person.settle()
    person.page.locator("#regions li").first.click()
    person.key("Delete")
    expect(person.page.locator("#regions li")).to_have_count(1)
    files = [out / "export/panoptic/10.png.png", out / "export/panoptic.json"]
    person.page.locator("#files").set_input_files([str(path) for path in files])
    expect(person.page.locator("#message")).to_contain_text("Imported. All regions are locked")
    expect(person.page.locator('#regions li .lock[aria-pressed="true"]')).to_have_count(2)
    person.settle()
    np.testing.assert_array_equal(person.labels(), before)


def test_zooming_keeps_what_is_under_the_pointer(person: Person) -> None:
    person.open(11)
    exact = np.array(person.screen((50, 40)))
    x, y = (float(value) for value in exact.round())  # a wheel's event has whole pixels
    person.page.mouse.move(x, y)
    person.page.mouse.wheel(0, -600)  # exp(1.2) times larger
    person.page.wait_for_timeout(200)
    zoomed = [(x + dx, y + dy) for dx, dy in ((-90, 0), (0, -90), (90, 0), (0, 90))]
    for point in zoomed:
        person.page.mouse.click(*point)
    expect(person.page.locator("#regions li")).to_have_count(1)
    points = np.array(person.state()["regions"][0]["points"])
    (left, top), (near, below) = person.screen((0, 0)), person.screen((1, 1))
    scale = np.array([near - left, below - top])
    pointed = [50, 40] + ([x, y] - exact) / scale
    clicked = pointed + np.array(((-90, 0), (0, -90), (90, 0), (0, 90))) / (np.exp(1.2) * scale)
    np.testing.assert_allclose(points, clicked, atol=0.1)


def test_a_class_is_typed_in_and_given(person: Person) -> None:
    person.open(6)
    person.mark(WIDE)
    person.page.locator("#regions li").first.click()
    person.key("/")
    person.page.keyboard.type("lighthouse")
    person.key("Enter")
    expect(person.page.locator("#unknown")).to_be_visible()
    person.page.locator("#stuff").click()
    expect(person.page.locator("#regions li .name")).to_have_text("1  lighthouse")
    known = person.page.request.get(f"{person.address}api/categories").json()["categories"]
    assert known[-1] == {"id": 10_001, "name": "lighthouse", "isthing": 0}
    assert person.state()["regions"][0]["category"] == 10_001


def test_keys_show_themselves_and_find_the_least_sure_region(person: Person) -> None:
    person.open(8)
    person.mark(WIDE)
    person.mark(SMALL)
    person.key("?")
    expect(person.page.locator("#keys")).to_be_visible()
    assert "undo" in person.page.locator("#keylist").inner_text()
    person.key("Escape")
    person.key("n")
    sure = [float(text.rstrip(" %")) for text in person.page.locator("#regions .sure").all_inner_texts()]
    chosen = person.page.locator('#regions li[aria-current="true"]')
    assert float(chosen.locator(".sure").inner_text().rstrip(" %")) == min(sure)
    expect(person.page.locator("#heat")).to_have_attribute("aria-pressed", "false")  # only U shows the heat map


def test_fingers_mark_too(browser: Browser, server: ThreadedServer) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    person = Person(context.new_page(), server.address, touch=True)
    person.open(9)
    person.mark(WIDE)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=1)
    assert person.wrong == []
    context.close()
