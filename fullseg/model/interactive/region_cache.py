"""What is kept of the regions of one image, so that a prediction computes only what has changed since the last one."""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import PREDICTED, Features
from fullseg.model.interactive.drawing import BLANK, Box, RegionDrawing, Window
from fullseg.model.segmenter import Segmenter

CACHE_BYTES = 2**30  # limit for the hidden layers of all regions; those used longest ago are dropped first

Network = TypeVar("Network", bound=Segmenter)


@dataclass(slots=True, eq=False)
class Region:
    """What is kept of one region between predictions."""

    extreme_points: NDArray[np.float32] = field(default_factory=lambda: np.zeros((4, 2), np.float32))
    scribbles: Sequence[NDArray[np.float32]] = ()  # points (K, 2) of each
    drawing: RegionDrawing = BLANK
    box: Box = (0, 0, 0, 0)
    hidden: list[Tensor] = field(default_factory=list)  # (1, C, s, s) per layer that the cache keeps; [] if dropped
    maps: Tensor | None = None  # (1, 2 or 3, roi_size, roi_size) float32, F_i (Eq. 2) and the look
    look: Tensor | None = None  # (roi_size, roi_size), what the region sees of its first answer; None: nothing
    logits: Tensor | None = None  # (mask_size, mask_size) float32
    given_class: int = PREDICTED  # the class that a person gave to the region; its map is then used
    shares: Tensor | None = None  # (1, num_classes), the share of each class's map; None if one map serves all classes
    top_class: int = -1  # the class with the largest share


class Key(NamedTuple):
    """The annotations of a region as bytes, to compare them with later ones."""

    extreme_points: bytes
    scribbles: tuple[bytes, ...]


class Change(NamedTuple):
    """Where the annotation maps have changed because of one region."""

    region: Region | None  # the region; None: it is gone
    own: Box | None  # where its own map has changed; None: nowhere
    shared: Box | None  # where the part of its map has changed that the others see; None: nowhere


class RegionCache(ABC, Generic[Network]):
    """Computes the logits of one image's regions, and keeps what the next computation can use again.

    Args:
        segmenter: in evaluation mode.
        features: of the image.
        size: (H, W) of the image in pixels.
    """

    def __init__(self, segmenter: Network, features: Features, size: tuple[int, int]) -> None:
        self.segmenter, self.features, self.size = segmenter, features, size
        self.device = features.coarse.device
        self.total = np.zeros(size, np.float32)  # sum over all regions of what the others see of them
        self._recent: dict[int, Region] = {}  # regions with hidden layers, by id(); the one used last comes last

    @abstractmethod
    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return which part of a region's RoI sees a change of the annotation maps.

        Args:
            box: of the region.
            pixels: the box of pixels in which the maps have changed.

        Returns:
            The window of RoI cells to compute again, or None if the region sees nothing of the change.
        """

    @abstractmethod
    def update(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Compute the logits of regions again.

        Args:
            touched: regions, each with the window of its RoI in which F_i has changed. A region without hidden layers
                is computed as a whole.

        Returns:
            Per region the box of the pixels that its changed logits reach on the canvas.
        """

    def forget(self, region: Region) -> None:
        """Drop the hidden layers of a region: its box has changed, or it is gone."""
        region.hidden = []
        self._recent.pop(id(region), None)

    def _keep(self, region: Region, layers: int) -> None:
        """Note that a region with so many hidden layers was used; drop those used longest ago if memory is short."""
        self._recent.pop(id(region), None)
        self._recent[id(region)] = region
        most = max(1, CACHE_BYTES // (layers * region.hidden[0].nbytes))
        while len(self._recent) > most:
            self._recent.pop(next(iter(self._recent))).hidden = []


def seen_cells(box: Box, pixels: Box, side: int) -> Window | None:
    """Return the cells of a RoI that see some pixels.

    Args:
        box: of the region.
        pixels: the box of the pixels.
        side: of the RoI in cells.

    Returns:
        The window of these cells; None if there are none.
    """
    rows, columns = (
        (
            max(0, math.floor((pixels[axis] - 1 - box[axis]) * side / (box[2 + axis] - box[axis]))),
            min(side, math.ceil((pixels[2 + axis] + 1 - box[axis]) * side / (box[2 + axis] - box[axis]))),
        )
        for axis in (1, 0)
    )
    return (*rows, *columns) if rows[0] < rows[1] and columns[0] < columns[1] else None
