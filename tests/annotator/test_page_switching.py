"""Images, tabs and servers come and go in a real Chromium: nothing is lost, and nothing goes to another image."""

import json
import signal
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, Route, expect

from tests.annotator.browser import Person, Server
from tests.annotator.conftest import IMAGES, SMALL, WIDE

pytestmark = pytest.mark.slow


def test_the_work_is_found_again_after_a_reload(person: Person) -> None:
    person.open(3)
    person.mark(WIDE)
    person.mark(SMALL)
    before = person.state()
    person.page.reload()
    person.page.locator("#images li").nth(3).click()
    expect(person.page.locator("#regions li")).to_have_count(2)
    assert person.state() == before


def test_collected_strokes_are_saved_before_the_next_image_opens(person: Person) -> None:
    person.open(12)
    person.mark(WIDE)
    person.key("k")
    person.key("c")
    person.drag([(80, 70), (110, 70)])
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(13)).to_have_attribute("aria-current", "true")
    assert len(person.state()["strokes"]) == 1
    person.number = 13
    assert person.state()["revision"] == 0


def test_a_stroke_refused_while_the_next_image_is_asked_for_stays_with_its_own(person: Person) -> None:
    person.open(13)
    person.mark(WIDE)
    refused: list[str] = []

    def refuse_once(route: Route) -> None:
        if refused:
            route.continue_()
            return
        refused.append(route.request.url)
        person.page.wait_for_timeout(500)
        route.fulfill(status=400, json={"error": "not now"})

    person.page.route("**/actions?*", refuse_once)
    person.key("c")
    person.drag([(80, 70), (110, 70)])
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(14)).to_have_attribute("aria-current", "true")
    assert len(refused) == 1
    expect(person.page.locator("#hint")).not_to_contain_text("collected")
    assert len(person.state()["strokes"]) == 1  # it was sent again before the image changed
    person.forgive(400)


def test_a_key_pressed_twice_goes_two_images_on(person: Person) -> None:
    person.open(2)
    person.key("PageDown")
    person.key("PageDown")
    expect(person.page.locator("#images li").nth(4)).to_have_attribute("aria-current", "true")
    person.page.wait_for_timeout(300)
    expect(person.page.locator("#images li").nth(4)).to_have_attribute("aria-current", "true")


def test_done_goes_to_the_next_image_at_once_and_exports_the_one_that_is_done(person: Person, out: Path) -> None:
    person.open(14)
    person.mark(WIDE)
    person.finish()
    expect(person.page.locator("#images li").nth(15)).to_have_attribute("aria-current", "true")
    expect(person.page.locator("#images li").nth(14).locator("small").first).to_have_text("done, 1 region")
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
    person.mark(SMALL)  # marks a new region; the old one does not move
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=0.51)
    person.key("r")  # no region is chosen
    person.page.locator("#regions li").first.click()
    person.key("r")
    for x, y in SMALL:
        person.click((x, y))
    expect(person.page.locator("#figures")).not_to_contain_text("at work")
    person.page.wait_for_timeout(300)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], SMALL, atol=0.51)


def test_two_tabs_on_one_image(person: Person, page: Page) -> None:
    person.open(7)
    other = Person(page.context.new_page(), person.address)
    other.open(7)
    other.mark(SMALL)
    person.key("m")
    for x, y in WIDE:
        person.click((x, y))
    expect(person.page.locator("#message")).to_contain_text("The page shows the newest state: please repeat")
    expect(person.page.locator("#regions li")).to_have_count(1)
    person.forgive(409)
    person.mark(WIDE)
    assert len(person.state()["regions"]) == 2


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
    for x, y in where:  # no server answers
        person.page.mouse.click(x, y)
    expect(page.locator("#message")).to_contain_text("The server does not answer")
    with sqlite3.connect(tmp_path / "journal.sqlite") as journal:
        assert journal.execute("SELECT count(*) FROM action").fetchone() == (2,)

    expect(page.locator("#hint")).to_contain_text("Enter marks the region")  # the clicks are kept

    port = server.address.rstrip("/").rpartition(":")[2]
    again = Server(folder, tiny_checkpoint, tmp_path, "--port", port, loaded=False)
    person = Person(page, again.address)
    person.number = 0
    assert person.state() == before
    expect(page.locator("#message")).to_contain_text("The server answers again: Enter sends what is not sent yet")
    person.key("Enter")  # the page was open all the time and goes on
    expect(page.locator("#regions li")).to_have_count(2)
    expect(page.locator("#message")).to_have_text("Region 2 added")
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
    assert json.loads(page.evaluate("JSON.stringify(document.cookie)")) == ""  # no script can read the cookie
    assert server.stop() == 0
