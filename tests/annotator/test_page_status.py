"""Which images are done, skipped, flagged and commented, and the ways through them, in a real Chromium."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.annotator.browser import Person, ThreadedServer
from tests.annotator.conftest import WIDE

pytestmark = pytest.mark.slow
WHOLE = [[0, 90], [120, 0], [239, 90], [120, 179]]


@pytest.fixture
def person(page: Page, server: ThreadedServer) -> Iterator[Person]:
    person = Person(page, server.address)
    for number in range(17):  # as they were at first
        person.act(number, kind="finish", done=False)
        note(person, number, skipped=False, flagged=False, comment="")
    yield person
    assert person.wrong == []


def note(person: Person, number: int, **content: object) -> None:
    url = f"{person.address}api/images/{number}/note"
    assert person.page.request.post(url, data=content, headers={"X-Fullseg": "1"}).ok


def expect_open(person: Person, number: int) -> None:
    expect(person.page.locator(f'#images li[data-image="{number}"]')).to_have_attribute("aria-current", "true")
    person.settle()
    person.number = number


def test_done_leads_to_the_next_image_that_is_neither_done_nor_skipped(person: Person, out: Path) -> None:
    person.act(1, kind="finish", done=True)
    note(person, 2, skipped=True)
    person.act(0, kind="add", points=WIDE)
    person.open(0)
    person.finish()
    expect_open(person, 3)
    expect(person.page.locator("#message")).to_contain_text("00.png is done, and this is 03.png now: Shift+D goes back")
    expect(person.page.locator("#message")).to_contain_text("Exported 1 segment")  # of the image that is done
    assert (out / "export/panoptic/00.png.png").is_file()
    person.key("Shift+d")
    expect_open(person, 0)
    expect(person.page.locator("#done")).to_have_attribute("aria-pressed", "true")
    person.key("Control+Enter")  # not done any more: the person stays there
    expect(person.page.locator("#done")).to_have_attribute("aria-pressed", "false")
    expect_open(person, 0)


def test_an_export_that_fails_is_said_although_the_next_image_is_open(person: Person) -> None:
    person.act(14, kind="add", points=WHOLE, category=1)
    person.open(14)
    person.page.route("**/export?*", lambda route: route.fulfill(status=507, json={"error": "the disk is full"}))
    person.key("Control+Enter")
    expect_open(person, 15)
    expect(person.page.get_by_role("alert")).to_have_text(
        "the disk is full (14.png is done, and this is 15.png now: Shift+D goes back)"
    )
    person.wrong.clear()  # the browser counts the refusal


def test_done_on_the_last_open_image_stays_and_says_so(person: Person) -> None:
    for number in range(16):
        note(person, number, skipped=True)
    person.act(16, kind="add", points=WHOLE, category=1)
    person.open(16)
    person.key("Control+Enter")
    expect(person.page.locator("#message")).to_contain_text("There is no other image that has to be done")
    expect_open(person, 16)
    expect(person.page.locator("#done")).to_have_attribute("aria-pressed", "true")


def test_images_are_skipped_flagged_commented_and_listed_by_that(person: Person, out: Path) -> None:
    person.open(4)
    person.key("Shift+g")
    expect(person.page.locator("#flag")).to_have_attribute("aria-pressed", "true")
    person.key("Shift+c")
    person.page.locator("#note-text").fill("which of\nboth?")
    person.key("Control+Enter")
    expect(person.page.locator("#comment")).to_have_attribute("aria-pressed", "true")
    person.key("Shift+c")
    person.page.locator("#note-text").fill("other")
    person.key("Escape")  # it stays as it was
    person.key("Shift+s")
    expect_open(person, 5)
    expect(person.page.locator("#message")).to_contain_text("04.png is skipped, and this is 05.png now")
    item = person.page.locator('#images li[data-image="4"]')
    expect(item.locator("small").first).to_have_text("skipped")
    expect(item.locator(".marks")).to_have_attribute("aria-label", "flagged, commented")
    note(person, 6, flagged=True)
    person.page.reload()
    expect_open(person, 5)
    status, listed = person.page.locator("#status"), person.page.locator("#images li")
    for value, numbers in (("flagged", [4, 6]), ("skipped", [4]), ("commented", [4]), ("done", [])):
        status.select_option(value)
        assert listed.evaluate_all("(items) => items.map((item) => Number(item.dataset.image))") == numbers
    status.focus()
    person.key("Home")  # its own key
    assert status.input_value() == "all"
    status.select_option("flagged")
    person.key("f")  # within the list; the field leaves this key to the page
    expect_open(person, 6)
    person.key("d")
    expect_open(person, 4)
    person.key("Shift+s")
    expect(person.page.locator("#skip")).to_have_attribute("aria-pressed", "false")
    person.key("x")
    expect(person.page.locator("#message")).to_contain_text("Exported")
    images = json.loads((out / "export/times.json").read_text())["images"]
    (entry,) = [image for image in images if image["file_name"] == "04.png"]
    assert (entry["flagged"], entry["skipped"], entry["comment"]) == (True, False, "which of\nboth?")


def test_a_review_walks_through_the_images_that_are_done(person: Person) -> None:
    for number in (7, 9, 12):
        person.act(number, kind="finish", done=True)
    note(person, 9, comment="again?")
    person.open(0)
    hint = person.page.locator("#hint")
    person.key("Shift+r")
    expect_open(person, 7)
    expect(person.page.locator("#review")).to_have_attribute("aria-pressed", "true")
    expect(hint).to_contain_text("Review, 1 of 3: F next")
    person.key("f")
    expect_open(person, 9)
    expect(hint).to_contain_text('Review, 2 of 3 ("again?")')
    person.key("Control+Enter")  # takes it back; it stays open, to be corrected
    expect(person.page.locator("#images li")).to_have_count(2)
    assert person.state()["done"] is False
    person.key("f")
    expect(person.page.locator('#images li[data-image="12"]')).to_have_attribute("aria-current", "true")
    expect(person.page.locator("#message")).to_have_text("All images that are done were looked at")
    person.key("Shift+r")
    expect(person.page.locator("#images li")).to_have_count(17)
    expect(hint).not_to_contain_text("Review")


def test_the_strip_says_what_time_an_image_has_taken(person: Person) -> None:
    url = f"{person.address}api/images/13/actions"
    person.number = 13
    content = {"revision": person.state()["revision"], "seconds": 95, "action": {"kind": "add", "points": WIDE}}
    assert person.page.request.post(url, data=content, headers={"X-Fullseg": "1"}).ok
    person.open(13)
    took = person.page.locator('#images li[data-image="13"] .took')
    expect(took).to_have_text("1.6 min")
    person.page.evaluate("() => (performance.now = ((now) => () => now() + 40e3)(performance.now.bind(performance)))")
    person.key("Shift+f")
    expect(took).to_have_text("2.3 min")  # 95 s and 40 s
