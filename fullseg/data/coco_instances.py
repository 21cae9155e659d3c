"""Single objects of COCO: its instances as partitions, what no object of a sample has being BACKGROUND (Table 1)."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from fullseg.data.index.index_file import Sources, open_index
from fullseg.data.index.instances import build_index, find_instances
from fullseg.data.index.partitions import IndexedPartitions, Selection
from fullseg.types import BACKGROUND, VOID


class CocoInstances(IndexedPartitions):
    """A sequence of partitions, from ``root/annotations/instances_<split>.json`` and the images in ``root/<split>``.

    Every object that is no crowd and has a pixel is a region of exactly one sample, with all its pixels. Objects of an
    image that overlap are in several samples, named ``file.jpg#k`` for layer k from 0: the larger first, each in the
    first layer where it overlaps none. Pixels of no object of the layer are VOID in a crowd, BACKGROUND elsewhere. An
    image without an object is no sample.

    Args:
        root: folder of the data set.
        split: ``train2014``, ``val2017``, ...
        cache: folder that keeps the index, as of ``CocoPanoptic``.
        fraction: (k, n) keeps the k-th of n parts of the images, as of ``CocoPanoptic``.
        max_regions: a sample of more regions is bad.
        skip_bad: warn of bad samples and leave them out, instead of raising.

    Attributes:
        categories: in the order of the file.

    Raises:
        DataError: if files are missing or unreadable, if samples are bad, or if none is left.
        ValueError: for a wrong ``fraction``.
    """

    def __init__(
        self, root: Path, split: str, *, cache: Path, fraction: tuple[int, int], max_regions: int, skip_bad: bool
    ) -> None:
        files = find_instances(root, split)
        selection = Selection(
            open_index(cache, Sources(files.json, (files.images,)), lambda: build_index(files)),
            files.json,
            annotators="all",
            fraction=fraction,
            max_regions=max_regions,
            skip_bad=skip_bad,
        )
        super().__init__(selection, files.images)

    def region_map(self, index: int) -> NDArray[np.int64]:
        """Return the region map (H, W)."""
        row = int(self._selection.rows[index])
        size = [self._index.value(side, row) for side in ("height", "width")]
        columns = np.full(size[::-1], BACKGROUND, np.int64)  # (W, H): run lengths go down the columns
        crowd = self._index.value("crowd", row)
        shapes = [] if crowd is None else [(VOID, crowd)]
        for region, counts in [*shapes, *enumerate(self._index.value("regions", row))]:
            columns[run_lengths.decode({"size": size, "counts": counts}).T.view(bool)] = region
        return np.ascontiguousarray(columns.T)
