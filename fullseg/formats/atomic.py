"""Files that are written whole or not at all: a reader finds the old file or the new one, never a part of it."""

import errno
import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from fullseg.errors import DataError

PARTIAL = ".partial-"  # how the names of files that are being written begin


@contextmanager
def replacing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Give another path to write to, in the same folder, and move what is written there to ``path`` at the end.

    After an error ``path`` is as it was, and nothing else is left. Several processes or threads may replace the same
    file at once: the last one wins.

    Args:
        path: of the file (or link) to replace or to make; its folder must be there.
        durable: bring the content to the disk before the move, so that it survives a power cut.

    Yields:
        A path with the suffix of ``path``, by which some libraries choose the format.

    Raises:
        DataError: if nothing can be written there: the folder is missing or may not be written to.
        OSError: if the disk is full.
    """
    partial = path.with_name(f"{PARTIAL}{secrets.token_hex(8)}{path.suffix}")
    try:
        yield partial
        if durable:
            with partial.open("rb+") as file:
                os.fsync(file.fileno())
        partial.replace(path)
    except BaseException as error:
        with suppress(OSError):  # in a place that is read-only even this fails
            partial.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno != errno.ENOSPC and error.filename in (partial, str(partial)):
            raise DataError(
                f"{path} cannot be written: {error.strerror}; name another place, or mend that one"
            ) from error
        raise


def remove_partial(folder: Path) -> None:
    """Remove what killed processes were writing in a folder; no other process may be writing there."""
    for partial in folder.glob(f"{PARTIAL}*"):
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file, whole or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: object, *, indent: int | None = 1) -> None:
    """Write a JSON file, whole or not at all.

    Args:
        path: of the file.
        content: plain values.
        indent: spaces per level, for people to read; None: one line.
    """
    write_text(path, json.dumps(content, indent=indent))
