"""The regions of one image, brought up to date with new annotations: their maps, boxes and logits."""

from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import PREDICTED, Strokes
from fullseg.model.boxes import region_boxes
from fullseg.model.interactive.drawing import (
    NOTHING,
    Box,
    Drawing,
    bounding_box,
    bounding_window,
    difference,
    draw_regions,
)
from fullseg.model.interactive.region_cache import Change, Key, Region, RegionCache
from fullseg.types import VOID, Annotations


class Renumbered(NamedTuple):
    """Which former regions the regions are."""

    old: NDArray[np.int64]  # (N,), the former number of each region, -1 for a new one
    new: NDArray[np.int64]  # (former N,), the number of each former region, VOID if it is gone


class Drawn(NamedTuple):
    """What new annotations have changed before any layer is computed."""

    renumbered: Renumbered | None  # None: all regions have their former numbers
    changes: list[Change]  # of the annotation maps
    boxes: list[Box]  # of regions that are gone, and the former and new ones of regions whose box has changed


class RegionStates:
    """What is known of all regions of one image.

    Args:
        cache: computes their logits.
    """

    def __init__(self, cache: RegionCache) -> None:  # type: ignore[type-arg]
        self.cache, self.segmenter, self.size = cache, cache.segmenter, cache.size
        self.keys: list[Key] = []
        self.regions: list[Region] = []

    def draw(self, annotations: Annotations, strokes: Strokes) -> Drawn:
        """Draw new annotations.

        Args:
            annotations: float32, checked; extreme points of all N regions, and any scribbles.
            strokes: the same scribbles, packed.
        """
        points = annotations.extreme_points
        scribbles: list[list[NDArray[np.float32]]] = [[] for _ in points]
        for scribble in annotations.scribbles:
            scribbles[scribble.region].append(scribble.points)
        keys = [
            Key(quad.tobytes(), tuple(path.tobytes() for path in paths))
            for quad, paths in zip(points, scribbles, strict=True)
        ]
        renumbered, gone = self._renumber(keys)
        changes = [self._erase(region) for region in gone]
        changed = [number for number, key in enumerate(keys) if key != self.keys[number]]
        changes += self._draw(changed, points, scribbles)
        self.keys = keys
        return Drawn(renumbered, changes, [region.box for region in gone] + self._fit_boxes(points, strokes))

    def give_classes(self, classes: Mapping[int, int]) -> set[int]:
        """Note which class a person gave to which region; return the numbers of the regions where it has changed."""
        given = [classes.get(number, PREDICTED) for number in range(len(self.regions))]
        changed = {number for number, region in enumerate(self.regions) if region.given_class != given[number]}
        for number in changed:
            self.regions[number].given_class = given[number]
        return changed

    def give_looks(self, looks: Sequence[Tensor | None]) -> set[int]:
        """Note what each region sees of its first answer; return the numbers of the regions where it has changed."""
        changed = {number for number, look in enumerate(looks) if not _same(look, self.regions[number].look)}
        for number in changed:
            self.regions[number].look = looks[number]
        return changed

    def compute(self, changes: Sequence[Change], reclassified: Collection[int], looked: Collection[int]) -> list[Box]:
        """Compute the regions that see a change, or have no logits.

        Args:
            changes: of the annotation maps.
            reclassified: numbers of regions that have another class now.
            looked: numbers of regions that see another first answer now.

        Returns:
            Boxes of the pixels that changed logits reach on the canvas.
        """
        touched = []
        for number, region in enumerate(self.regions):
            seen = [change.own if change.region is region else change.shared for change in changes]
            seen += [region.box] if number in looked else []
            windows = [window for pixels in seen if pixels and (window := self.cache.touched_cells(region.box, pixels))]
            if windows or region.logits is None or number in reclassified:
                touched.append((region, bounding_window(windows)))
        return self.cache.update(touched)

    def logits(self) -> list[Tensor]:
        """Return the logits (mask_size, mask_size) float32 of every region."""
        return [region.logits for region in self.regions if region.logits is not None]

    def boxes(self) -> NDArray[np.int64]:
        """Return the boxes (N, 4), (x0, y0, x1, y1) in pixels."""
        return np.array([region.box for region in self.regions], np.int64).reshape(-1, 4)

    def _renumber(self, keys: Sequence[Key]) -> tuple[Renumbered | None, list[Region]]:
        """Find the regions of these keys among the former ones, by their extreme points; return those that are gone."""
        known: dict[bytes, list[int]] = {}
        for number, key in reversed(list(enumerate(self.keys))):
            known.setdefault(key.extreme_points, []).append(number)
        found = [known[key.extreme_points].pop() if known.get(key.extreme_points) else -1 for key in keys]
        if found == list(range(len(self.regions))):
            return None, []
        gone = [self.regions[number] for number in sorted(set(range(len(self.regions))) - set(found))]
        old = np.array(found, np.int64)
        new = np.full(len(self.regions), VOID, np.int64)
        new[old[old >= 0]] = np.flatnonzero(old >= 0)
        self.regions = [self.regions[number] if number >= 0 else Region() for number in found]
        self.keys = [self.keys[number] if number >= 0 else Key(b"", ()) for number in found]
        return Renumbered(old, new), gone

    def _erase(self, region: Region) -> Change:
        """Forget a region that is gone; return where the others see a change."""
        self.cache.forget(region)
        return Change(None, None, self._share(region.drawing.shared, NOTHING))

    def _draw(
        self,
        numbers: Sequence[int],
        points: NDArray[np.float32],
        scribbles: Sequence[list[NDArray[np.float32]]],
    ) -> list[Change]:
        """Draw the regions with these numbers again; return where the annotation maps have changed."""
        drawings = draw_regions(
            points[list(numbers)],
            [scribbles[number] for number in numbers],
            self.size,
            encoding=self.segmenter.annotation_encoding,
            share=self.segmenter.share,
        )
        changes = []
        for number, drawing in zip(numbers, drawings, strict=True):
            region = self.regions[number]
            region.extreme_points, region.scribbles = points[number], scribbles[number]
            before, region.drawing = region.drawing, drawing
            own = bounding_box(difference(before.own, drawing.own), self.size[1])
            changes.append(Change(region, own, self._share(before.shared, drawing.shared)))
        return changes

    def _share(self, before: Drawing, after: Drawing) -> Box | None:
        """Replace one region's part in the sum of all shared maps; return where the sum has changed."""
        change = difference(before, after)
        self.cache.total.ravel()[change.pixels] += change.values
        return bounding_box(change, self.size[1])

    def _fit_boxes(self, points: NDArray[np.float32], strokes: Strokes) -> list[Box]:
        """Compute the boxes again, and drop all that was computed in those that have changed; return these."""
        changed: list[Box] = []
        boxes = region_boxes(torch.from_numpy(points), strokes.points, strokes.region_of_points(), self.size)
        for region, box in zip(self.regions, boxes.long().tolist(), strict=True):
            if region.box != tuple(box):
                changed += [region.box, tuple(box)]
                self.cache.forget(region)
                region.box, region.logits = tuple(box), None
        return changed


def _same(one: Tensor | None, other: Tensor | None) -> bool:
    return one is other or (one is not None and other is not None and torch.equal(one, other))
