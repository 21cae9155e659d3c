"""Regions and their classes in a real Chromium: what a click, a key and a field do to which region."""

import numpy as np
import pytest
from playwright.sync_api import expect
from scipy import ndimage

from tests.annotator.browser import Person
from tests.annotator.conftest import SMALL, WIDE

pytestmark = pytest.mark.slow
WHOLE = [[0, 60], [90, 0], [239, 70], [100, 179]]  # extreme points at the border of the image
CURRENT = '#regions li[aria-current="true"]'


def classes(person: Person) -> list[str]:
    answer = person.page.request.get(f"{person.address}api/categories").json()
    return [category["name"] for category in answer["categories"]]


def inside(person: Person, region: int) -> tuple[int, int]:
    """Return a point (x, y) well inside the region of a place in the list."""
    depth = ndimage.distance_transform_edt(np.pad(person.labels() == region, 1))
    y, x = np.unravel_index(depth.argmax(), depth.shape)
    return int(x) - 1, int(y) - 1


def test_enter_takes_the_class_that_is_found_and_makes_none(person: Person) -> None:
    headers = {"X-Fullseg": "1"}
    for name in ("street", "tree-merged"):
        content = {"name": name, "isthing": False}
        assert person.page.request.post(f"{person.address}api/categories", data=content, headers=headers).ok
    person.act(0, kind="add", points=WIDE)
    person.open(0)
    before = classes(person)
    person.page.locator("#regions li").first.click()
    person.key("/")
    person.page.keyboard.type("tre")
    expect(person.page.locator("#categories li").first).to_contain_text(
        "tree-merged"
    )  # it begins so; "street" holds it
    person.key("Enter")
    person.key("Enter")
    expect(person.page.locator("#regions .name")).to_have_text("1  tree-merged")
    assert classes(person) == before


def test_a_class_with_part_of_anothers_name_is_made_on_purpose_only(person: Person) -> None:
    person.act(1, kind="add", points=WIDE)
    person.open(1)
    person.page.locator("#regions li").first.click()
    person.key("/")
    person.page.keyboard.type("clas")
    person.key("ArrowUp")  # from the first hit to the last line
    person.key("Enter")
    expect(person.page.locator("#unknown")).to_contain_text("New class clas")
    person.key("Enter")  # answers nothing
    expect(person.page.locator("#unknown")).to_be_visible()
    person.key("s")
    expect(person.page.locator("#regions .name")).to_have_text("1  clas")
    assert classes(person)[-1] == "clas"


def test_a_guessed_class_looks_like_a_guess_until_it_is_confirmed(person: Person) -> None:
    person.act(2, kind="add", points=WIDE)
    person.act(2, kind="add", points=SMALL)
    person.open(2)
    names = person.page.locator("#regions .name")
    expect(person.page.locator("#regions li.guess")).to_have_count(2)
    expect(person.page.locator("#figures")).to_contain_text("2 classes to confirm")
    guess = names.first.inner_text()
    assert guess.endswith("?")
    assert [region["category"] for region in person.state()["regions"]] == [None, None]
    person.page.locator("#regions li").first.click()
    person.key("a")
    expect(names.first).to_have_text(guess.rstrip("?"))
    expect(person.page.locator("#regions li.guess")).to_have_count(1)
    expect(person.page.locator("#figures")).to_contain_text("1 class to confirm")
    person.page.locator("#regions .confirm").click()
    expect(person.page.locator("#regions li.guess")).to_have_count(0)
    expect(person.page.locator("#figures")).not_to_contain_text("to confirm")
    named = {1: "class 1", 2: "class 2"}
    assert [named[region["category"]] for region in person.state()["regions"]] == [
        text.split("  ")[1] for text in names.all_text_contents()
    ]


def test_a_new_region_is_selected_and_named_and_escape_deselects(person: Person) -> None:
    person.act(3, kind="add", points=WIDE)
    person.open(3)
    person.page.locator("#regions li").first.click()  # an older region is chosen
    person.mark(SMALL)
    expect(person.page.locator(CURRENT)).to_have_attribute("data-region", "2")
    person.key("/")
    person.page.keyboard.type("class 2")
    person.key("Enter")
    expect(person.page.locator("#regions .name").nth(1)).to_have_text("2  class 2")
    assert [region["category"] for region in person.state()["regions"]] == [None, 2]
    person.key("Escape")
    expect(person.page.locator(CURRENT)).to_have_count(0)


def test_a_class_that_is_typed_while_no_region_is_chosen_is_that_of_new_regions(person: Person) -> None:
    person.open(4)
    person.key("/")
    person.page.keyboard.type("class 1")
    person.key("Enter")
    expect(person.page.locator("#hint")).to_contain_text("of the next class 1")
    person.mark(WIDE)
    person.mark(SMALL)
    assert [region["category"] for region in person.state()["regions"]] == [1, 1]


def test_a_click_that_slips_is_a_click_and_a_double_click_counts_once(person: Person) -> None:
    person.open(5)
    for number, (x, y) in enumerate(person.screen((x, y)) for x, y in WIDE):
        person.page.mouse.move(x, y)
        person.page.mouse.down()
        person.page.mouse.move(x + 6 * (-1) ** number, y)
        person.page.mouse.up()
    expect(person.page.locator("#regions li")).to_have_count(1)
    np.testing.assert_allclose(person.state()["regions"][0]["points"], WIDE, atol=0.51)  # where they began
    for point in ((20, 20), (60, 50)):
        person.page.mouse.dblclick(*person.screen(point))
    expect(person.page.locator("#message")).to_contain_text("A double click counts once")
    expect(person.page.locator("#hint")).to_contain_text("2 more extreme points")
    assert len(person.state()["regions"]) == 1


def test_points_that_span_no_region_mark_none(person: Person) -> None:
    person.open(6)
    for point in ((50, 50), (90, 50)) * 2:
        person.click(point)
    expect(person.page.locator("#message")).to_contain_text("These points span 41 x 1 px")
    expect(person.page.locator("#hint")).to_contain_text("Click a region's four extreme points")
    assert person.state()["revision"] == 0


def test_a_click_with_the_tool_for_correcting_chooses_and_a_stroke_is_the_chosen_regions(person: Person) -> None:
    person.act(7, kind="add", points=WIDE)
    person.act(7, kind="add", points=SMALL)
    person.open(7)
    person.key("c")
    expect(person.page.locator("#hint")).to_contain_text("Press inside a region")
    first, second = inside(person, 0), inside(person, 1)
    person.click(first)
    expect(person.page.locator(CURRENT)).to_have_attribute("data-region", "1")
    expect(person.page.locator("#hint")).to_contain_text("Draw into what region 1 lacks")
    assert person.state()["strokes"] == []
    person.draw([second, (second[0] + 20, second[1])])  # begins in a pixel of region 2
    assert [stroke["region"] for stroke in person.state()["strokes"]] == [1]
    person.key("Escape")
    expect(person.page.locator("#hint")).to_contain_text("Press inside a region")
    second = inside(person, 1)
    person.draw([second, (second[0], second[1] + 15)])
    assert [stroke["region"] for stroke in person.state()["strokes"]] == [1, 2]


def test_a_click_does_what_the_hint_of_merging_says(person: Person) -> None:
    person.act(8, kind="add", points=WIDE)
    person.act(8, kind="add", points=SMALL)
    person.open(8)  # with the tool for marking
    person.page.locator("#regions li").first.click()
    person.key("g")
    expect(person.page.locator("#hint")).to_contain_text("Click the region that becomes part of region 1")
    person.click(inside(person, 1))
    expect(person.page.locator("#regions li")).to_have_count(1)
    expect(person.page.locator("#hint")).to_contain_text("Click a region's four extreme points")


def test_the_list_scrolls_to_the_chosen_region(person: Person) -> None:
    for number in range(20):
        x, y = 10 + 45 * (number % 5), 10 + 35 * (number // 5)
        person.act(9, kind="add", points=[[x, y + 10], [x + 15, y], [x + 30, y + 10], [x + 15, y + 20]])
    person.open(9)
    person.key("v")
    expect(person.page.locator("#regions li").nth(19)).not_to_be_in_viewport()
    person.click(inside(person, 19))
    expect(person.page.locator(CURRENT)).to_have_attribute("data-region", "20")
    expect(person.page.locator(CURRENT)).to_be_in_viewport()


def test_done_asks_what_may_have_been_overlooked(person: Person) -> None:
    person.act(10, kind="add", points=SMALL)
    person.open(10)
    check = person.page.locator("#check")
    void = int(np.count_nonzero(person.labels() == -1))
    person.key("Control+Enter")
    expect(check.locator("li")).to_have_count(2)
    expect(check).to_contain_text(f"{void:,} px have no region")
    expect(check).to_contain_text("1 region: the class is guessed, not confirmed (1)")
    person.key("Escape")
    expect(check).to_be_hidden()
    assert person.state()["done"] is False
    person.key("Control+Enter")
    check.get_by_role("button", name="Show").click()
    expect(person.page.locator(CURRENT)).to_have_attribute("data-region", "1")
    person.finish()
    expect(person.page.locator("#message")).to_contain_text("is done, and this is")
    assert person.state()["done"] is True


def test_done_asks_nothing_if_nothing_is_overlooked(person: Person) -> None:
    person.act(11, kind="add", points=WHOLE, category=1)
    person.open(11)
    assert not np.any(person.labels() == -1)
    person.key("Control+Enter")
    expect(person.page.locator("#message")).to_contain_text("11.png is done")
    assert person.state()["done"] is True


def test_parts_of_regions_are_those_that_scipy_finds(person: Person) -> None:
    person.open(12)
    places = np.random.default_rng(0).integers(0, 3, (40, 53))
    code = "async ([map, width]) => (await import('/static/components.js')).partsOf(Uint16Array.from(map), width, 2)"
    found = person.page.evaluate(code, [places.ravel().tolist(), 53])
    for place in range(3):
        labelled, count = ndimage.label(places == place)
        sizes = np.bincount(labelled.ravel())[1:]
        assert found[place] == sorted(sizes.tolist(), reverse=True)
        assert len(found[place]) == count


def test_typed_in_classes_are_renamed_merged_and_removed(person: Person) -> None:
    ids = []
    for name in ("kit", "kitten", "mud"):
        content = {"name": name, "isthing": name != "mud"}
        url = f"{person.address}api/categories"
        answer = person.page.request.post(url, data=content, headers={"X-Fullseg": "1"})
        ids.append(answer.json()["id"])
    person.act(13, kind="add", points=WIDE, category=ids[0])
    person.open(13)
    name = person.page.locator("#regions .name")
    person.page.locator("#edit-classes").click()
    dialog = person.page.locator("#class-list")
    person.type_into(dialog.get_by_label("Name of kitten"), "cat")
    dialog.get_by_label("Name of kitten").press("Tab")
    expect(dialog).to_contain_text("kitten is cat now")
    dialog.get_by_label("Remove kit").click()
    expect(dialog).to_contain_text("regions of 13.png have it")
    person.page.once("dialog", lambda question: question.accept())
    dialog.get_by_label("Merge kit into").select_option("cat")
    expect(dialog).to_contain_text("kit is part of cat now")
    dialog.get_by_label("Remove mud").click()
    expect(dialog).to_contain_text("mud is removed")
    dialog.get_by_role("button", name="Close").click()
    expect(name).to_have_text("1  cat")
    assert {"kit", "kitten", "mud"}.isdisjoint(classes(person))
    assert person.state()["regions"][0]["category"] == ids[1]
    person.forgive(400)


def test_a_class_that_is_typed_while_a_region_is_on_its_way_is_its_own(person: Person) -> None:
    person.act(14, kind="add", points=WIDE)
    person.open(14)
    person.page.locator("#regions li").first.click()
    held = person.hold("**/actions?*")
    for x, y in SMALL:
        person.click((x, y))
    held.first()
    person.key("/")
    person.page.keyboard.type("class 2")
    person.key("Enter")
    held.release()
    expect(person.page.locator("#regions .name").nth(1)).to_have_text("2  class 2")
    assert [region["category"] for region in person.state()["regions"]] == [None, 2]
