"""The server, through real requests: everything that the page does. Malformed requests are refused and do no harm."""

import json
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.loose import count_loose
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import CATEGORIES, HEIGHT, QUADS, WIDTH

POINTS = {"kind": "add", "points": QUADS[0]}


def act(client: TestClient, revision: int, action: dict[str, Any], image: int = 0) -> dict[str, Any]:
    answer = client.post(f"/api/images/{image}/actions", json={"revision": revision, "action": action, "seconds": 2})
    assert answer.status_code == 200, answer.text
    state: dict[str, Any] = answer.json()
    return state


def add_all(client: TestClient) -> int:
    for revision, quad in enumerate(QUADS):
        act(client, revision, {"kind": "add", "points": quad, "category": 3 if revision else 8})
    return len(QUADS)


def labels(client: TestClient, revision: int) -> tuple[NDArray[np.int64], NDArray[np.uint8], dict[str, Any]]:
    answer = client.get("/api/images/0/labels", params={"revision": revision, "heat": 1})
    assert answer.status_code == 200, answer.text
    count = HEIGHT * WIDTH
    map_, uncertainty, about = (
        answer.content[slice(*ends)] for ends in ((0, 2 * count), (2 * count, 3 * count), (3 * count, None))
    )
    return (
        np.frombuffer(map_, "<u2").reshape(HEIGHT, WIDTH).astype(np.int64) - 1,
        np.frombuffer(uncertainty, np.uint8).reshape(HEIGHT, WIDTH),
        json.loads(about),
    )


def test_an_answer_about_ten_thousand_regions_has_short_headers(
    client: TestClient, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_all(client)
    opened, found = workspace.labels("a.png", 3)
    count = 10_000
    regions = [opened.history.work.regions[0]._replace(id=number + 1) for number in range(count)]
    work = opened.history.work._replace(regions=regions)
    many = found._replace(expected_iou=np.linspace(0, 1, count), classes=np.zeros(count, np.int64))
    history = SimpleNamespace(work=work)
    monkeypatch.setattr(workspace, "labels", lambda *_: (SimpleNamespace(history=history), many))
    answer = client.get("/api/images/0/labels", params={"revision": 3})
    assert sum(len(key) + len(value) for key, value in answer.headers.items()) < 1000
    assert labels(client, 3)[2]["regions"] == list(range(1, count + 1))


def test_labels_come_without_uncertainty_and_compressed_if_asked_for_so(client: TestClient) -> None:
    revision = add_all(client)
    expected, _, about = labels(client, revision)
    answers = {
        encoding: client.get("/api/images/0/labels?revision=3", headers={"Accept-Encoding": encoding})
        for encoding in ("identity", "gzip")
    }
    assert [answer.headers.get("Content-Encoding") for answer in answers.values()] == [None, "gzip"]
    assert answers["gzip"].content == answers["identity"].content  # as decoded by the client
    assert int(answers["gzip"].headers["Content-Length"]) < 0.5 * len(answers["identity"].content)
    map_, described = answers["gzip"].content[: 2 * expected.size], answers["gzip"].content[2 * expected.size :]
    np.testing.assert_array_equal(np.frombuffer(map_, "<u2").reshape(expected.shape).astype(np.int64) - 1, expected)
    assert json.loads(described) == about


def test_an_image_from_first_click_to_export(client: TestClient, workspace: Workspace, tmp_path: Path) -> None:
    revision = add_all(client)
    before, uncertainty, about = labels(client, revision)
    opened = workspace.open("a.png")
    expected = workspace._labeller.seen(opened).predictor.predict(opened.work.annotations())
    np.testing.assert_array_equal(before, expected)
    assert about["regions"] == [1, 2, 3]
    assert sorted(about["least_sure"]) == [1, 2, 3]
    assert about["expected_iou"][about["least_sure"][0] - 1] == min(about["expected_iou"])
    assert uncertainty[before == -1].max(initial=0) == 0 < uncertainty.max()

    y, x = np.argwhere(before == 0)[0]
    stroke = {"kind": "scribbles", "strokes": [{"region": 2, "points": [[int(x), int(y)]]}]}
    act(client, revision, stroke)
    assert labels(client, revision + 1)[0][y, x] == 1

    locked = labels(client, revision + 1)[0] == 1
    act(client, revision + 1, {"kind": "lock", "region": 2})
    void = np.count_nonzero(labels(client, revision + 2)[0] == -1)
    state = act(client, revision + 2, {"kind": "fill", "filled": True})
    assert [region["locked"] for region in state["regions"]] == [False, True, False]
    after, _, about = labels(client, revision + 3)
    np.testing.assert_array_equal(after == 1, locked)
    assert (after >= 0).all()
    assert about["unassigned"] == void > 0
    assert 2 not in about["least_sure"]

    answer = client.post("/api/images/0/export", json={"revision": revision + 3}).json()
    assert answer["segments"] == 3
    assert answer["unreadable"] == []
    assert answer["unassigned"] == 0
    content = json.loads((tmp_path / "out/export/panoptic.json").read_text())
    assert [segment["category_id"] for segment in content["annotations"][0]["segments_info"]] == [8, 3, 3]


def test_two_tabs_do_not_overwrite_each_other_silently(client: TestClient) -> None:
    act(client, 0, POINTS)
    answer = client.post("/api/images/0/actions", json={"revision": 0, "action": {"kind": "fill", "filled": True}})
    assert answer.status_code == 409
    assert answer.json()["error"] == "a.png is at revision 1, the action was done on 0"
    assert client.get("/api/images/0").json()["filled"] is False


def test_a_server_that_starts_again_has_all_the_work(
    client: TestClient, workspace: Workspace, tiny_checkpoint: Path
) -> None:
    revision = add_all(client)
    act(client, revision, {"kind": "undo"})
    state = client.get("/api/images/0").json()
    again = Workspace(
        workspace.folder, workspace.out, cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES
    )
    assert again.open("a.png").history == workspace.open("a.png").history
    assert again.progress() == [("a.png", 2, False), ("b.png", 0, False), ("broken.jpg", 0, False)]
    assert state["can_redo"] is True
    again.journal.close()


def test_labels_of_an_old_state_are_not_computed(client: TestClient) -> None:
    add_all(client)
    answer = client.get("/api/images/0/labels", params={"revision": 2})
    assert answer.status_code == 410
    assert "at revision 3, labels were asked for 2" in answer.json()["error"]


def test_time_is_kept_by_kind_of_action(client: TestClient, tmp_path: Path) -> None:
    add_all(client)
    act(client, 3, {"kind": "delete", "region": 3})
    assert client.get("/api/times").json() == [
        {"image": "a.png", "kind": "add", "count": 3, "seconds": 6.0},
        {"image": "a.png", "kind": "delete", "count": 1, "seconds": 2.0},
    ]
    client.post("/api/images/0/export", json={"revision": 4})
    times = json.loads((tmp_path / "out/export/times.json").read_text())
    assert times["seconds_per_region"] == 4.0  # 8 s, 2 regions
    [image] = times["images"]
    assert (image["file_name"], image["regions"], image["seconds"], image["done"]) == ("a.png", 2, 8.0, False)
    assert image["actions"]["add"] == {"count": 3, "seconds": 6.0}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        ("GET", "/api/images/9", None, 400, "there are 3 images"),
        ("GET", "/api/images/-1", None, 400, "whole number"),
        ("GET", "/api/images/2", None, 415, "broken.jpg is not an image"),
        ("GET", "/api/images/2/pixels", None, 415, "broken.jpg is not an image"),
        ("GET", "/api/images/0/labels", None, 400, "revision=None"),
        ("POST", "/api/images/0/actions", "[]", 400, "not a JSON object"),
        ("POST", "/api/images/0/actions", "{", 400, "not JSON"),
        ("POST", "/api/images/0/actions", '{"revision": true}', 400, "revision=True"),
        ("POST", "/api/images/0/actions", '{"revision": 0, "seconds": 1e999}', 400, "seconds=inf"),
        (
            "POST",
            "/api/images/0/actions",
            '{"revision": 0, "action": {"kind": "import", "regions": []}}',
            400,
            "import",
        ),
        ("POST", "/api/images/0/actions", '{"revision": 0, "action": {"kind": "lock", "region": 1}}', 400, "no such"),
        ("POST", "/api/images/0/actions", '{"revision": 0, "seconds": 1' + 400 * "0" + ', "action": 3}', 400, "action"),
        ("POST", "/api/categories", '{"name": "\\ud800", "isthing": true}', 400, "not valid Unicode text"),
        ("POST", "/api/images/0/import", '{"revision": 0, "png": "?"}', 400, "png: "),
        ("POST", "/api/images/0/import", '{"revision": 0, "png": "aGFsbG8="}', 400, "png cannot be read"),
    ],
)
def test_what_is_malformed_is_refused_with_a_reason(
    client: TestClient, method: str, path: str, body: str | None, status: int, message: str
) -> None:
    answer = client.request(method, path, content=body)
    assert answer.status_code == status
    assert message in answer.json()["error"]


def test_a_number_that_has_become_another_file_is_refused(client: TestClient, workspace: Workspace) -> None:
    key = client.get("/api/workspace").json()[0]["key"]
    assert client.get(f"/api/images/0?key={key}").status_code == 200
    other = client.get(f"/api/images/1?key={key}")
    assert (other.status_code, "reload the page" in other.json()["error"]) == (409, True)
    path = workspace.folder / "a.png"
    path.write_bytes(path.read_bytes() + b" ")  # the same name, another file
    content = {"revision": 0, "action": POINTS}
    assert client.post(f"/api/images/0/actions?key={key}", json=content).status_code == 409
    assert workspace.journal.revision("a.png") == 0


@pytest.mark.parametrize("path", ["/static/../server.py", "/static/%2e%2e/server.py", "/static/..%2fserver.py"])
def test_paths_cannot_leave_their_folder(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_an_unknown_category_is_refused(client: TestClient) -> None:
    answer = client.post("/api/images/0/actions", json={"revision": 0, "action": {**POINTS, "category": 4}})
    assert (answer.status_code, answer.json()["error"]) == (400, "category 4: there is no such category")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["kind", "region", "points", "strokes", "order", "mask", "name"]), inner)
    ),
    max_leaves=12,
)
kinds = st.sampled_from(
    ["add", "move", "scribbles", "delete", "merge", "describe", "reorder", "lock", "fill", "import"]
)


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    end=st.sampled_from(["actions", "import", "export"]),
    body=st.dictionaries(st.sampled_from(["revision", "action", "seconds", "png", "json"]), json_values)
    | st.builds(
        lambda kind, fields: {"revision": 0, "action": {**(fields if isinstance(fields, dict) else {}), "kind": kind}},
        kinds,
        json_values,
    ),
)
def test_nonsense_gets_a_4xx_and_changes_nothing(client: TestClient, end: str, body: dict[str, Any]) -> None:
    before = client.get("/api/images/1").json()
    answer = client.post(f"/api/images/1/{end}", content=json.dumps(body))
    if answer.status_code == 200:  # a few of these requests are valid
        assert end == "export" or body["action"]["kind"] in ("fill", "finish", "reorder")
        return
    assert 400 <= answer.status_code < 500, answer.text
    assert answer.json()["error"]
    assert client.get("/api/images/1").json() == before


def test_islands_and_holes_are_counted_for_the_newest_revision_only(client: TestClient, workspace: Workspace) -> None:
    revision = add_all(client)
    query = {"revision": revision, "below": 50}
    count = client.get("/api/images/0/loose", params=query).json()["count"]
    assert count == count_loose(workspace, "a.png", revision, 50) > 0
    assert client.get("/api/images/0/loose", params={**query, "revision": 1}).json() == {"count": None}
    assert client.get("/api/images/0/loose", params={"revision": revision}).status_code == 400
    act(client, revision, {"kind": "clean", "below": 50})
    assert client.get("/api/images/0/loose", params={**query, "revision": revision + 1}).json() == {"count": 0}
