"""The journal: no acknowledged action is lost, and no tab or server overwrites another."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings

from fullseg.annotator.actions import ActionError, read_action
from fullseg.annotator.store import ConflictError, Journal, JournalError
from fullseg.annotator.work import History, Work
from fullseg.types import Category
from tests.annotator.actions_of import SEQUENCES, SIZE

FILL = read_action({"kind": "fill", "filled": True})


@settings(max_examples=30)
@given(SEQUENCES)
def test_the_journal_read_again_is_the_same_work(contents: list[dict[str, object]]) -> None:
    live = History((Work(SIZE),))
    with TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "journal.sqlite")
        journal.open_image("a.png", SIZE)
        revision = 0
        for content in contents:
            action = read_action(content)
            try:
                live = live.after(action)
            except ActionError:
                continue
            revision = journal.append("a.png", revision, action, 1.5)
        journal.close()
        journal = Journal(Path(folder) / "journal.sqlite")
        entries = journal.open_image("a.png", SIZE)
        journal.close()
    again = History((Work(SIZE),))
    for entry in entries:
        again = again.after(entry.action)
    assert again == live
    assert all(entry.seconds == 1.5 for entry in entries)


def test_an_action_on_an_old_revision_is_a_conflict_and_leaves_the_journal_alone(tmp_path: Path) -> None:
    first, second = Journal(tmp_path / "j"), Journal(tmp_path / "j")  # two servers on one folder
    for journal in (first, second):
        assert journal.open_image("a.png", SIZE) == []
    assert first.append("a.png", 0, FILL, 0) == 1
    for old in (0, 7, -1):
        with pytest.raises(ConflictError, match=f"a.png is at revision 1, the action was done on {old}: reload it"):
            second.append("a.png", old, FILL, 0)
    assert second.append("a.png", 1, FILL, 0) == 2
    assert (first.revision("a.png"), first.revision("b.png")) == (2, 0)


def test_of_many_threads_on_one_revision_exactly_one_wins(tmp_path: Path) -> None:
    journals = [Journal(tmp_path / "j") for _ in range(2)]
    journals[0].open_image("a.png", SIZE)

    def one(number: int) -> bool:
        try:
            journals[number % 2].append("a.png", 0, FILL, 0)
        except ConflictError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(one, range(16))) == 1
    assert len(journals[0].open_image("a.png", SIZE)) == 1


WRITER = """
import sys
from pathlib import Path
from fullseg.annotator.actions import read_action
from fullseg.annotator.store import Journal
journal = Journal(Path(sys.argv[1]))
journal.open_image("a.png", (30, 40))
revision = 0
while True:
    revision = journal.append("a.png", revision, read_action({"kind": "fill", "filled": True}), 0)
    print(revision, flush=True)
"""


def test_kill_9_loses_nothing_acknowledged(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "j")], stdout=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        lines = [writer.stdout.readline() for _ in range(20)]
        os.kill(writer.pid, signal.SIGKILL)
        lines += writer.stdout.readlines()  # acknowledged before it died
    acknowledged = [int(line) for line in lines if line.endswith(b"\n")][-1]
    kept = len(Journal(tmp_path / "j").open_image("a.png", SIZE))
    assert 20 <= acknowledged <= kept <= acknowledged + 1  # one more may have been written, but not acknowledged


def test_an_image_of_another_size_is_refused(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j")
    journal.open_image("a.png", SIZE)
    with pytest.raises(JournalError, match="was annotated at 40 x 30 pixels but has 8 x 9 now"):
        journal.open_image("a.png", (9, 8))


def test_a_file_that_is_no_journal_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("not a database, " * 100)
    with pytest.raises(JournalError, match="text cannot be the annotator's journal: file is not a database; move it"):
        Journal(tmp_path / "text")
    assert (tmp_path / "text").read_text().startswith("not a database")
    with sqlite3.connect(tmp_path / "newer") as connection:
        connection.execute("CREATE TABLE image (name)")
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="newer has format 99, this fullseg writes 1"):
        Journal(tmp_path / "newer")


def test_a_full_disk_is_named_and_what_was_acknowledged_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    journal.open_image("a.png", SIZE)
    journal.append("a.png", 0, FILL, 1.0)
    [(pages,)] = journal._connection.execute("PRAGMA page_count")
    journal._connection.execute(f"PRAGMA max_page_count = {pages}")
    long = {"region": 1, "points": [[0.123456789, 1.5]] * 5000}
    with pytest.raises(
        JournalError, match=r"journal.sqlite cannot be written: .*full; the action was not done: make room"
    ):
        journal.append("a.png", 1, read_action({"kind": "scribbles", "strokes": [long]}), 1.0)
    with pytest.raises(JournalError, match=r"journal.sqlite cannot be written: .*full"):
        journal.add_category(Category(1, "long" * 5000, isthing=True))
    journal._connection.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert journal.revision("a.png") == 1
    assert journal.append("a.png", 1, FILL, 1.0) == 2
    journal.close()


@pytest.mark.parametrize("fate", ["moved", "deleted", "replaced"])
def test_nothing_is_acknowledged_that_would_go_into_a_lost_file(fate: str, tmp_path: Path) -> None:
    path = tmp_path / "out" / "journal.sqlite"
    journal = Journal(path)
    journal.open_image("a.png", SIZE)
    journal.append("a.png", 0, FILL, 1.0)
    if fate == "deleted":
        shutil.rmtree(path.parent)
    else:
        path.parent.rename(tmp_path / "elsewhere")
    if fate == "replaced":
        Journal(path).close()
    with pytest.raises(JournalError, match=r"out/journal.sqlite was moved, deleted or replaced .*put it back"):
        journal.append("a.png", 1, FILL, 1.0)
    with pytest.raises(JournalError, match="nothing was written"):
        journal.add_category(Category(1, "cat", isthing=True))
    if fate != "deleted":
        shutil.rmtree(path.parent, ignore_errors=True)
        (tmp_path / "elsewhere").rename(path.parent)
        assert journal.append("a.png", 1, FILL, 1.0) == 2
        assert journal.categories() == []
    journal.close()
