"""The index of a split: one row per sample in a file that is built once and then mapped into memory.

Opening it is as fast for 100,000 samples as for ten. All processes that read it share its memory, because there is no
Python object per sample.
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

VERSION = "2"  # of the file's content: an index of another version is built again
CLOCK_TICK = 20_000_000  # ns: two changes of a file within this time may get the same time stamp
COLUMNS = {  # of every index, one row per sample; a data set adds its own columns
    "file_name": pa.string(),  # of the image
    "number": pa.int32(),  # of the annotator or layer, if the image has several; null: it has one
    "median": pa.bool_(),  # whether this partition has the median number of regions among those of its image
    "name_hash": pa.uint64(),  # of the image's file name; it decides on the part of the data set
    "image_key": pa.uint64(),  # of the image file's content; 0: unknown
    "num_regions": pa.int32(),
    "problem": pa.string(),  # everything that is wrong with the sample; empty: nothing is
    "hash": pa.binary(16),  # of the sample's content
}


class Sources(NamedTuple):
    """The files that an index is built from."""

    json: Path
    folders: tuple[Path, ...]  # of the files that the JSON names

    def prefix(self) -> str:
        """Return the first part of the index's file name. It depends on where the data lies, not on its content."""
        where = f"{self.json}\n{self.json.resolve()}"
        return f"{self.json.parent.name}-{self.json.stem}-{hashlib.sha256(where.encode()).hexdigest()[:8]}"

    def state(self) -> str:
        """Return 16 hex digits that change with the JSON, the list of files in the folders, and ``VERSION``."""
        stats = [path.stat() for path in (self.json, *self.folders)]
        if 0 <= time.time_ns() - max(stat.st_mtime_ns for stat in stats) < CLOCK_TICK:
            time.sleep(CLOCK_TICK / 1e9)  # so that the next change gets another time stamp
            return self.state()
        times = [VERSION, stats[0].st_size, *(stat.st_mtime_ns for stat in stats)]
        return hashlib.sha256(json.dumps(times).encode()).hexdigest()[:16]


class Index:
    """An index of S samples, mapped into memory.

    Args:
        path: of the file.

    Attributes:
        categories: of the data set.

    Raises:
        OSError, ValueError, KeyError: if the file is missing, is no index, or is an index of another version.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        self._batch.validate(full=True)  # in a damaged file, offsets could point out of it
        metadata = self._batch.schema.metadata or {}
        if metadata.get(b"version") != VERSION.encode():
            raise ValueError(f"{path} is not an index of version {VERSION}")
        self.categories = tuple(Category(*entry) for entry in json.loads(metadata[b"categories"]))

    def __reduce__(self) -> tuple[type["Index"], tuple[Path]]:
        """Pickle the path alone: the process that receives the index opens the file itself."""
        return Index, (self._path,)

    def __len__(self) -> int:
        return int(self._batch.num_rows)

    def column(self, name: str) -> NDArray[Any]:
        """Return a column (S,), or (S, width) uint8 for bytes. Null is -1. Integers are not copied."""
        values = self._batch.column(name)
        if values.null_count:
            values = values.fill_null(-1)
        if pa.types.is_fixed_size_binary(values.type):  # (S, width) uint8
            return np.frombuffer(values.buffers()[1], np.uint8).reshape(-1, values.type.byte_width)[: len(self)]
        return np.asarray(values.to_numpy(zero_copy_only=pa.types.is_integer(values.type)))

    def lengths(self, name: str) -> NDArray[np.int32]:
        """Return the length (S,) of every row's text in bytes."""
        return np.asarray(pc.binary_length(self._batch.column(name)))

    def text(self, name: str, row: int) -> str:
        """Return the text in one row."""
        return str(self._batch.column(name)[row].as_py())

    def numbers(self, name: str, row: int) -> NDArray[np.int64]:
        """Return the list of numbers (K,) in one row."""
        return np.array(self._batch.column(name)[row].values.to_numpy(), np.int64)

    def value(self, name: str, row: int) -> Any:  # noqa: ANN401  of the column's type
        """Return the value in one row as a plain Python object."""
        return self._batch.column(name)[row].as_py()


def make_batch(
    rows: Iterable[Mapping[str, Any]], columns: Mapping[str, pa.DataType], categories: Iterable[Category], source: Path
) -> pa.RecordBatch:
    """Return an index as it is written to a file.

    Args:
        rows: one per sample, with values for ``COLUMNS`` and ``columns``.
        columns: the data set's own columns.
        categories: of the data set.
        source: JSON that the rows come from.

    Raises:
        DataError: if a value has not the type of its column.
    """
    texts = {"version": VERSION, "categories": json.dumps(list(categories))}
    schema = pa.schema(list({**COLUMNS, **columns}.items()), metadata=texts)
    try:
        return pa.RecordBatch.from_pylist(list(rows), schema=schema)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise DataError(f"{source}: a value is of the wrong type ({error}); write it as COCO JSON") from error


def open_index(cache: Path, sources: Sources, build: Callable[[], pa.RecordBatch]) -> Index:
    """Open the index of a split. If there is none, or if the data has changed, build it first.

    Of several processes, one builds the index while the others wait. Indexes of earlier states of the split are
    removed. Overwriting an image under the same name does not change the index; images are checked when they are read.

    Args:
        cache: folder of the option ``data.cache``. The index is kept in ``index/`` in it.
        sources: the files that the index is built from.
        build: reads the sources and returns the index as it is written.

    Raises:
        DataError: if the index cannot be written to ``cache``, or from ``build``.
    """
    prefix, folder = sources.prefix(), cache / "index"
    path = folder / f"{prefix}-{sources.state()}.arrow"
    index = _open(path)
    if index is not None:
        return index
    partial = path.with_suffix(".partial")  # one name: only the holder of the lock writes it, and over what was left
    with ExitStack() as stack:
        with _naming_the_option(folder, sources.json):
            folder.mkdir(parents=True, exist_ok=True)
            busy = f"{sources.json}: another process reads it and writes its index to {folder}"
            stack.enter_context(locked(folder / f".{prefix}.lock", busy))
            index = _open(path)
            if index is not None:  # another process was faster
                return index
            stack.callback(partial.unlink, missing_ok=True)
            partial.touch()  # fail before the work if the folder cannot be written
        batch = build()
        with _naming_the_option(folder, sources.json):
            with pa.OSFile(str(partial), "wb") as sink, pa.ipc.new_file(sink, batch.schema) as writer:
                writer.write_batch(batch)
            for old in folder.iterdir():
                if old.name.startswith(f"{prefix}-") and old != partial:
                    old.unlink()
            partial.replace(path)
            return Index(path)


def _open(path: Path) -> Index | None:
    try:
        return Index(path)
    except (OSError, ValueError, KeyError, pa.ArrowException):  # missing, damaged, or of another version
        return None


@contextmanager
def _naming_the_option(folder: Path, source: Path) -> Iterator[None]:
    """Turn an error of the file system into a DataError that names the option to change."""
    try:
        yield
    except OSError as error:
        remedy = "set data.cache to a folder that can be written to"
        raise DataError(f"{folder}: the index of {source} cannot be written there ({error}); {remedy}") from error
