"""Models that the annotator offers to switch to: switching keeps all work."""

import json
import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.categories import UNNAMED_ID
from fullseg.annotator.choices import Choice
from fullseg.annotator.learning import Learning, Started
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace
from fullseg.cli.choices import list_choices
from tests.annotator.conftest import QUADS
from tests.annotator.test_learning import other_weights

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.annotator.browser import Server

HEADERS = {"X-Fullseg": "1"}


def learning_of(images: Path, out: Path, checkpoint: Path, *others: Path) -> Learning:
    first: Future[Predictor] = Future()
    first.set_result(Predictor.from_checkpoint(checkpoint))
    choices = [Choice("tiny", str(checkpoint)), *(Choice(path.stem, str(path)) for path in others)]
    return Learning(Started(images, out, "tiny"), first, Predictor.from_checkpoint, lambda: choices)


def other_classes(checkpoint: Path, path: Path) -> Path:
    content = torch.load(other_weights(checkpoint, path), weights_only=True)
    for category in content["hyper_parameters"]["categories"]:
        category["name"] = f"other {category['name']}"
    torch.save(content, path)
    return path


def test_another_model_segments_the_same_work_and_stays_in_use(
    images: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    out, other = tmp_path / "out", other_classes(tiny_checkpoint, tmp_path / "other.ckpt")
    learning = learning_of(images, out, tiny_checkpoint, other)
    workspace = Workspace(images, out, learning.predictor, None, learning.first)
    client = TestClient(Guard(make_app(workspace, learning), hosts=["testserver"], token=None))
    known = workspace.categories.known()
    action = {"kind": "add", "points": QUADS[0], "category": known[1].id}
    work = workspace.act("a.png", 0, action, 0).work
    revision = workspace.act("a.png", 1, {"kind": "add", "points": QUADS[1]}, 0).revision
    before = workspace.labels("a.png", revision)[1].region_map

    def choose(name: str) -> dict[str, Any]:
        answer = client.post("/api/learning", json={"action": "choose", "name": name}, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = client.get("/api/models").json()
        return found

    assert client.get("/api/models").json()["name"] == "tiny"
    assert choose("other")["name"] == "other"
    assert not np.array_equal(workspace.labels("a.png", revision)[1].region_map, before)
    assert workspace.open("a.png").revision == revision
    assert workspace.open("a.png").work.regions[0] == work.regions[0]
    assert workspace.categories.known() == known  # they are the person's, not the model's
    exported = workspace.export("a.png", revision)
    assert exported.segments == 2
    panoptic = json.loads((out / "export/panoptic.json").read_text())
    used = {segment["category_id"] for segment in panoptic["annotations"][0]["segments_info"]}
    assert used == {known[1].id, UNNAMED_ID}  # the other model's guesses are of no class that is listed
    assert used <= {category["id"] for category in panoptic["categories"]}
    assert learning_of(images, out, tiny_checkpoint, other).name == "other"  # also after the next start
    again = Learning(Started(images, out, "another"), learning._first, Predictor.from_checkpoint)
    assert again.name == "another"  # it was chosen instead of "tiny", and not of this one
    assert choose("tiny")["name"] == "tiny"
    assert np.array_equal(workspace.labels("a.png", revision)[1].region_map, before)
    workspace.take_categories()
    panoptic = json.loads((out / "export/panoptic.json").read_text())
    assert used <= {category["id"] for category in panoptic["categories"]}
    workspace.journal.close()


def test_a_model_that_cannot_be_loaded_leaves_the_one_in_use(
    images: Path, tmp_path: Path, tiny_checkpoint: Path
) -> None:
    broken = tmp_path / "broken.ckpt"
    broken.write_text("no checkpoint")
    learning = learning_of(images, tmp_path / "out", tiny_checkpoint, broken)
    workspace = Workspace(images, tmp_path / "out", learning.predictor, None, learning.first)
    client = TestClient(Guard(make_app(workspace, learning), hosts=["testserver"], token=None))
    for name, message in (("broken", "broken.ckpt"), ("flying", "there is no model 'flying'")):
        answer = client.post("/api/learning", json={"action": "choose", "name": name}, headers=HEADERS)
        assert answer.status_code in (422, 507)
        assert message in answer.json()["error"]
    assert client.get("/api/models").json()["name"] == "tiny"
    workspace.journal.close()


def test_the_choices_are_released_models_and_the_newest_run_of_each_experiment(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    runs = tmp_path / "runs"
    for name in ("a/one", "a/two", "deep/b/one"):
        (runs / name / "checkpoints").mkdir(parents=True)
        shutil.copy(tiny_checkpoint, runs / name / "checkpoints" / "best.ckpt")
    (runs / "a/latest").symlink_to(runs / "a/two")
    curve = {"scribbles_per_region": [0, 1.0], "iou": [0.5, 0.75], "eta_of_all_rounds": 0.25}
    study = {"dataset": "scenes", "split": "val", "strategies": {"free": curve}}
    (runs / "deep/b/one/study.json").write_text(json.dumps(study))
    (runs / "broken/one/checkpoints").mkdir(parents=True)
    (runs / "broken/one/checkpoints/best.ckpt").write_text("no checkpoint")
    found = list_choices(str(tiny_checkpoint), runs)
    assert [one.name for one in found] == [str(tiny_checkpoint), "photos", "a", "deep/b"]
    photos, _, measured = found[1:]
    assert (photos.by_strokes, photos.about[:20]) == (True, "Segments photographs")
    assert (measured.eta, measured.iou, measured.measured_on) == (0.25, (0.5, 0.75), "scenes val")


@pytest.fixture
def server(images: Path, tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator["Server"]:
    from tests.annotator.browser import Server

    monkeypatch.chdir(tmp_path)
    run = tmp_path / "runs" / "turned" / "one" / "checkpoints"
    run.mkdir(parents=True)
    other_weights(tiny_checkpoint, run / "best.ckpt")
    (images / "broken.jpg").unlink()
    server = Server(images, tiny_checkpoint, tmp_path / "out")
    yield server
    assert server.stop() == 0


@pytest.mark.slow
def test_the_page_says_which_model_it_is_and_changes_it(page: "Page", server: "Server") -> None:
    from playwright.sync_api import expect

    from tests.annotator.browser import Person

    person = Person(page, server.address)
    for quad in QUADS[:2]:
        person.act(0, kind="add", points=quad)
    person.open(0)
    before, state = person.labels(), person.state()
    expect(page.locator("#model-name")).to_contain_text("tiny.ckpt")
    person.key("Shift+m")
    rows = page.locator("#model-list li")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text("It was trained to follow strokes.")
    rows.filter(has_text="turned").get_by_role("button").click()
    expect(page.locator("#model-name")).to_have_text("turned")
    expect(rows.nth(2)).to_have_attribute("aria-current", "true")
    person.key("Escape")
    person.settle()
    assert not np.array_equal(person.labels(), before)
    assert person.state() == state
    assert person.wrong == []
