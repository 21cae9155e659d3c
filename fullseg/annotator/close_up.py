"""Labels of parts of large images at the size of their files, for a page that shows these parts."""

import threading
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.layer import Part
from fullseg.errors import DataError
from fullseg.formats.image_file import read_image

if TYPE_CHECKING:
    from fullseg.annotator.workspace import Workspace

MOST_SIDE = 1024  # px: parts are small, so that a stroke never waits long for one


class CloseUps:
    """Answers requests for parts of files. Any thread may ask.

    Args:
        workspace: of the annotator.
    """

    def __init__(self, workspace: "Workspace") -> None:
        self.workspace = workspace
        self._lock = threading.Lock()
        self._last: tuple[str, NDArray[np.uint8]] | None = None  # key and pixels of the last file that was read

    def labels(self, name: str, revision: int, part: Part) -> NDArray[np.int64]:
        """Return the labels (h, w) that an export would have there: region in [0, N), or VOID.

        Args:
            name: of an image that the network sees smaller than its file.
            revision: of the image.
            part: of its file, at most ``MOST_SIDE`` wide and high.

        Raises:
            StaleError: if the image has a newer revision.
            DataError: if the part is not in the file or too large, or if the network sees the file as it is.
        """
        opened = self.workspace.open(name)
        height, width = opened.full_size
        if opened.full_size == opened.work.size:
            raise DataError(f"{name}: its labels have the size of its file already")
        wide, high = part.right - part.left, part.bottom - part.top
        if part.right > width or part.bottom > height or not (0 < wide <= MOST_SIDE and 0 < high <= MOST_SIDE):
            raise DataError(f"{name}: {tuple(part)} is no part of {width} x {height} px, of 1 to {MOST_SIDE} px a side")
        image = self._file(name)
        with self.workspace.asking(name, revision) as (newest, labeller):
            return labeller.part(newest, image, part)

    def _file(self, name: str) -> NDArray[np.uint8]:
        """Return the pixels of a file (H, W, 3). Those of the last one are kept."""
        with self._lock:
            key = self.workspace.key(name)
            if self._last is None or self._last[0] != key:
                self._last = None  # before the next one needs memory
                self._last = key, read_image(self.workspace.path(name))
            return self._last[1]
