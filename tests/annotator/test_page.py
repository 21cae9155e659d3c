"""The page in a real Chromium, against a real server process: what a person does, and what must never be lost."""

import io
import json
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg.data.scenes import generate_scene
from tests.annotator.test_export import check_by_panopticapis_rules

playwright = pytest.importorskip("playwright.sync_api", reason="no playwright: pip install playwright")
from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

from tests.annotator.browser import Person, Server, chromium  # noqa: E402

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium() is None, reason="no Chromium: install the system's package, or set FULLSEG_CHROMIUM"),
]

WIDE = [[10, 60], [90, 12], [170, 70], [100, 150]]  # left, top, right, bottom
SMALL = [[120, 100], [160, 80], [210, 110], [165, 160]]
IMAGES = 17  # one a test, or two


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    image = Image.fromarray(generate_scene(np.random.default_rng(0))[0]).resize((240, 180))
    for number in range(IMAGES):
        image.save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("out")


@pytest.fixture(scope="module")
def server(folder: Path, out: Path, tiny_checkpoint: Path) -> Iterator[Server]:
    server = Server(folder, tiny_checkpoint, out)
    yield server
    assert server.stop() == 0


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    yield context.new_page()
    context.close()


@pytest.fixture
def person(page: Page, server: Server) -> Iterator[Person]:
    person = Person(page, server.address)
    yield person
    assert person.wrong == []


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
    assert np.abs(colours(person.page) - before).max(axis=2).mean() > 10  # the overlay
    assert person.page.locator("#images li").nth(0).locator("small").inner_text() == "2 regions"


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
    assert person.labels()[other_y, other_x] == 0  # what was region 2's
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
        person.page.mouse.move(*person.screen((80, y)))
        person.page.mouse.down()
        person.page.mouse.move(*person.screen((110, y)), steps=3)
        person.page.mouse.up()
    expect(person.page.locator("#hint")).to_contain_text("2 strokes collected")
    assert person.state()["strokes"] == []
    person.key("Enter")
    expect(person.page.locator("#hint")).not_to_contain_text("collected")
    person.settle()
    state = person.state()
    assert (len(state["strokes"]), state["revision"]) == (2, 2)  # one action


def test_the_work_is_found_again_after_a_reload(person: Person) -> None:
    person.open(3)
    person.mark(WIDE)
    person.mark(SMALL)
    before = person.state()
    person.page.reload()
    person.page.locator("#images li").nth(3).click()
    expect(person.page.locator("#regions li")).to_have_count(2)
    assert person.state() == before


def test_a_locked_region_keeps_its_pixels_until_it_is_opened(person: Person) -> None:
    person.open(4)
    person.mark(WIDE)
    person.page.locator("#regions li").first.click()
    person.key("l")
    expect(person.page.locator("#regions li button").first).to_have_text("unlock")
    person.settle()
    locked = person.labels() == 0
    person.mark(SMALL)
    np.testing.assert_array_equal(person.labels() == 0, locked)
    person.page.locator("#regions li").nth(1).click()
    person.draw([(x, y) for x, y in ((150, 110), (60, 80))])  # right across the locked region
    np.testing.assert_array_equal(person.labels() == 0, locked)
    person.page.locator("#regions li button").first.click()
    expect(person.page.locator("#regions li button").first).to_have_text("lock")


def test_the_rest_is_filled_and_the_export_has_no_hole(person: Person, out: Path) -> None:
    person.open(5)
    person.mark(WIDE)
    person.mark(SMALL)
    unassigned = int(np.count_nonzero(person.labels() == -1))
    person.key("f")
    expect(person.page.locator("#message")).to_contain_text(f"{unassigned:,} px without a region")
    person.settle()
    person.key("e")
    expect(person.page.locator("#message")).to_contain_text("Exported 2 segments, 0 px VOID")
    check_by_panopticapis_rules(out / "export")
    png = np.asarray(Image.open(out / "export/panoptic/05.png.png"))
    np.testing.assert_array_equal(png[..., 0].astype(np.int64) - 1, person.labels())


def test_done_exports_and_the_export_is_imported_again(person: Person, out: Path) -> None:
    person.open(10)
    person.mark(WIDE)
    person.mark(SMALL)
    before = person.labels()
    person.key("d")
    expect(person.page.locator("#message")).to_contain_text("Exported 2 segments")
    expect(person.page.locator("#images li").nth(10).locator("small")).to_have_text("done, 2 regions")
    person.page.locator("#regions li").first.click()
    person.key("Delete")
    expect(person.page.locator("#regions li")).to_have_count(1)
    files = [out / "export/panoptic/10.png.png", out / "export/panoptic.json"]
    person.page.locator("#files").set_input_files([str(path) for path in files])
    expect(person.page.locator("#message")).to_contain_text("Imported; every region is locked")
    expect(person.page.locator("#regions li button")).to_have_text(["unlock", "unlock"])
    person.settle()
    np.testing.assert_array_equal(person.labels(), before)


def test_zooming_keeps_what_is_under_the_pointer(person: Person) -> None:
    person.open(11)
    x, y = person.screen((50, 40))
    person.page.mouse.move(x, y)
    person.page.mouse.wheel(0, -600)  # exp(1.2) times larger
    person.page.wait_for_timeout(200)
    zoomed = [(x + dx, y + dy) for dx, dy in ((-90, 0), (0, -90), (90, 0), (0, 90))]
    for point in zoomed:
        person.page.mouse.click(*point)
    expect(person.page.locator("#regions li")).to_have_count(1)
    points = np.array(person.state()["regions"][0]["points"])
    (left, top), (near, below) = person.screen((0, 0)), person.screen((1, 1))
    scale = np.exp(1.2) * np.array([near - left, below - top])
    np.testing.assert_allclose(points, [50, 40] + np.array(((-90, 0), (0, -90), (90, 0), (0, 90))) / scale, atol=0.1)


def test_collected_strokes_are_saved_before_the_next_image_opens(person: Person) -> None:
    person.open(12)
    person.mark(WIDE)
    person.key("k")
    person.key("c")
    person.page.mouse.move(*person.screen((80, 70)))
    person.page.mouse.down()
    person.page.mouse.move(*person.screen((110, 70)), steps=3)
    person.page.mouse.up()
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(13)).to_have_attribute("aria-current", "true")
    assert len(person.state()["strokes"]) == 1
    person.number = 13
    assert person.state()["revision"] == 0


def test_done_and_the_next_image_at_once_exports_the_one_that_is_done(person: Person, out: Path) -> None:
    person.open(14)
    person.mark(WIDE)
    person.key("d")
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(15)).to_have_attribute("aria-current", "true")
    expect(person.page.locator("#images li").nth(14).locator("small")).to_have_text("done, 1 region")
    expect(person.page.locator("#message")).to_contain_text("Exported 1 segment,")
    assert (out / "export/panoptic/14.png.png").is_file()
    assert not (out / "export/panoptic/15.png.png").exists()


def test_what_was_begun_ends_with_its_image_and_with_escape(person: Person) -> None:
    person.open(15)
    for x, y in WIDE[:2]:
        person.click((x, y))
    expect(person.page.locator("#hint")).to_contain_text("2 more extreme points")
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(16)).to_have_attribute("aria-current", "true")
    expect(person.page.locator("#hint")).to_contain_text("Click a region's four extreme points")
    person.number = 16
    person.settle()
    person.mark(WIDE)
    person.page.locator("#regions li").first.click()
    person.key("r")
    expect(person.page.locator("#hint")).to_contain_text("of region 1 anew")
    person.key("Escape")
    person.mark(SMALL)  # a new region, and the old one is where it was
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=0.51)
    person.key("r")  # nothing is chosen
    person.page.locator("#regions li").first.click()
    person.key("r")
    for x, y in SMALL:
        person.click((x, y))
    expect(person.page.locator("#figures")).not_to_contain_text("at work")
    person.page.wait_for_timeout(300)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], SMALL, atol=0.51)


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
    known = person.page.request.get(f"{person.address}api/workspace").json()["categories"]
    assert known[-1] == {"id": 10_001, "name": "lighthouse", "isthing": 0}
    assert person.state()["regions"][0]["category"] == 10_001


def test_two_tabs_on_one_image(person: Person, page: Page) -> None:
    person.open(7)
    other = Person(page.context.new_page(), person.address)
    other.open(7)
    other.mark(SMALL)
    person.key("m")
    for x, y in WIDE:
        person.click((x, y))
    expect(person.page.locator("#message")).to_contain_text("It is shown anew: please repeat")
    expect(person.page.locator("#regions li")).to_have_count(1)
    assert person.wrong == ["Failed to load resource: the server responded with a status of 409 (Conflict)"]
    person.wrong.clear()
    person.mark(WIDE)
    assert len(person.state()["regions"]) == 2


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
    expect(person.page.locator("#heat")).to_have_attribute("aria-pressed", "true")


def test_fingers_mark_too(browser: Browser, server: Server) -> None:
    context = browser.new_context(viewport={"width": 1024, "height": 768}, has_touch=True)
    person = Person(context.new_page(), server.address, touch=True)
    person.open(9)
    person.mark(WIDE)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=1)
    assert person.wrong == []
    context.close()


def test_kill_9_loses_nothing_that_was_acknowledged(
    page: Page, folder: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    server = Server(folder, tiny_checkpoint, tmp_path)
    person = Person(page, server.address)
    person.open(0)
    person.mark(WIDE)
    person.draw([(80, 70), (110, 90)])
    before = person.state()
    where = [person.screen((x, y)) for x, y in SMALL]
    server.stop(signal.SIGKILL)
    person.key("m")
    for x, y in where:  # nobody answers
        person.page.mouse.click(x, y)
    expect(page.locator("#message")).to_contain_text("The server does not answer")
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        assert journal.execute("SELECT count(*) FROM action").fetchone() == (2,)

    expect(page.locator("#hint")).to_contain_text("Enter marks the region")  # the clicks are kept

    port = server.address.rstrip("/").rpartition(":")[2]
    again = Server(folder, tiny_checkpoint, tmp_path, "--port", port)
    person = Person(page, again.address)
    person.number = 0
    assert person.state() == before
    person.key("Enter")  # the page that was open all the time goes on
    expect(page.locator("#regions li")).to_have_count(2)
    assert len(person.state()["regions"]) == 2
    assert again.stop() == 0


def test_another_host_needs_the_token_that_is_announced(
    page: Page, folder: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    server = Server(folder, tiny_checkpoint, tmp_path, "--host", "0.0.0.0")
    base, _, token = server.address.rpartition("/?token=")
    local = f"http://127.0.0.1:{base.rpartition(':')[2]}"
    assert page.request.get(local).status == 401
    page.goto(f"{local}/?token={token}")
    expect(page.locator("#images li")).to_have_count(IMAGES)
    assert "token" not in page.url
    assert json.loads(page.evaluate("JSON.stringify(document.cookie)")) == ""  # no script sees it
    assert server.stop() == 0
