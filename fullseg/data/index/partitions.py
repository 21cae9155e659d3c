"""Images with one partition each, read from what an index knows of them: the same for every data set of COCO's."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.data.index.files import BROKEN_IMAGE, Category, DataError
from fullseg.data.selection import Selection


class Partition(NamedTuple):
    """One image and one division of it into N regions."""

    name: str  # the image's file name, followed by '#k' for annotator or layer k where an image has several
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    region_map: NDArray[np.int64]  # (H, W), region in [0, N), VOID or BACKGROUND
    classes: NDArray[np.int64]  # (N,), index into the categories


class IndexedPartitions(ABC):
    """The selected rows of an index as partitions.

    Args:
        selection: of the split's index.
        images: folder of the images.

    Attributes:
        categories: in the order of the file.
    """

    categories: tuple[Category, ...]

    def __init__(self, selection: Selection, images: Path) -> None:
        self._selection, self._index, self._images = selection, selection.index, images
        self.categories = selection.index.categories

    def __len__(self) -> int:
        return len(self._selection)

    def __getitem__(self, index: int) -> Partition:
        """Read one partition; raise DataError if its files are damaged."""
        row = int(self._selection.rows[index])
        image = read_image(self._images / self._index.text("file_name", row))
        return Partition(self._selection.name(row), image, self.region_map(index), self._index.numbers("classes", row))

    @abstractmethod
    def region_map(self, index: int) -> NDArray[np.int64]:
        """Read the region map (H, W) of a partition without its image; raise DataError if it is damaged."""

    def name(self, index: int) -> str:
        """Return the name of a partition without reading it."""
        return self._selection.name(int(self._selection.rows[index]))

    def fingerprint(self) -> str:
        """Return 16 hex digits that identify the samples: categories, names, sizes, regions (not their folder)."""
        return self._selection.fingerprint()


def read_image(path: Path) -> NDArray[np.uint8]:
    """Return an image as RGB (H, W, 3); raise DataError if it is damaged."""
    try:
        # Pillow, not OpenCV, which fills what a truncated file lacks with grey. Pillow also leaves the pixels as they
        # are stored, and so must we: COCO's png are drawn on them, before any EXIF rotation.
        with Image.open(path) as image:
            image.load()  # here it raises; within np.array an error could be taken for something else
            rgb = image if image.mode == "RGB" else image.convert("RGB")  # which would copy, too
            return np.array(rgb)  # (H, W, 3), a copy, since Pillow's own is read-only
    except BROKEN_IMAGE as error:
        raise DataError(f"{path} cannot be read ({error}): download or write it again") from error
