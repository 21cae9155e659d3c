"""The journal: every action on disk before it is answered, so that a killed server loses nothing acknowledged."""

import json
import sqlite3
import threading
import time
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.annotator.actions import Action, read_action

FORMAT = 1  # of the journal file; kept in it as SQLite's user_version
TABLES = """
CREATE TABLE image (name TEXT PRIMARY KEY, height INTEGER NOT NULL, width INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE action (
    image TEXT NOT NULL REFERENCES image (name),
    revision INTEGER NOT NULL,  -- of the image's work after this action, from 1
    content TEXT NOT NULL,      -- JSON
    seconds REAL NOT NULL,      -- that the person took for it
    at REAL NOT NULL,           -- Unix time
    PRIMARY KEY (image, revision)
) WITHOUT ROWID;
CREATE TABLE category (id INTEGER PRIMARY KEY, name TEXT NOT NULL, isthing INTEGER NOT NULL);
"""


class ConflictError(ValueError):
    """Somebody else, another tab perhaps, has gone on with this image meanwhile."""


class JournalError(ValueError):
    """The journal cannot be used as it is."""


class Entry(NamedTuple):
    """One action as the journal keeps it."""

    action: Action
    seconds: float  # that the person took
    at: float  # Unix time when it was written


class Journal:
    """The actions on all images of a folder, in one SQLite file in WAL mode; threads and processes may share it.

    Args:
        path: the file; made, with its folder, if it does not exist.

    Raises:
        JournalError: if the file is no journal of this version.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")  # a commit outlives a power cut, not only kill -9
            self._make_tables()
        except sqlite3.DatabaseError as error:
            remedy = "move it away, or make it writable"
            raise JournalError(f"{path} cannot be the annotator's journal: {error}; {remedy}") from error

    def _make_tables(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE")  # two servers that start at once make them once
        (version,) = self._connection.execute("PRAGMA user_version").fetchone()
        empty = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,)
        if version == 0 and empty:
            for statement in TABLES.split(";\n")[:-1]:
                self._connection.execute(statement)
            self._connection.execute(f"PRAGMA user_version = {FORMAT}")
        self._connection.execute("COMMIT")
        if version != FORMAT and not empty:
            self._connection.close()
            raise JournalError(f"{self.path} has format {version}, this fullseg writes {FORMAT}: move it away")

    def open_image(self, name: str, size: tuple[int, int]) -> list[Entry]:
        """Return the actions on one image, oldest first.

        Args:
            name: of the image below its folder.
            size: (H, W) in pixels; points in the journal are of this size.

        Raises:
            JournalError: if the image had another size when it was annotated.
        """
        with self._lock:
            self._connection.execute("INSERT OR IGNORE INTO image VALUES (?, ?, ?)", (name, *size))
            found = self._connection.execute("SELECT height, width FROM image WHERE name = ?", (name,)).fetchone()
            rows = self._connection.execute(
                "SELECT content, seconds, at FROM action WHERE image = ? ORDER BY revision", (name,)
            ).fetchall()
        if found != size:
            was, now = (f"{width} x {height}" for height, width in (found, size))
            raise JournalError(f"{name} was annotated at {was} pixels and is {now} now: put the old image back")
        return [Entry(read_action(json.loads(content)), seconds, at) for content, seconds, at in rows]

    def append(self, name: str, revision: int, action: Action, seconds: float) -> int:
        """Write one action, for good: when this returns, it is on disk.

        Args:
            name: of an image that was opened.
            revision: that the action was done on, 0 for an untouched image.
            action: what was done.
            seconds: that the person took for it.

        Returns:
            The revision after it.

        Raises:
            ConflictError: if the image's newest revision is another one.
            JournalError: if it cannot be written, on a full disk for example.
        """
        row = (name, revision + 1, action.model_dump_json(), seconds, time.time())
        try:
            with self._lock, self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                newest = self._newest(name)
                if newest != revision:
                    raise ConflictError(f"{name} is at revision {newest}, the action was done on {revision}: reload it")
                self._connection.execute("INSERT INTO action VALUES (?, ?, ?, ?, ?)", row)
        except sqlite3.OperationalError as error:
            raise JournalError(f"{self.path} cannot be written: {error}; the action is not done: make room") from error
        return revision + 1

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return the size (H, W) of every image that was ever opened."""
        with self._lock:
            rows = self._connection.execute("SELECT name, height, width FROM image").fetchall()
        return {name: (height, width) for name, height, width in rows}

    def seconds(self) -> list[tuple[str, str, int, float]]:
        """Return image, kind of action, how many of them there are and the seconds they took together."""
        query = (
            "SELECT image, json_extract(content, '$.kind') AS kind, count(*), sum(seconds) FROM action "
            "GROUP BY image, kind ORDER BY image, kind"
        )
        with self._lock:
            return self._connection.execute(query).fetchall()

    def categories(self) -> list[dict[str, Any]]:
        """Return the categories that were typed in, oldest first: id, name and isthing."""
        with self._lock:
            rows = self._connection.execute("SELECT id, name, isthing FROM category ORDER BY id").fetchall()
        return [dict(zip(("id", "name", "isthing"), row, strict=True)) for row in rows]

    def add_category(self, number: int, name: str, *, isthing: bool) -> None:
        """Keep a category; raise ConflictError if one of this id is there already."""
        try:
            with self._lock:
                self._connection.execute("INSERT INTO category VALUES (?, ?, ?)", (number, name, int(isthing)))
        except sqlite3.IntegrityError as error:
            raise ConflictError(f"category {number}: another one was added meanwhile: try again") from error

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
