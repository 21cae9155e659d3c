"""Images with one partition each, selected from an index and read from disk: the same for all data sets."""

import hashlib
import json
import warnings
from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fullseg.config.parts import Parts
from fullseg.data.index.index_file import Index
from fullseg.errors import DataError
from fullseg.formats.image_file import read_image
from fullseg.types import Category

LISTED = 10  # names or ids in one message


class Partition(NamedTuple):
    """One image and one division of it into N regions."""

    name: str  # the image's file name, and '#k' for annotator or layer k if the image has several
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    region_map: NDArray[np.int64]  # (H, W), region in [0, N), VOID or BACKGROUND
    classes: NDArray[np.int64]  # (N,), position among the categories


class Selection:
    """The rows of an index that are samples, in the order of the index.

    Args:
        index: of the split.
        source: JSON that the index was built from, for messages.
        annotators: partitions of an image that are samples, if it has several: ``all``, ``median`` (the one with the
            median number of regions), or an annotator's number.
        fraction: the parts of the images that are kept (see ``RULE`` in ``parts.py``).
        max_regions: a sample with more regions is bad.
        skip_bad: leave bad samples out with a warning, instead of raising an error.

    Attributes:
        index: of the split.
        rows: (S,) int64, rows of the samples in the index.

    Raises:
        DataError: if a sample is bad and ``skip_bad`` is false, or if no sample is left.
        ValueError: if ``annotators`` or ``fraction`` is none of these.
    """

    def __init__(
        self,
        index: Index,
        source: Path,
        *,
        annotators: str,
        fraction: Parts,
        max_regions: int,
        skip_bad: bool,
    ) -> None:
        self.index = index
        chosen = np.flatnonzero(fraction.hold(index.column("name_hash")) & _of_annotators(index, annotators, source))
        bad = ((index.lengths("problem") > 0) | (index.column("num_regions") > max_regions))[chosen]
        self.rows: NDArray[np.int64] = chosen[~bad]
        self._report(chosen[bad], source, max_regions, skip_bad=skip_bad)

    def __len__(self) -> int:
        return len(self.rows)

    def name(self, row: int) -> str:
        """Return the name of the sample in a row: the image's file name, and '#k' for its annotator or layer k."""
        number = self.index.value("number", row)
        return self.index.text("file_name", row) + ("" if number is None else f"#{number}")

    def fingerprint(self) -> str:
        """Return 16 hex digits that depend on the categories and on the content of the samples, not on their place."""
        hasher = hashlib.sha256(json.dumps(self.index.categories).encode())
        hasher.update(self.index.column("hash")[self.rows].tobytes())
        return hasher.hexdigest()[:16]

    def _report(self, bad: NDArray[np.int64], source: Path, max_regions: int, *, skip_bad: bool) -> None:
        total = len(self.rows) + len(bad)
        lines = [f"\n  {self.name(row)}: {self._problem(row, max_regions)}" for row in bad[:LISTED].tolist()]
        listed = "".join(lines) + ("\n  ..." if len(bad) > LISTED else "")
        if len(bad) and not skip_bad:
            remedy = "fix or remove them, or set data.skip_bad=true to train without them"
            raise DataError(f"{source}: {len(bad)} of {total} samples are bad; {remedy}:{listed}")
        if len(bad) == total:
            reason = f"all are bad:{listed}" if len(bad) else "widen the fraction or the choice of annotators"
            raise DataError(f"{source}: no sample is left of {total}; {reason}")
        if len(bad):
            warnings.warn(f"{source}: left out {len(bad)} of {total} samples as bad:{listed}", stacklevel=5)

    def _problem(self, row: int, max_regions: int) -> str:
        wrong, num_regions = self.index.text("problem", row), self.index.value("num_regions", row)
        many = f"{num_regions} regions, more than data.max_regions={max_regions}" if num_regions > max_regions else ""
        return "; ".join(text for text in (wrong, many) if text)


class IndexedPartitions(ABC):
    """The samples of a selection, read from disk when they are asked for.

    Args:
        selection: rows of the split's index.
        images: folder of the images.

    Attributes:
        categories: of the data set, in the order of its JSON.
    """

    categories: tuple[Category, ...]

    def __init__(self, selection: Selection, images: Path) -> None:
        self._selection, self._index, self._images = selection, selection.index, images
        self.categories = selection.index.categories

    def __len__(self) -> int:
        return len(self._selection)

    def __getitem__(self, index: int) -> Partition:
        """Read one sample; raise DataError if its files are damaged."""
        row = int(self._selection.rows[index])
        path, region_map = self._images / self._index.text("file_name", row), self.region_map(index)
        image = read_image(path, (region_map.shape[0], region_map.shape[1]))
        if image.shape[:2] != region_map.shape:
            found, wanted = (f"{shape[1]} x {shape[0]}" for shape in (image.shape, region_map.shape))
            raise DataError(f"{path} has {found} pixels, its labels {wanted}: bring the image of these labels back")
        return Partition(self._selection.name(row), image, region_map, self._index.numbers("classes", row))

    @abstractmethod
    def region_map(self, index: int) -> NDArray[np.int64]:
        """Read the region map (H, W) of a sample without its image; raise DataError if it is damaged."""

    def name(self, index: int) -> str:
        """Return the name of a sample without reading its files."""
        return self._selection.name(int(self._selection.rows[index]))

    def fingerprint(self) -> str:
        """Return 16 hex digits that depend on the categories and the content of all samples, not on the folder."""
        return self._selection.fingerprint()

    def image_keys(self) -> NDArray[np.uint64]:
        """Return a key of the content of each sample's image file (S,); the same content has the same key."""
        keys: NDArray[np.uint64] = self._index.column("image_key")[self._selection.rows]
        return keys


class WithKeys(Protocol):
    """Samples with a key of each image."""

    def image_keys(self) -> NDArray[np.uint64]: ...  # noqa: D102


def check_disjoint(train: WithKeys, val: IndexedPartitions, train_split: str, val_split: str) -> None:
    """Check that no image is in both splits, by the content of the files.

    Raises:
        DataError: if one is. The message names it.
    """
    common = np.flatnonzero(np.isin(val.image_keys(), train.image_keys()))
    if len(common):
        count = f"{len(common)} of the {len(val)} samples of data.val_split={val_split}"
        raise DataError(
            f"{count} have an image that is also in data.train_split={train_split}, for example "
            f"{val.name(int(common[0]))}: validation on training images says nothing. Name two different splits, or "
            "two parts of one (data.train_fraction=1/2 data.val_fraction=2/2); or allow it (data.common_images=true)"
        )


def _of_annotators(index: Index, annotators: str, source: Path) -> NDArray[np.bool_]:
    if annotators == "all":
        return np.ones(len(index), bool)
    if annotators == "median":
        median: NDArray[np.bool_] = index.column("median")
        return median
    if not annotators.isdecimal():
        raise ValueError(f"annotators {annotators!r}: choose all, median or the number of an annotator from 0")
    numbers = index.column("number")
    known = np.unique(numbers[numbers >= 0])
    if len(known) and int(annotators) not in known:
        listed = ", ".join(map(str, known.tolist()))
        raise DataError(f"{source}: no image has annotator {annotators}; choose all, median or one of {listed}")
    chosen: NDArray[np.bool_] = (numbers == int(annotators)) | (numbers < 0)
    return chosen
