"""The journal: each action is on disk before it is acknowledged, so that a killed server loses nothing."""

import json
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from os.path import samestat
from pathlib import Path
from typing import NamedTuple

from fullseg.annotator.actions import Action, read_action
from fullseg.annotator.notes import Note
from fullseg.errors import DataError
from fullseg.types import Category

JOURNAL = "journal.sqlite"  # in the annotator's output
KIND = "json_extract(content, '$.kind')"  # of an action, in SQL
FORMAT = 1  # version of the journal's format, kept as SQLite's user_version
TABLES = """
CREATE TABLE image (name TEXT PRIMARY KEY, height INTEGER NOT NULL, width INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE action (
    image TEXT NOT NULL REFERENCES image (name),
    revision INTEGER NOT NULL,  -- number of this action among those on the image, from 1
    content TEXT NOT NULL,      -- the action as JSON
    seconds REAL NOT NULL,      -- time that the person took
    at REAL NOT NULL,           -- Unix time when it was written
    PRIMARY KEY (image, revision)
) WITHOUT ROWID;
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT NOT NULL, isthing INTEGER NOT NULL);
"""

# Later versions' tables: which category took the place of which (NULL: none); notes, of which the newest counts.
LATER = (
    "CREATE TABLE IF NOT EXISTS replaced_category (old INTEGER PRIMARY KEY, new INTEGER)",
    "CREATE TABLE IF NOT EXISTS note (number INTEGER PRIMARY KEY, image TEXT NOT NULL, skipped INTEGER NOT NULL, "
    "flagged INTEGER NOT NULL, comment TEXT NOT NULL, at REAL NOT NULL)",
)


class ConflictError(ValueError):
    """The image has changed meanwhile, for example in another tab."""


class JournalError(DataError):
    """The journal cannot be read or written."""


class Entry(NamedTuple):
    """One action in the journal."""

    action: Action
    seconds: float  # time that the person took
    at: float  # Unix time when it was written


class Journal:
    """The actions on all images of a folder, in one SQLite file. Threads and processes may share it (WAL mode).

    Args:
        path: the journal's file. If it does not exist, it and its folder are made.

    Raises:
        JournalError: if the file is not a journal of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a commit survives a power cut, not only a kill
            self._make_tables()
        except sqlite3.DatabaseError as error:
            remedy = "move it away, or make it writable"
            raise JournalError(f"{path} cannot be the annotator's journal: {error}; {remedy}") from error
        self._file = path.stat()

    def _make_tables(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")  # so that two servers that start at once make the tables once
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        empty = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if version == 0 and empty:
            for statement in TABLES.split(";\n")[:-1]:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        if version == FORMAT or empty:
            for statement in LATER:
                self._connection.execute(statement)
        self._connection.execute("COMMIT")
        if version != FORMAT and not empty:
            self._connection.close()
            raise JournalError(f"{self.path} has format {version}, this fullseg writes {FORMAT}: move it away")

    def check_place(self) -> None:
        """Raise JournalError if the file was moved or deleted. SQLite would go on writing to it, wherever it is."""
        try:
            here = samestat(self.path.stat(), self._file)
        except OSError:
            here = False
        if not here:
            raise JournalError(
                f"{self.path} was moved, deleted or replaced while the server was running, so nothing was written: put "
                "it back, or start the server again"
            )

    def open_image(self, name: str, size: tuple[int, int]) -> list[Entry]:
        """Return the actions on one image, oldest first.

        Args:
            name: the image's name, relative to the folder of images.
            size: (H, W) in pixels of the image as the network sees it. The points of the actions refer to this size.

        Raises:
            JournalError: if the image had another size when it was annotated before.
        """
        with self._lock:
            self._connection.execute("INSERT OR IGNORE INTO image VALUES (?, ?, ?)", (name, *size))
            found = self._connection.execute("SELECT height, width FROM image WHERE name = ?", (name,)).fetchone()
            rows = self._connection.execute(
                "SELECT content, seconds, at FROM action WHERE image = ? ORDER BY revision", (name,)
            ).fetchall()
        if found != size:
            was, now = (f"{width} x {height}" for height, width in (found, size))
            raise JournalError(f"{name} was annotated at {was} pixels but has {now} now: put the old image back")
        return [Entry(read_action(json.loads(content)), seconds, at) for content, seconds, at in rows]

    def append(self, name: str, revision: int, action: Action, seconds: float) -> int:
        """Write one action. When this returns, it is on disk.

        Args:
            name: name of an image that was opened.
            revision: the revision that the person saw; 0 for an untouched image.
            action: what the person did.
            seconds: time that the person took for it.

        Returns:
            The revision after the action.

        Raises:
            ConflictError: if the image has a newer revision.
            JournalError: if the action cannot be written, for example because the disk is full or the file was moved.
        """
        row = (name, revision + 1, action.model_dump_json(), seconds, time.time())
        with self._writing(), self._connection:
            self._connection.execute("BEGIN IMMEDIATE")
            newest = self._newest(name)
            if newest != revision:
                raise ConflictError(f"{name} is at revision {newest}, the action was done on {revision}: reload it")
            self._connection.execute("INSERT INTO action VALUES (?, ?, ?, ?, ?)", row)
        return revision + 1

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Let nobody else write meanwhile. If the journal cannot be written, raise JournalError with the reason."""
        self.check_place()
        try:
            with self._lock:
                yield
        except sqlite3.OperationalError as error:
            remedy = "make room on the disk, or make it writable"
            raise JournalError(f"{self.path} cannot be written: {error}; the action was not done: {remedy}") from error

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the size (H, W) of each image that was opened at least once, by name."""
        with self._lock:
            rows = self._connection.execute("SELECT name, height, width FROM image").fetchall()
        return {name: (height, width) for name, height, width in rows}

    def seconds(self) -> list[tuple[str, str, int, float]]:
        """Return one row per image and kind of action: image, kind, number of actions, sum of their seconds."""
        query = (
            f"SELECT image, {KIND} AS kind, count(*), sum(seconds) FROM action "
            "GROUP BY image, kind ORDER BY image, kind"
        )
        with self._lock:
            return self._connection.execute(query).fetchall()

    def efforts(self) -> list[tuple[str, int, float, float]]:
        """Return of each image, in the order of their ends: name, strokes, seconds, Unix time of the first action."""
        strokes = f"CASE {KIND} WHEN 'scribbles' THEN json_array_length(content, '$.strokes') END"
        sums = f"coalesce(sum({strokes}), 0), sum(seconds), min(at)"
        query = f"SELECT image, {sums} FROM action GROUP BY image ORDER BY max(at)"
        with self._lock:
            return self._connection.execute(query).fetchall()

    def categories(self) -> list[Category]:
        """Return all categories that were ever typed in, oldest first."""
        with self._lock:
            rows = self._connection.execute("SELECT id, name, isthing FROM category ORDER BY id").fetchall()
        return [Category(number, name, bool(isthing)) for number, name, isthing in rows]

    def add_category(self, category: Category) -> None:
        """Write a category.

        Raises:
            ConflictError: if its id is taken.
            JournalError: if it cannot be written.
        """
        try:
            with self._writing():
                self._connection.execute("INSERT INTO category VALUES (?, ?, ?)", category)
        except sqlite3.IntegrityError as error:
            raise ConflictError(f"category {category.id}: another one was added meanwhile: try again") from error

    def rename_category(self, number: int, name: str) -> None:
        """Give a typed-in category another name; raise JournalError if that cannot be written."""
        with self._writing():
            self._connection.execute("UPDATE category SET name = ? WHERE id = ?", (name, number))

    def replace_category(self, old: int, new: int | None) -> None:
        """Let another category, or none, take a category's place in all actions; raise JournalError as above."""
        with self._writing():
            self._connection.execute("INSERT OR REPLACE INTO replaced_category VALUES (?, ?)", (old, new))

    def replaced_categories(self) -> dict[int, int | None]:
        """Return which category took the place of which; None: no category did."""
        with self._lock:
            return dict(self._connection.execute("SELECT old, new FROM replaced_category").fetchall())

    def add_note(self, name: str, note: Note) -> None:
        """Write a note about an image; raise JournalError as above."""
        with self._writing():
            self._connection.execute("INSERT INTO note VALUES (NULL, ?, ?, ?, ?, ?)", (name, *note, time.time()))

    def notes(self) -> defaultdict[str, Note]:
        """Return the newest note about each image, by name."""
        query = "SELECT image, skipped, flagged, comment FROM note ORDER BY number"
        with self._lock:
            rows = self._connection.execute(query).fetchall()
        return defaultdict(Note, {row[0]: Note(bool(row[1]), bool(row[2]), row[3]) for row in rows})

    def revision(self, name: str) -> int:
        """Return the number of actions on one image."""
        with self._lock:
            return self._newest(name)

    def _newest(self, name: str) -> int:
        query = "SELECT coalesce(max(revision), 0) FROM action WHERE image = ?"
        (newest,) = self._connection.execute(query, (name,)).fetchone()
        return int(newest)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._connection.close()
