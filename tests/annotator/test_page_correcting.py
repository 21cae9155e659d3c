"""Correcting what is there already in a real Chromium: holes, islands, imports, merges."""

from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE
from tests.annotator.test_page_painting import choose, exported, import_, partition

pytestmark = pytest.mark.slow


def test_a_click_fills_a_hole(person: Person, out: Path, tmp_path: Path) -> None:
    ids = partition()
    ids[100:110, 50:60], ids[20:25, 200:204] = 0, 1
    import_(person, 5, ids, tmp_path)
    person.key("j")
    person.click((55, 105))
    person.settle()
    person.click((201, 22))
    person.settle()
    np.testing.assert_array_equal(exported(person, out), partition() - 1)
    person.click((200, 60))
    why = "here is no hole, but region 2, which is locked or in one piece"
    expect(person.page.locator("#message")).to_have_text(why)
    person.forgive(400)


def test_a_button_says_how_many_islands_and_holes_there_are_and_cleans_them(
    person: Person, out: Path, tmp_path: Path
) -> None:
    ids = partition()
    ids[ids == 3] = 1
    clean = ids - 1
    ids = ids.copy()
    ids[100:104, 50:54], ids[20:25, 200:204], ids[120, 120:122], ids[5:15, 5:15] = 0, 1, 1, 2
    import_(person, 6, ids, tmp_path)
    button = person.page.locator("#clean")
    expect(button).to_have_text("Clean 2 islands and holes")
    person.type_into(person.page.locator("#below"), "101")
    person.key("Enter")
    expect(button).to_have_text("Clean 3 islands and holes")
    expect(person.page.locator("#figures")).to_contain_text("3 islands and holes")
    button.click()
    expect(person.page.locator("#message")).to_contain_text("3 cleaned")
    person.settle()
    expect(button).to_have_text("No islands and holes")
    expect(person.page.locator("#figures")).not_to_contain_text("islands")
    expect(button).to_be_disabled()
    clean[120, 120:122] = 0  # not loose: it hangs on region 1
    np.testing.assert_array_equal(exported(person, out), clean)
    person.key("Control+z")
    expect(button).to_have_text("Clean 3 islands and holes")
    np.testing.assert_array_equal(exported(person, out), ids - 1)


def test_an_import_is_corrected_by_one_stroke_and_all_other_regions_keep_their_pixels(
    person: Person, out: Path, tmp_path: Path
) -> None:
    import_(person, 7, partition(), tmp_path)
    before = person.labels()
    choose(person, 1)
    person.draw([(110, 120), (130, 125)])
    after = exported(person, out)
    changed = after != before
    assert changed[120:126, 121:130].any()
    assert (after[changed] == 0).all()
    assert (before[changed] != 2).all()  # region 3 is elsewhere
    np.testing.assert_array_equal(after == 2, before == 2)
    assert (before[changed] == 1).all()


def test_a_merged_region_is_the_union_of_both(person: Person, out: Path) -> None:
    person.act(8, kind="add", points=WIDE)
    person.act(8, kind="add", points=SMALL)
    person.act(8, kind="add", points=[[150, 20], [190, 5], [230, 30], [190, 70]])
    person.open(8)
    union = np.isin(person.labels(), [0, 1])
    choose(person, 1)
    person.key("g")
    choose(person, 2)
    expect(person.page.locator("#regions li")).to_have_count(2)
    person.settle()
    assert (exported(person, out)[union] == 0).all()


def control_click(person: Person, point: tuple[float, float]) -> None:
    person.page.keyboard.down("Control")
    person.click(point)
    person.page.keyboard.up("Control")


def test_with_control_a_click_is_a_dot_and_else_it_chooses(person: Person) -> None:
    person.act(9, kind="add", points=WIDE)
    person.act(9, kind="add", points=SMALL)
    person.open(9)
    x, y = 60, 90
    assert person.labels()[y, x] == 0
    choose(person, 2)
    person.key("c")
    expect(person.page.locator("#hint")).to_contain_text("Ctrl+click: a dot")
    control_click(person, (x, y))
    expect(person.page.locator("#saved")).to_have_text("saved")
    person.settle()
    person.key("l")
    expect(person.page.locator('#regions li[data-region="2"] .lock')).to_have_attribute("aria-pressed", "true")
    person.settle()
    control_click(person, (x, y + 10))
    expect(person.page.locator("#message")).to_contain_text("locked")
    expect(person.page.locator('#regions li[data-region="2"]')).to_have_attribute("aria-current", "true")
    [stroke] = person.state()["strokes"]
    assert stroke["region"] == 2
    np.testing.assert_allclose(stroke["points"], [[x, y]], atol=0.6)
    assert person.labels()[y, x] == 1
    person.click((30, 60))
    expect(person.page.locator('#regions li[data-region="1"]')).to_have_attribute("aria-current", "true")
    assert len(person.state()["strokes"]) == 1


def test_a_stroke_from_outside_of_all_regions_frees_the_pixels_below_it(person: Person, out: Path) -> None:
    person.open(0)
    person.mark(WIDE)
    before = person.labels()
    row = int(np.bincount(np.nonzero(before == 0)[0]).argmax())
    last = int(np.flatnonzero(before[row] == 0).max())
    assert (before[row, last + 1 :] == -1).all()
    person.draw([(last + 20, row), (last - 8, row)])
    assert person.state()["strokes"][0]["region"] is None
    after = person.labels()
    assert (after[row, last - 7 : last] == -1).all()
    assert (exported(person, out)[row, last - 7 : last] == -1).all()
    person.key("Control+z")
    person.settle()
    np.testing.assert_array_equal(person.labels(), before)


def test_a_stroke_that_begins_before_the_labels_are_there_is_of_the_region_marked_last(person: Person) -> None:
    person.open(1)
    person.mark(WIDE)
    labels = person.hold("**/labels?*")
    for x, y in SMALL:
        person.click((x, y))
    labels.first()
    person.key("c")
    person.drag([(200, 150), (190, 130)])  # a place that is of no region in the labels that the page has
    labels.release()
    person.settle()
    assert [stroke["region"] for stroke in person.state()["strokes"]] == [2]
