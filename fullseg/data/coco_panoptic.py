"""COCO panoptic on disk, the one format of all data sets inside fullseg: its reader (see coco_writer)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fullseg.data.index.files import find_files
from fullseg.data.index.index_file import Sources, open_index
from fullseg.data.index.panoptic import build_index
from fullseg.data.index.partitions import SHOWN, IndexedPartitions, Selection
from fullseg.errors import DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.formats.panoptic_png import read_ids
from fullseg.types import VOID, Category

__all__ = ["Category", "CocoPanoptic", "DataError", "NewSample", "write_coco_panoptic"]
VOID_ID = 0  # in the png


class CocoPanoptic(IndexedPartitions):
    """A sequence of partitions, from ``root/<split>``, the official COCO folders below ``root``, or ``root`` itself.

    Json and headers are read once, into an index in ``cache`` that is mapped into memory and shared by all processes.

    Args:
        root: folder of the data set.
        split: ``train``, ``val``, ... (``train`` stands for COCO's ``train2017``).
        cache: folder that keeps the index.
        annotators: partitions of an image that are samples: ``all``, ``median``, or an annotator's number. An image
            entry without the fields ``annotator`` and ``median`` is always one.
        fraction: (k, n) keeps the k-th of n parts, 1 <= k <= n: the images of whose file name (UTF-8) the first 8 bytes
            of the SHA-256, a big-endian number, leave the remainder k - 1 when divided by n.
        max_regions: an image of more regions is bad.
        skip_bad: warn of bad samples and leave them out, instead of raising.

    Attributes:
        categories: in the order of the file.

    Raises:
        DataError: if files are missing or unreadable, if samples are bad as far as the json and the headers of the
            files tell (their pixels are checked when they are read), or if no sample is left.
        ValueError: for a wrong ``annotators`` or ``fraction``.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        *,
        cache: Path,
        annotators: str,
        fraction: tuple[int, int],
        max_regions: int,
        skip_bad: bool,
    ) -> None:
        files = find_files(root, split)
        sources = Sources(files.json, (files.images, files.panoptic))
        selection = Selection(
            open_index(cache, sources, lambda: build_index(files)),
            files.json,
            annotators=annotators,
            fraction=fraction,
            max_regions=max_regions,
            skip_bad=skip_bad,
        )
        super().__init__(selection, files.images)
        self._panoptic = files.panoptic

    def region_map(self, index: int) -> NDArray[np.int64]:
        """Return the region map (H, W); DataError, too, if png and json name other segments."""
        row = int(self._selection.rows[index])
        png = self._panoptic / self._index.text("png", row)
        ids = read_ids(png)
        return _region_map(ids, self._index.numbers("ids", row), self._index.numbers("crowd", row), png)


def _region_map(
    ids: NDArray[np.integer], own: NDArray[np.int64], crowd: NDArray[np.int64], path: Path
) -> NDArray[np.int64]:
    flat = ids.ravel()
    # Sorting the few thousand runs of equal ids instead of all pixels is what makes this fast.
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    found, run_ids = np.unique(flat[starts], return_inverse=True)
    known = np.concatenate(([VOID_ID], crowd, own))
    if (unknown := np.setdiff1d(found, known)).size:
        raise DataError(f"{path}: ids {unknown[:SHOWN].tolist()} are not in segments_info; fix either")
    if (empty := np.setdiff1d(known[1:], found)).size:
        raise DataError(f"{path}: ids {empty[:SHOWN].tolist()} of segments_info have no pixel; fix either")
    regions = np.concatenate((np.full(1 + crowd.size, VOID), np.arange(own.size)))
    order = np.argsort(known)
    region_of_found = regions[order][np.searchsorted(known[order], found)]
    return np.repeat(region_of_found[run_ids], np.diff(starts, append=flat.size)).reshape(ids.shape)
