"""The first visit, and the download of all results, in a real Chromium."""

import zipfile
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import WIDE

pytestmark = pytest.mark.slow


def test_the_card_has_three_steps_and_goes_for_ever_only_if_it_is_told_to(person: Person) -> None:
    person.open(0)
    card = person.page.locator("#welcome")
    expect(card.locator("li")).to_have_count(3)
    expect(card.locator("li").nth(2)).to_contain_text("Done (Ctrl+Enter)")
    person.mark(WIDE)  # it is not in the way
    person.page.locator("#welcome-close").click()
    expect(card).to_be_hidden()
    expect(person.page.locator("#canvas")).to_be_focused()
    person.page.reload()
    person.settle()
    expect(card).to_be_visible()
    person.page.locator("#welcome-never").click()
    expect(card).to_be_hidden()
    person.page.reload()
    person.settle()
    expect(card).to_be_hidden()


def test_all_results_are_downloaded_as_one_file(person: Person, tmp_path: Path) -> None:
    person.act(1, kind="add", points=WIDE)
    person.open(1)
    person.page.locator("#download").click()
    expect(person.page.locator("#message")).to_contain_text("Nothing was exported yet")
    person.wrong.clear()  # the browser counts the refusal
    person.key("x")
    expect(person.page.locator("#message")).to_contain_text("Exported 1 segment")
    with person.page.expect_download() as started:
        person.page.locator("#download").click()
    started.value.save_as(tmp_path / "all.zip")
    names = zipfile.ZipFile(tmp_path / "all.zip").namelist()
    assert "export/panoptic.json" in names
    assert "export/panoptic/01.png.png" in names
