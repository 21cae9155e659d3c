"""Learning from finished images, in a real browser."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from fullseg.annotator.learnt import Models, write_models
from tests.annotated_people import Annotated
from tests.annotator.test_learning import offered, other_weights

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.annotator.browser import Person

pytestmark = pytest.mark.slow


@pytest.fixture
def person(page: "Page", people: Annotated, tiny_checkpoint: Path, tmp_path: Path) -> Iterator["Person"]:
    from tests.annotator.browser import Person, Server

    photos = tmp_path / "photos"
    shutil.copytree(people.folder, photos)
    write_models(photos / "fullseg", Models().adding(offered(other_weights(tiny_checkpoint, tmp_path / "other.ckpt"))))
    server = Server(photos, tiny_checkpoint, photos / "fullseg")
    yield Person(page, server.address)
    assert server.stop() == 0


def test_the_new_model_is_offered_used_and_taken_back(page: "Page", person: "Person", people: Annotated) -> None:
    from playwright.sync_api import expect

    person.open(0)
    before = person.labels()
    page.locator("#learn").click()
    expect(page.locator("#learning-about")).to_contain_text(f"{len(people.samples)} images are done")
    expect(page.locator("#learning-said")).to_contain_text("70.0 % before, 80.0 % after")
    expect(page.locator("#learning-said")).to_contain_text("it may have forgotten images of other kinds")
    expect(page.locator("#efforts li")).to_have_count(len(people.samples))
    expect(page.locator("#effort")).to_contain_text("An image has taken")
    expect(page.locator("#learn-back")).to_be_hidden()
    page.locator("#learn-use").click()
    expect(page.locator("#learning-model")).to_have_text("In use: the model that learnt from 6 images")
    expect(page.locator("#learn-use")).to_be_hidden()
    page.keyboard.press("Escape")
    person.settle()
    assert not np.array_equal(person.labels(), before)
    page.locator("#learn").click()
    page.locator("#learn-back").click()
    expect(page.locator("#learning-model")).to_contain_text("tiny.ckpt")
    page.keyboard.press("Escape")
    person.settle()
    assert np.array_equal(person.labels(), before)
    assert person.wrong == []


def test_the_list_says_what_the_model_that_has_learnt_has_saved(page: "Page", person: "Person", tmp_path: Path) -> None:
    from playwright.sync_api import expect

    begun = sorted(effort["begun"] for effort in efforts_of(page, person))
    use(tmp_path, since=begun[5])
    person.open(0)
    page.locator("#learn").click()
    efforts = efforts_of(page, person)
    first = [one for one in efforts if one["begun"] < begun[5]]
    later = [one for one in efforts if one["begun"] >= begun[5]]
    per_region = [sum(one["strokes"] for one in some) / sum(one["regions"] for one in some) for some in (first, later)]
    expect(page.locator("#saving")).to_contain_text(f"5 images before took {per_region[0]:.2f} strokes per region")
    expect(page.locator("#saving")).to_contain_text(f"3 images with the model that has learnt {per_region[1]:.2f}")
    page.keyboard.press("Escape")
    use(tmp_path, since=begun[-1] + 60)
    page.locator("#learn").click()
    expect(page.locator("#saving")).to_contain_text("No image was begun and finished with the model that has learnt")
    page.locator("#learn-back").click()
    expect(page.locator("#saving")).to_have_text("")
    assert person.wrong == []


def efforts_of(page: "Page", person: "Person") -> list[dict[str, Any]]:
    return page.request.get(f"{person.address.rstrip('/')}/api/efforts").json()


def use(tmp_path: Path, since: float) -> None:
    out = tmp_path / "photos" / "fullseg"
    write_models(out, Models().adding(offered(tmp_path / "other.ckpt")).using("a", since))


def test_a_learner_that_fails_says_why(page: "Page", person: "Person") -> None:
    from playwright.sync_api import expect

    person.open(0)
    page.locator("#learn").click()
    page.locator("#learn-start").click()
    expect(page.locator("#learn-stop")).to_be_visible()
    expect(page.locator("#learn-start")).to_be_visible(timeout=300_000)
    expect(page.locator("#learning-said")).to_contain_text("does not say how it was trained")
    assert person.wrong == []


def test_done_says_what_the_image_has_taken(page: "Page", person: "Person") -> None:
    from playwright.sync_api import expect

    person.open(0)
    page.locator("#done").click()  # as not done
    expect(page.locator("#done")).to_have_attribute("aria-pressed", "false")
    page.locator("#done").click()
    if page.locator("#check").is_visible():
        page.locator("#anyway").click()
    expect(page.locator("#message")).to_contain_text("Done: ")
    expect(page.locator("#message")).to_contain_text("minutes. An image has taken")
