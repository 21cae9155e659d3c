"""Reads COCO panoptic from disk. Importers write all other data sets in this format (formats/coco_writer.py)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fullseg.config.parts import Parts
from fullseg.data.index.files import find_files
from fullseg.data.index.index_file import Sources, open_index
from fullseg.data.index.panoptic import build_index
from fullseg.data.index.partitions import LISTED, IndexedPartitions, Selection
from fullseg.errors import DataError
from fullseg.formats.panoptic_png import read_ids
from fullseg.types import VOID

VOID_ID = 0  # of unlabelled pixels in the png


class CocoPanoptic(IndexedPartitions):
    """The samples of a COCO panoptic split.

    The split lies in ``root/<split>/``, in the official COCO folders below ``root``, or in ``root`` itself. The JSON
    and the headers of the files are read once, into an index that is mapped into memory and shared by all processes.

    Args:
        root: folder of the data set.
        split: ``train``, ``val``, ... In the official folders, ``train`` means ``train2017``.
        cache: folder that keeps the index.
        annotators: partitions of an image that are samples, if it has several: ``all``, ``median``, or an annotator's
            number. An image without the fields ``annotator`` and ``median`` in the JSON is always a sample.
        fraction: parts of the images that are kept. Of n parts an image is in part k if the first 8
            bytes of the SHA-256 of its file name (UTF-8), read as a big-endian number, leave the remainder k - 1 when
            divided by n.
        max_regions: an image with more regions is bad.
        skip_bad: leave bad samples out with a warning, instead of raising an error.

    Attributes:
        categories: in the order of the JSON.

    Raises:
        DataError: if files are missing or unreadable, if no sample is left, or if a sample is bad and ``skip_bad`` is
            false. The JSON and the headers of the files are checked now, pixels when they are read.
        ValueError: if ``annotators`` or ``fraction`` is none of these.
    """

    def __init__(
        self,
        root: Path,
        split: str,
        *,
        cache: Path,
        annotators: str,
        fraction: Parts,
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
        """Read the region map of a sample.

        Returns:
            (H, W) int64, region in [0, N) or VOID. Crowds and unlabelled pixels are VOID.

        Raises:
            DataError: if the png is damaged, or if its segments are not those of the JSON.
        """
        row = int(self._selection.rows[index])
        png = self._panoptic / self._index.text("png", row)
        ids = read_ids(png)
        return _region_map(ids, self._index.numbers("ids", row), self._index.numbers("crowd", row), png)


def _region_map(
    ids: NDArray[np.integer], own: NDArray[np.int64], crowd: NDArray[np.int64], path: Path
) -> NDArray[np.int64]:
    flat = ids.ravel()
    # Sorting the few thousand runs of equal ids is much faster than sorting all pixels.
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    found, run_ids = np.unique(flat[starts], return_inverse=True)
    known = np.concatenate(([VOID_ID], crowd, own))
    if (unknown := np.setdiff1d(found, known)).size:
        raise DataError(f"{path}: ids {unknown[:LISTED].tolist()} are not in segments_info: correct either file")
    if (empty := np.setdiff1d(known[1:], found)).size:
        raise DataError(f"{path}: ids {empty[:LISTED].tolist()} of segments_info have no pixel: correct either file")
    regions = np.concatenate((np.full(1 + crowd.size, VOID), np.arange(own.size)))
    order = np.argsort(known)
    region_of_found = regions[order][np.searchsorted(known[order], found)]
    return np.repeat(region_of_found[run_ids], np.diff(starts, append=flat.size)).reshape(ids.shape)
