"""Reads the single objects of COCO (Table 1). Pixels outside all objects of a sample are BACKGROUND."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as run_lengths

from fullseg.config.parts import Parts
from fullseg.data.index.index_file import Sources, open_index
from fullseg.data.index.instances import build_index, find_instances
from fullseg.data.index.partitions import IndexedPartitions, Selection
from fullseg.types import BACKGROUND, VOID


class CocoInstances(IndexedPartitions):
    """The samples of a COCO instances split: ``root/annotations/instances_<split>.json``, images in ``root/<split>/``.

    Every object that has a pixel and is no crowd is a region of exactly one sample, with all its pixels. If objects of
    an image overlap, they are divided into layers, and each layer is a sample, named ``file.jpg#k`` for layer k from 0.
    The largest object comes first, and each goes into the first layer in which it overlaps no other. Pixels outside the
    objects of the layer are VOID in a crowd and BACKGROUND elsewhere. An image without objects is no sample.

    Args:
        root: folder of the data set.
        split: ``train2014``, ``val2017``, ...
        cache: folder that keeps the index.
        fraction: parts of the images that are kept, by a hash of the file name.
        max_regions: a sample with more regions is bad.
        skip_bad: leave bad samples out with a warning, instead of raising an error.

    Attributes:
        categories: in the order of the JSON.

    Raises:
        DataError: if files are missing or unreadable, if no sample is left, or if a sample is bad and ``skip_bad`` is
            false.
        ValueError: if ``fraction`` is not such a pair.
    """

    def __init__(
        self, root: Path, split: str, *, cache: Path, fraction: Parts, max_regions: int, skip_bad: bool
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
        """Return the region map (H, W) int64 of a sample: region in [0, N), VOID or BACKGROUND."""
        row = int(self._selection.rows[index])
        size = [self._index.value(side, row) for side in ("height", "width")]
        columns = np.full(size[::-1], BACKGROUND, np.int64)  # (W, H): run lengths go down the columns
        crowd = self._index.value("crowd", row)
        shapes = [] if crowd is None else [(VOID, crowd)]
        for region, counts in [*shapes, *enumerate(self._index.value("regions", row))]:
            columns[run_lengths.decode({"size": size, "counts": counts}).T.view(bool)] = region
        return np.ascontiguousarray(columns.T)
