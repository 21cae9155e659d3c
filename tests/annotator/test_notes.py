"""Notes about images: in the journal, in the list of images, and in the export."""

import json
import sqlite3
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from fullseg.annotator.notes import Note, changed
from fullseg.annotator.store import Journal
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import QUADS


def test_a_note_is_kept_and_changes_field_by_field(client: TestClient, workspace: Workspace) -> None:
    assert client.post("/api/images/1/note", json={"flagged": True}).json() == Note(flagged=True)._asdict()
    client.post("/api/images/1/note", json={"comment": "two cats?"})
    expected = Note(flagged=True, comment="two cats?")
    again = Journal(workspace.journal.path)
    assert again.notes() == {"b.png": expected}
    again.close()
    first, second, _ = client.get("/api/workspace").json()
    assert {key: second[key] for key in expected._fields} == expected._asdict()
    assert first["flagged"] is False
    assert client.post("/api/images/2/note", json={"skipped": True}).status_code == 200  # it cannot be opened
    assert workspace.progress() == [("a.png", 0, False), ("b.png", 0, False), ("broken.jpg", 0, False)]
    client.post("/api/images/1/note", json={"flagged": False, "comment": ""})
    assert workspace.journal.notes()["b.png"] == Note()


@pytest.mark.parametrize("content", [{"flagged": 1}, {"colour": "red"}, {"comment": "a" * 2001}, {"comment": "\ud800"}])
def test_a_wrong_note_is_refused_and_not_written(
    client: TestClient, workspace: Workspace, content: dict[str, object]
) -> None:
    answer = client.post("/api/images/0/note", content=json.dumps(content))
    assert answer.status_code == 400
    assert answer.json()["error"].startswith("note: ")
    assert workspace.journal.notes() == {}


def test_a_journal_of_before_there_were_notes_is_read(tmp_path: Path) -> None:
    Journal(tmp_path / "j").close()
    with sqlite3.connect(tmp_path / "j") as connection:
        connection.execute("DROP TABLE note")
    journal = Journal(tmp_path / "j")
    assert journal.notes() == {}
    journal.add_note("a.png", Note(skipped=True))
    assert journal.notes()["a.png"] == Note(skipped=True)
    journal.close()


def test_notes_are_in_the_export_also_if_they_come_later(client: TestClient, workspace: Workspace) -> None:
    times = workspace.out / "export/times.json"
    client.post("/api/images/0/note", json={"comment": "first"})
    assert not times.exists()  # nothing was exported yet
    action = {"kind": "add", "points": QUADS[0]}
    client.post("/api/images/0/actions", json={"revision": 0, "action": action, "seconds": 2})
    client.post("/api/images/0/export", json={"revision": 1})
    client.post("/api/images/1/note", json={"skipped": True})
    one, other = json.loads(times.read_text())["images"]
    assert (one["file_name"], one["comment"], one["skipped"], one["seconds"]) == ("a.png", "first", False, 2)
    assert (other["file_name"], other["skipped"], other["regions"], other["seconds"]) == ("b.png", True, 0, 0)


def test_the_list_has_the_seconds_of_each_image(client: TestClient) -> None:
    for revision, seconds in enumerate((1.5, 2.5)):
        content = {"revision": revision, "action": {"kind": "add", "points": QUADS[revision]}, "seconds": seconds}
        client.post("/api/images/0/actions", json=content)
    assert [image["seconds"] for image in client.get("/api/workspace").json()] == [4, 0, 0]


def test_a_note_keeps_what_the_change_does_not_name() -> None:
    note = Note(skipped=True, comment="dark")
    assert changed(note, {"flagged": True}) == Note(skipped=True, flagged=True, comment="dark")
