"""Training samples of two data sets, mixed."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from fullseg.data.index.partitions import IndexedPartitions, Partition
from fullseg.errors import DataError
from fullseg.types import Category


class Mixture:
    """The samples of one data set, and those of a second one, so that these are about a given part of all.

    The data set that has too few samples for its part comes several times. Samples of the second come last.

    Args:
        own: the data set.
        second: the other one, with categories of the same names.
        part: of the samples that are of the second one, in (0, 1).

    Raises:
        DataError: if the categories differ.
    """

    def __init__(self, own: IndexedPartitions, second: IndexedPartitions, part: float) -> None:
        mine, theirs = ([category.name for category in one.categories] for one in (own, second))
        if mine != theirs:
            raise DataError(f"data.mix: its categories are {_listed(theirs)}, those of the data {_listed(mine)}")
        self._own, self._second, self.categories = own, second, own.categories
        wanted = len(second) * (1 - part) / part / len(own)  # how often each own sample should come
        self._times = max(1, round(wanted)), max(1, round(1 / wanted))

    categories: tuple[Category, ...]

    @property
    def _firsts(self) -> int:
        return len(self._own) * self._times[0]

    def __len__(self) -> int:
        return self._firsts + len(self._second) * self._times[1]

    def _place(self, index: int) -> tuple[IndexedPartitions, int]:
        first = self._firsts
        return (
            (self._own, index % len(self._own))
            if index < first
            else (self._second, (index - first) % len(self._second))
        )

    def __getitem__(self, index: int) -> Partition:
        """Read one sample; raise DataError if its files are damaged."""
        data, place = self._place(index)
        return data[place]

    def name(self, index: int) -> str:
        """Return the name of a sample without reading its files."""
        data, place = self._place(index)
        return data.name(place)

    def fingerprint(self) -> str:
        """Return 16 hex digits that depend on the content of both, and on their parts."""
        text = f"{self._own.fingerprint()} {self._second.fingerprint()} {self._times}"
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def image_keys(self) -> NDArray[np.uint64]:
        """Return a key of the content of each sample's image file; the same content has the same key."""
        mine, theirs = self._own.image_keys(), self._second.image_keys()
        return np.concatenate([np.tile(mine, self._times[0]), np.tile(theirs, self._times[1])])


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
