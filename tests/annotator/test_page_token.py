"""A team's server with a token is started again while a page is open, in a real Chromium: nothing is lost."""

import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.annotator.browser import Person, Server
from tests.annotator.conftest import WIDE

pytestmark = pytest.mark.slow


class Team:
    """A server for other machines, which can be started again at the same port."""

    def __init__(self, folder: Path, checkpoint: Path) -> None:
        self.folder, self.checkpoint, self.port = folder, checkpoint, "0"
        self.start()

    def start(self) -> None:
        options = ("--host", "0.0.0.0", "--port", self.port)
        self.server = Server(self.folder, self.checkpoint, self.folder / "out", *options)
        found = re.search(r":(\d+)/\?token=(\S+)", self.server.address)
        assert found
        self.port, self.token = found.groups()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/?token={self.token}"


@pytest.fixture
def team(folder: Path, tmp_path: Path, tiny_checkpoint: Path) -> Iterator[Team]:
    shutil.copy(folder / "00.png", tmp_path)
    team = Team(tmp_path, tiny_checkpoint)
    yield team
    team.server.stop()


def test_an_open_page_asks_for_the_new_token_and_goes_on(page: Page, team: Team) -> None:
    page.goto(team.address)
    person = Person(page, team.address)
    person.open(0)
    person.mark(WIDE)
    person.key("c")
    expect(page.locator("#clean")).to_have_text(re.compile(r"No islands|\d"))  # the page asks for nothing any more

    team.server.stop()
    team.start()  # the page does not know it
    person.drag([(80, 70), (110, 90)])
    dialog = page.locator("#token")
    expect(dialog).to_be_visible()
    page.locator("#token-text").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("#token-said")).to_contain_text("does not take this token")
    page.locator("#token-text").fill(team.address)
    page.keyboard.press("Enter")
    expect(dialog).to_be_hidden()
    person.settle()
    assert len(person.state()["strokes"]) == 1  # it was sent as soon as the server took the token

    team.server.stop(signal.SIGKILL)
    person.drag([(80, 80), (110, 100)])
    expect(page.locator("#message")).to_contain_text("The server does not answer")
    team.start()
    expect(dialog).to_be_visible()
    page.locator("#token-text").fill(team.token)
    page.get_by_role("button", name="Go on").click()
    expect(page.locator("#message")).to_contain_text("Enter sends what is not sent yet")
    page.locator("#canvas").focus()
    person.key("Enter")
    expect(page.locator("#hint")).not_to_contain_text("collected")
    person.settle()
    assert len(person.state()["strokes"]) == 2
    errors = ("401", "ERR_CONNECTION_REFUSED", "ERR_EMPTY_RESPONSE", "ERR_CONNECTION_RESET")
    assert [text for text in person.wrong if not any(error in text for error in errors)] == []
