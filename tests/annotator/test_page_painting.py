"""Finishing by hand in a real Chromium: brush, eraser, polygon, holes, islands, corrected imports and merges."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, expect

from fullseg.formats.panoptic_png import write_panoptic_png
from tests.annotator.browser import Person, ThreadedServer
from tests.annotator.conftest import SMALL, WIDE
from tests.annotator.test_shapes import distances

pytestmark = pytest.mark.slow
SIZE = (180, 240)  # (H, W)
ROUNDED = 0.05  # px: the browser rounds the pointer's place


def partition() -> NDArray[np.int64]:
    """Return ids of three regions with straight and jagged borders, and VOID at the lower edge."""
    ids = np.ones(SIZE, np.int64)
    ids[:, 120:] = 2
    ids[40:80, 30:100:2] = 3
    ids[165:] = 0
    return ids


def import_(person: Person, number: int, ids: NDArray[np.int64], tmp_path: Path) -> None:
    """Import a partition and unlock all its regions."""
    write_panoptic_png(tmp_path / "ids.png", ids - 1)
    png = base64.b64encode((tmp_path / "ids.png").read_bytes()).decode()
    segments = [{"id": one, "category_id": 1} for one in np.unique(ids[ids > 0]).tolist()]
    person.number = number
    content = {"revision": 0, "png": png, "json": {"segments_info": segments}}
    url = f"{person._base}/api/images/{number}/import"
    assert person.page.request.post(url, data=content, headers={"X-Fullseg": "1"}).ok
    for region in person.state()["regions"]:
        person.act(number, kind="unlock", region=region["id"])
    person.open(number)


def choose(person: Person, region: int) -> None:
    person.page.locator(f'#regions li[data-region="{region}"]').click()


def widen(person: Person, width: int) -> None:
    person.type_into(person.page.locator("#width"), str(width))
    person.key("Enter")


def exported(person: Person, out: Path) -> NDArray[np.int64]:
    """Let the page export the image; return the labels of the file: the region's place, -1 for VOID."""
    person.key("x")
    expect(person.page.locator("#message")).to_contain_text("Exported")
    label = np.asarray(Image.open(out / f"export/labels/{person.number:02}.png.png"), np.int64)
    return label - 1


def assert_painted(
    labels: NDArray[np.int64], before: NDArray[np.int64], path: list[tuple[float, float]], width: float, value: int
) -> None:
    """Check that exactly the pixels within half a width of a path have the value, and all others have what they had."""
    far = distances(np.array(path, np.float64), SIZE)
    clear = np.abs(far - width / 2) > ROUNDED
    np.testing.assert_array_equal(labels[clear], np.where(far < width / 2, value, before)[clear])
    assert (far < width / 2).any()


def test_the_brush_paints_exact_pixels_and_the_export_has_them(person: Person, out: Path, tmp_path: Path) -> None:
    import_(person, 0, partition(), tmp_path)
    before = person.labels()
    np.testing.assert_array_equal(before, partition() - 1)
    choose(person, 1)
    person.key("b")
    widen(person, 9)
    expect(person.page.locator("#hint")).to_have_text("Paint pixels of region 1, 9 px wide: [ and ] change this")
    path = [(100.0, 20.0), (180.0, 30.0), (180.0, 90.0)]
    person.drag(path)
    person.settle()
    assert_painted(person.labels(), before, path, 9, 0)
    np.testing.assert_array_equal(exported(person, out), person.labels())
    person.key("Control+z")
    expect(person.page.locator("#redo")).to_be_enabled()
    person.settle()
    np.testing.assert_array_equal(exported(person, out), before)
    person.key("Control+y")
    expect(person.page.locator("#redo")).to_be_disabled()
    person.settle()
    assert_painted(exported(person, out), before, path, 9, 0)


def test_the_eraser_takes_pixels_and_a_dot_is_one_click(person: Person, out: Path, tmp_path: Path) -> None:
    import_(person, 1, partition(), tmp_path)
    choose(person, 3)
    person.key("e")
    widen(person, 21)
    person.click((60, 60))
    person.settle()
    here = distances(np.array([[60.0, 60.0]]), SIZE)
    labels = exported(person, out)
    assert not (labels[here < 10.4] == 2).any()
    kept = (here > 10.6) | (partition() != 3)
    np.testing.assert_array_equal(labels[kept], partition()[kept] - 1)


def test_without_a_chosen_region_the_brush_paints_for_the_one_under_the_pointer(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.act(2, kind="add", points=SMALL)
    person.open(2)
    labels = person.labels()
    y, x = (int(value) for value in np.argwhere(labels == 1)[len(np.argwhere(labels == 1)) // 2])
    person.key("b")
    widen(person, 5)
    person.drag([(x, y), (20, 170)])
    person.settle()
    assert person.labels()[170, 20] == 1
    choose(person, 2)
    person.key("l")
    person.settle()
    revision = person.state()["revision"]
    person.click((30, 30))
    expect(person.page.locator("#message")).to_have_text("This region is locked: L unlocks it")
    assert person.state()["revision"] == revision


def test_the_preview_has_the_brushs_true_size_at_every_zoom(person: Person) -> None:
    person.open(3)
    person.key("b")
    widen(person, 20)
    middle = person.screen((120, 90))
    (left, _), (right, _) = person.screen((0, 0)), person.screen((1, 0))
    for wheel in (0, -300, -300):
        person.page.mouse.move(*middle)
        person.page.mouse.wheel(0, wheel)
        factor = np.exp(0.002 * -wheel)
        right = left + (right - left) * factor
        person.page.mouse.move(5, 5)  # beside the canvas
        person.page.wait_for_timeout(100)
        without = canvas(person)
        person.page.mouse.move(*middle)
        person.page.wait_for_timeout(100)
        ring = np.abs(canvas(person) - without).max(axis=2) > 60
        columns = np.flatnonzero(ring[on_canvas(person, middle)[0]])
        assert np.ptp(columns) == pytest.approx(20 * (right - left), abs=4), wheel


def canvas(person: Person) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(person.page.locator("#canvas").screenshot())).convert("RGB"), np.int64)


def on_canvas(person: Person, point: tuple[float, float]) -> tuple[int, int]:
    """Return the row and column of a place of the screen in ``canvas``."""
    box = person.page.locator("#canvas").bounding_box()
    assert box is not None
    return int(point[1]) - int(box["y"]), int(point[0]) - int(box["x"])


def test_brackets_change_the_brushs_width(person: Person) -> None:
    person.open(3)
    person.key("b")
    width = person.page.locator("#width")
    expect(width).to_have_value("12")
    for key, expected in (("]", "14"), ("]", "17"), ("[", "14"), ("[", "12"), ("[", "10")):
        person.key(key)
        expect(width).to_have_value(expected)
    for _ in range(12):
        person.key("[")
    expect(width).to_have_value("1")


def test_a_polygon_is_closed_by_enter_or_a_double_click_and_corners_are_taken_back(
    person: Person, out: Path, tmp_path: Path
) -> None:
    import_(person, 4, partition(), tmp_path)
    before = person.labels()
    choose(person, 1)
    person.key("q")
    for corner in ((140, 20), (170, 20), (190, 90), (170, 50), (140, 50)):
        person.click(corner)
        if corner == (190, 90):
            person.key("Backspace")
    assert person.state()["revision"] == 4
    person.key("Enter")
    person.settle()
    expected = before.copy()
    expected[20:50, 140:170] = 0
    inside = np.zeros(SIZE, bool)
    inside[21:50, 141:170] = True
    clear = inside | ~np.pad(inside, 2)[2:-2, 2:-2]
    clear[19:22, 138:173] = clear[49:52, 138:173] = clear[18:53, 139:142] = clear[18:53, 169:172] = False
    np.testing.assert_array_equal(person.labels()[clear], expected[clear])
    painted = person.labels()
    np.testing.assert_array_equal(exported(person, out), painted)
    for corner in ((10, 100), (50, 100)):
        person.click(corner)
    person.key("Enter")
    expect(person.page.locator("#message")).to_have_text(re.compile("A polygon needs three corners"))
    person.key("Escape")
    expect(person.page.locator("#hint")).to_have_text("Click the corners of a polygon, which becomes part of region 1")
    for corner in ((200, 100), (230, 100)):
        person.click(corner)
    person.page.mouse.dblclick(*person.screen((230, 130)))
    person.settle()
    assert person.state()["revision"] == 6
    changed = np.argwhere(person.labels() != painted)
    assert ((changed >= (99, 199)) & (changed <= (131, 231))).all()
    assert person.labels()[110, 225] == 0


def test_what_is_painted_stays_in_sight_until_its_labels_are_there(person: Person) -> None:
    person.act(9, kind="add", points=WIDE)
    person.open(9)
    choose(person, 1)
    person.key("b")
    widen(person, 30)
    before = canvas(person)
    labels = person.hold("**/labels?*")
    person.drag([(200, 20), (220, 20)])
    labels.first()
    person.page.mouse.move(*person.screen((20, 170)))
    person.page.wait_for_timeout(100)
    at = on_canvas(person, person.screen((210, 20)))
    assert np.abs(canvas(person) - before)[at].max() > 20
    labels.first().continue_()
    person.settle()


def test_fingers_paint_too(browser: Browser, server: ThreadedServer) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    person = Person(context.new_page(), server.address, touch=True)
    person.act(10, kind="add", points=WIDE)
    person.open(10)
    choose(person, 1)
    person.page.locator("#brush").tap()
    person.click((230, 170))
    person.settle()
    assert person.labels()[170, 230] == 0
    assert person.wrong == []
    context.close()
