"""Categories from a file, from the checkpoint, and from a person who types them in."""

import json
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from fullseg.annotator.actions import ActionError
from fullseg.annotator.categories import Categories, read_categories
from fullseg.annotator.store import Journal
from fullseg.annotator.work import Region, Work
from fullseg.errors import DataError
from fullseg.types import Category
from tests.annotator.conftest import CATEGORIES

POINTS = ((0.0, 0.0),) * 4
OF_MODEL = [Category(11, "cat", isthing=True), Category(12, "road", isthing=False)]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.sqlite")


def work_of(*categories: int | None) -> Work:
    regions = [Region(number, "", category, POINTS, None) for number, category in enumerate(categories, start=1)]
    return Work((4, 4), regions=tuple(regions))


def test_a_regions_category_is_the_persons_else_the_models_guess(journal: Journal) -> None:
    categories = Categories(None, lambda: OF_MODEL, journal)
    assert categories.ids(work_of(None, 11, None), np.array([1, 1, 0])) == [12, 11, 11]
    assert categories.exported() == categories.known() == OF_MODEL


def test_with_a_list_of_ones_own_there_is_no_guess(journal: Journal) -> None:
    categories = Categories(CATEGORIES, lambda: OF_MODEL, journal)
    assert categories.ids(work_of(None, 3), np.array([1, 1])) == [10_000, 3]
    assert categories.exported() == [*CATEGORIES, Category(10_000, "region", isthing=True)]


def test_a_category_of_the_model_is_a_class_that_picks_the_map(journal: Journal) -> None:
    typed_in = Categories(None, lambda: OF_MODEL, journal).add("dog", isthing=True).id
    work = work_of(12, None, typed_in, 11)
    assert Categories(None, lambda: OF_MODEL, journal).classes(work) == {0: 1, 3: 0}
    assert Categories(CATEGORIES, lambda: OF_MODEL, journal).classes(work) == {}  # these ids are of another list


def test_a_typed_in_category_stays_and_takes_no_id_that_an_export_may_have(journal: Journal, tmp_path: Path) -> None:
    categories = Categories(CATEGORIES, lambda: OF_MODEL, journal)
    unnamed = categories.ids(work_of(None), np.array([0]))
    added = [categories.add(" kite ", isthing=True), categories.add("mud", isthing=False)]
    assert added == [Category(10_001, "kite", isthing=True), Category(10_002, "mud", isthing=False)]
    assert categories.ids(work_of(None), np.array([0])) == unnamed == [10_000]
    again = Categories(CATEGORIES, lambda: OF_MODEL, Journal(tmp_path / "journal.sqlite"))
    assert again.known() == [*CATEGORIES, *added]
    again.check(10_002)
    with pytest.raises(ActionError, match="category 10003: there is no such category"):
        again.check(10_003)


@pytest.mark.parametrize(
    ("name", "message"),
    [(" ", "1 to 200 characters, not 0"), (201 * "x", "not 201"), ("DOG", "this name is taken already")],
)
def test_a_name_that_cannot_be_is_refused(journal: Journal, name: str, message: str) -> None:
    with pytest.raises(ActionError, match=message):
        Categories(CATEGORIES, lambda: OF_MODEL, journal).add(name, isthing=True)


def test_the_page_adds_one_and_gives_it(client: TestClient) -> None:
    answer = client.post("/api/categories", json={"name": "kite", "isthing": True})
    assert answer.json()["id"] == 10_001
    assert answer.json()["categories"] == [
        {"id": 3, "name": "dog", "isthing": 1},
        {"id": 8, "name": "sky", "isthing": 0},
        {"id": 10_001, "name": "kite", "isthing": 1},
    ]
    action = {"kind": "add", "points": [[0, 5], [5, 0], [12, 5], [5, 9]], "category": 10_001}
    assert client.post("/api/images/0/actions", json={"revision": 0, "action": action}).status_code == 200
    again = client.post("/api/categories", json={"name": "kite", "isthing": True})
    assert (again.status_code, "taken already" in again.json()["error"]) == (400, True)
    assert client.post("/api/categories", json={"name": 3, "isthing": 1}).status_code == 400


@pytest.mark.parametrize("wrap", [True, False])
def test_reads_coco_jsons_and_lists(tmp_path: Path, wrap: bool) -> None:
    listed = [{"id": 7, "name": "dog", "supercategory": "animal"}, {"id": 0, "name": "sky", "isthing": 0}]
    (tmp_path / "c.json").write_text(json.dumps({"images": [], "categories": listed} if wrap else listed))
    assert read_categories(tmp_path / "c.json") == [
        Category(7, "dog", isthing=True),
        Category(0, "sky", isthing=False),
    ]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("{}", 'expected {"categories"'),
        ("[]", 'expected {"categories"'),
        ('["dog"]', '"dog": a category needs'),
        ('[{"id": "1", "name": "dog"}]', "whole number as id"),
        ('[{"id": 1, "name": "dog", "isthing": 2}]', "isthing 0 or 1"),
        ('[{"id": 1, "name": "dog"}, {"id": 1, "name": "cat"}]', "two categories have the id 1"),
        ('[{"id": 1, "name": "dog"}, {"id": 2, "name": "dog"}]', "two categories have the name 'dog'"),
    ],
)
def test_names_the_file_and_what_is_wrong_with_it(tmp_path: Path, content: str, message: str) -> None:
    (tmp_path / "c.json").write_text(content)
    with pytest.raises(DataError, match=r"--categories .*c.json") as caught:
        read_categories(tmp_path / "c.json")
    assert message in str(caught.value)
    with pytest.raises(DataError, match="no such file"):
        read_categories(tmp_path / "none.json")
