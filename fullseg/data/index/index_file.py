"""An index of a split's samples on disk: built once, then memory-mapped.

Opening it takes no longer for 100,000 samples than for ten, and all processes that read it share its pages: no Python
object is kept for a sample.
"""

import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from fullseg.errors import DataError
from fullseg.formats.locks import locked
from fullseg.types import Category

VERSION = "1"  # of what is in the file: another one is built anew
CLOCK_TICK = 20_000_000  # ns: two changes of a file in a shorter time may leave it with one and the same time
COLUMNS = {  # of every index, a row a sample; a data set adds its own
    "file_name": pa.string(),  # of the image
    "number": pa.int32(),  # of its annotator or layer, where it has several; null: none
    "median": pa.bool_(),  # whether the partition has the median number of regions, of its image's
    "name_hash": pa.uint64(),
    "num_regions": pa.int32(),
    "problem": pa.string(),  # all that is wrong with the sample; empty: nothing
    "hash": pa.binary(16),  # of what tells it from others
}


class Sources(NamedTuple):
    """The files that an index is made of."""

    json: Path
    folders: tuple[Path, ...]  # whose files the json names

    def place(self) -> str:
        """Return the part of the index's file name that stays, whatever becomes of the data."""
        where = f"{self.json}\n{self.json.resolve()}"
        return f"{self.json.parent.name}-{self.json.stem}-{hashlib.sha256(where.encode()).hexdigest()[:8]}"

    def state(self) -> str:
        """Return 16 hex digits that change with the json, with the names in the folders, and with ``VERSION``."""
        stats = [path.stat() for path in (self.json, *self.folders)]
        if 0 <= time.time_ns() - max(stat.st_mtime_ns for stat in stats) < CLOCK_TICK:
            time.sleep(CLOCK_TICK / 1e9)  # so that the next change shows
            return self.state()
        times = [VERSION, stats[0].st_size, *(stat.st_mtime_ns for stat in stats)]
        return hashlib.sha256(json.dumps(times).encode()).hexdigest()[:16]


class Index:
    """The rows of an index, memory-mapped.

    Args:
        path: of the file.

    Raises:
        OSError, ValueError, KeyError: if it is not an index, or of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        self._batch.validate(full=True)  # no offset points out of the file
        metadata = self._batch.schema.metadata or {}
        if metadata.get(b"version") != VERSION.encode():
            raise ValueError(f"{path} is not an index of version {VERSION}")
        self.categories = tuple(Category(*entry) for entry in json.loads(metadata[b"categories"]))

    def __reduce__(self) -> tuple[type["Index"], tuple[Path]]:
        """A process that is not forked opens the file again."""
        return Index, (self._path,)

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """Return one value a row, in the file's memory where they are numbers; null is -1."""
        values = self._batch.column(name)
        if values.null_count:
            values = values.fill_null(-1)
        if pa.types.is_fixed_size_binary(values.type):  # (S, width) uint8
            return np.frombuffer(values.buffers()[1], np.uint8).reshape(-1, values.type.byte_width)[: len(self)]
        return np.asarray(values.to_numpy(zero_copy_only=pa.types.is_integer(values.type)))

    def lengths(self, name: str) -> NDArray[np.int32]:
        """Return how many bytes the text of every row has."""
        return np.asarray(pc.binary_length(self._batch.column(name)))

    def text(self, name: str, row: int) -> str:
        """Return a text of one row."""
        return str(self._batch.column(name)[row].as_py())

    def numbers(self, name: str, row: int) -> NDArray[np.int64]:
        """Return the list of numbers in one row."""
        return np.array(self._batch.column(name)[row].values.to_numpy(), np.int64)

    def value(self, name: str, row: int) -> Any:  # noqa: ANN401  of the column's type
        """Return what is in one row as Python's own objects."""
        return self._batch.column(name)[row].as_py()


def make_batch(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, pa.DataType], categories: Iterable[Category], source: Path
) -> pa.RecordBatch:
    """Put the rows of an index together.

    Args:
        rows: a sample each, with all of ``COLUMNS`` and ``columns``.
        columns: the data set's own.
        categories: of the data set.
        source: json that the rows come from.

    Raises:
        DataError: if a value is not of its column's type.
    """
    texts = {"version": VERSION, "categories": json.dumps(list(categories))}
    schema = pa.schema(list({**COLUMNS, **columns}.items()), metadata=texts)
    try:
        return pa.RecordBatch.from_pylist(list(rows), schema=schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{source}: a value is of the wrong type ({error}); write it as COCO json") from error


def open_index(cache: Path, sources: Sources, build: Callable[[], pa.RecordBatch]) -> Index:
    """Open the index of a split, which one process builds where there is none that fits while others wait.

    Args:
        cache: ``data.cache``: the file is kept in ``index/`` in it. Those of the split's earlier states are removed.
        sources: what the index is made of: built again when it changes (a file that is written again in place does not
            show; it is checked as it is read).
        build: returns its rows.

    Raises:
        DataError: if the index can't be kept in ``cache``, or from ``build``.
    """
    place, folder = sources.place(), cache / "index"
    path = folder / f"{place}-{sources.state()}.arrow"
    index = _open(path)
    if index is not None:
        return index
    partial = path.with_suffix(".partial")
    with ExitStack() as stack:
        with _naming_the_option(folder, sources.json):
            folder.mkdir(parents=True, exist_ok=True)
            busy = f"{sources.json}: another process reads it and writes its index to {folder}"
            stack.enter_context(locked(folder / f".{place}.lock", busy))
            index = _open(path)
            if index is not None:  # another process was faster
                return index
            stack.callback(partial.unlink, missing_ok=True)
            partial.touch()  # it fails before the work, not after
        batch = build()
        with _naming_the_option(folder, sources.json):
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
            for old in folder.iterdir():
                if old.name.startswith(f"{place}-") and old != partial:
                    old.unlink()
            partial.replace(path)
            return Index(path)


def _open(path: Path) -> Index | None:
    try:
        return Index(path)
    except (OSError, ValueError, KeyError, pa.ArrowException):  # not there, damaged, or somebody else's
        return None


@contextmanager
def _naming_the_option(folder: Path, source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "set data.cache to a folder that can be written to"
        raise DataError(f"{folder}: the index of {source} can't be kept there ({error}); {remedy}") from error
