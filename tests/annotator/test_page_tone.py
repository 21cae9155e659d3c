"""Brightness and contrast of the shown image, in a real Chromium."""

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import WIDE

pytestmark = pytest.mark.slow


def test_brightness_and_contrast_change_the_shown_image_alone_and_are_remembered(person: Person) -> None:
    person.act(0, kind="add", points=WIDE)
    person.open(0)
    labels = person.labels()
    person.page.locator("#canvas").focus()
    person.page.keyboard.down("w")
    plain = person.colours()
    person.page.keyboard.up("w")
    person.page.locator("#light").click()
    expect(person.page.locator("#light")).to_have_attribute("aria-expanded", "true")
    expect(person.page.locator("#tone-reset")).to_be_disabled()
    person.page.locator("#brightness").fill("60")
    person.key("Escape")
    expect(person.page.locator("#tone")).to_be_hidden()
    expect(person.page.locator("#canvas")).to_be_focused()
    person.page.keyboard.down("w")
    darker = person.colours()
    person.page.keyboard.up("w")
    middle = np.s_[100:400, 300:600]  # within the image
    np.testing.assert_allclose(darker[middle], 0.6 * plain[middle], atol=1.5)
    person.page.reload()
    person.settle()
    expect(person.page.locator("#light")).to_have_attribute("aria-pressed", "true")
    person.key("Shift+b")
    expect(person.page.locator("#brightness")).to_have_value("60")
    person.page.locator("#contrast").fill("200")
    person.key("Shift+b")
    person.page.keyboard.down("w")
    shown = person.colours()
    person.page.keyboard.up("w")
    contrasted = np.clip(2 * (0.6 * plain[middle] - 127.5) + 127.5, 0, 255)
    np.testing.assert_allclose(shown[middle], contrasted, atol=3)
    np.testing.assert_array_equal(person.labels(), labels)
    person.key("Shift+b")
    person.page.locator("#tone-reset").click()
    expect(person.page.locator("#light")).to_have_attribute("aria-pressed", "false")
    person.key("Shift+b")
    person.page.keyboard.down("w")
    np.testing.assert_array_equal(person.colours()[middle], plain[middle])
    person.page.keyboard.up("w")
