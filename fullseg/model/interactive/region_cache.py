"""A network's head on the regions of one image, asked again and again: what every kind of it has in common."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import PREDICTED, Segmenter
from fullseg.model.interactive.drawing import BLANK, Box, RegionDrawing, Window

CACHE_BYTES = 2**30  # of hidden layers of all regions; the regions touched longest ago are computed anew when needed

Network = TypeVar("Network", bound=Segmenter)


@dataclass(slots=True, eq=False)
class Region:
    """What is kept of one region between predictions."""

    extreme_points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((4, 2), np.float32))
    scribbles: Sequence[NDArray[np.float32]] = ()  # (K, 2) each
    drawing: RegionDrawing = BLANK
    box: Box = (0, 0, 0, 0)
    hidden: list[Tensor] = field(default_factory=list)  # (1, C, s, s) each, whatever the head keeps
    maps: Tensor | None = None  # (1, 2, roi_size, roi_size), F_i
    logits: Tensor | None = None  # (mask_size, mask_size)
    named: int = PREDICTED  # class that the person gave it, whose map is then used
    shares: Tensor | None = None  # (1, num_classes), of the classes' maps, where there are several
    picked: int = -1  # the class of the largest share


class RegionHead(ABC, Generic[Network]):
    """The head of a network on the regions of one image.

    Args:
        segmenter: in evaluation mode.
        features: (C, h, w) of the image.
        size: (H, W) of the image in pixels.
    """

    def __init__(self, segmenter: Network, features: Tensor, size: tuple[int, int]) -> None:
        self.segmenter, self.features, self.size = segmenter, features, size
        self.total = np.zeros(size, np.float32)  # sum of what all regions share
        self._recent: dict[int, Region] = {}  # by id, those whose hidden layers are kept, the latest last

    @abstractmethod
    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return the RoI cells of a box that see any of a box of pixels; None if none does."""

    @abstractmethod
    def update_all(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Compute regions anew where their annotation maps have changed.

        Args:
            touched: each with the window of its RoI in which F_i has changed; all of a region is computed that has
                no hidden layers.

        Returns:
            For every region the pixels of the canvas that its changed logits reach.
        """

    def forget(self, region: Region) -> None:
        """Drop what was computed of a region in its box."""
        region.hidden = []
        self._recent.pop(id(region), None)

    def _keep(self, region: Region, layers: int) -> None:
        """Note that a region was used, of so many layers, and drop those of the regions that were not for longest."""
        self._recent.pop(id(region), None)
        self._recent[id(region)] = region
        most = max(1, CACHE_BYTES // (layers * region.hidden[0].nbytes))
        while len(self._recent) > most:
            self._recent.pop(next(iter(self._recent))).hidden = []


def seen_cells(box: Box, pixels: Box, side: int) -> Window | None:
    """Return the cells of a RoI of ``side`` x ``side`` that see any of a box of pixels; None if none does."""
    rows, columns = (
        (
            max(0, math.floor((pixels[axis] - 1 - box[axis]) * side / (box[2 + axis] - box[axis]))),
            min(side, math.ceil((pixels[2 + axis] + 1 - box[axis]) * side / (box[2 + axis] - box[axis]))),
        )
        for axis in (1, 0)
    )
    return (*rows, *columns) if rows[0] < rows[1] and columns[0] < columns[1] else None
