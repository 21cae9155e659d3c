"""Categories from a file, from the checkpoint, and from a person who types them in."""

import json
import sqlite3
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from fullseg.annotator.actions import ActionError, Add, Describe, Import, Imported, Undo
from fullseg.annotator.categories import Categories, read_categories
from fullseg.annotator.store import Journal
from fullseg.annotator.work import Region, Work
from fullseg.annotator.workspace import Workspace
from fullseg.errors import DataError
from fullseg.types import Category
from tests.annotator.conftest import CATEGORIES, QUADS

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


def test_a_typed_in_category_is_renamed_and_the_others_are_not(journal: Journal) -> None:
    categories = Categories(CATEGORIES, lambda: OF_MODEL, journal)
    added = categories.add("kit", isthing=True)
    categories.rename(added.id, " kite ")
    categories.rename(added.id, "Kite")  # its own name in other letters is free
    assert categories.known() == [*CATEGORIES, Category(added.id, "Kite", isthing=True)]
    with pytest.raises(ActionError, match="'dog': this name is taken already"):
        categories.rename(added.id, "dog")
    with pytest.raises(ActionError, match="category 3 is of the list that the annotator was started with"):
        categories.rename(3, "cat")


def test_merged_and_removed_categories_are_resolved_in_all_actions_and_their_ids_stay_taken(journal: Journal) -> None:
    categories = Categories(CATEGORIES, lambda: OF_MODEL, journal)
    tre, tree, mud = (categories.add(name, isthing=thing).id for name, thing in (("tre", 1), ("tree", 1), ("mud", 0)))
    with pytest.raises(ActionError, match="'tre', 'mud': one is of things, the other of stuff"):
        categories.merge(tre, mud)
    categories.merge(tre, tree)
    categories.merge(tree, 3)
    categories.remove(mud)
    assert categories.known() == CATEGORIES
    assert categories.add("new", isthing=True).id == mud + 1
    again = Categories(CATEGORIES, lambda: OF_MODEL, Journal(journal.path))
    given = [Add(points=POINTS, category=one) for one in (tre, tree, mud, 8, None)]
    assert [action.category for action in again.resolve(given)] == [3, 3, None, 8, None]  # type: ignore[union-attr]
    describe = Describe(region=1, name="x", category=tre)
    imported = Import(regions=(Imported(points=POINTS, category=tree, mask=""),))
    assert again.resolve([describe, imported, Undo()]) == [
        Describe(region=1, name="x", category=3),
        Import(regions=(Imported(points=POINTS, category=3, mask=""),)),
        Undo(),
    ]


def test_a_journal_of_an_older_version_gets_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "journal.sqlite"
    Categories(CATEGORIES, [], Journal(path)).add("kite", isthing=True)
    with sqlite3.connect(path) as old:
        old.execute("DROP TABLE replaced_category")
    categories = Categories(CATEGORIES, [], Journal(path))
    categories.remove(10_001)
    assert categories.known() == CATEGORIES


def test_a_merge_reaches_regions_undone_states_and_exports(client: TestClient, workspace: Workspace) -> None:
    tre = client.post("/api/categories", json={"name": "tre", "isthing": True}).json()["id"]
    action = {"kind": "add", "points": [[0, 5], [5, 0], [12, 5], [5, 9]], "category": tre}
    client.post("/api/images/0/actions", json={"revision": 0, "action": action})
    client.post("/api/images/0/export", json={"revision": 1})
    client.post("/api/images/0/actions", json={"revision": 1, "action": {"kind": "undo"}})
    refused = client.post(f"/api/categories/{tre}", json={"remove": True})
    assert (refused.status_code, "regions of a.png have it" in refused.json()["error"]) == (400, True)  # in the export
    answer = client.post(f"/api/categories/{tre}", json={"into": 3}).json()
    assert (answer["own"], [one["id"] for one in answer["categories"]]) == ([], [3, 8])
    state = client.post("/api/images/0/actions", json={"revision": 2, "action": {"kind": "redo"}}).json()
    assert [region["category"] for region in state["regions"]] == [3]
    for file, key in (("panoptic", "segments_info"), ("instances", None)):
        content = json.loads((workspace.out / f"export/{file}.json").read_text())
        (one,) = content["annotations"]
        assert (one[key][0] if key else one)["category_id"] == 3
        assert [category["id"] for category in content["categories"]] == [3, 8, 10_000]


def test_a_class_without_regions_is_removed_and_a_change_must_be_one(client: TestClient) -> None:
    kite = client.post("/api/categories", json={"name": "kite", "isthing": True}).json()["id"]
    assert client.post(f"/api/categories/{kite}", json={"name": "Kite"}).json()["categories"][-1]["name"] == "Kite"
    assert client.post(f"/api/categories/{kite}", json={"remove": True}).json()["own"] == []
    gone = client.post(f"/api/categories/{kite}", json={"name": "kite"})
    assert (gone.status_code, gone.json()["error"]) == (400, f"category {kite}: there is no such category")
    for content in ({}, {"name": 3}, {"into": "x"}, {"remove": False}):
        assert client.post("/api/categories/3", json=content).status_code == 400


def test_an_export_says_which_classes_a_person_has_confirmed(client: TestClient, workspace: Workspace) -> None:
    for revision, (points, category) in enumerate(((QUADS[0], 3), (QUADS[1], None))):
        action = {"kind": "add", "points": points, "category": category}
        client.post("/api/images/0/actions", json={"revision": revision, "action": action})
    client.post("/api/images/0/export", json={"revision": 2})
    (one,) = json.loads((workspace.out / "export/panoptic.json").read_text())["annotations"]
    assert [segment["confirmed"] for segment in one["segments_info"]] == [True, False]
    instances = json.loads((workspace.out / "export/instances.json").read_text())["annotations"]
    assert [instance["confirmed"] for instance in instances] == [True, False]
