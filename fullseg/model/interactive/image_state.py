"""What is known of one image between predictions, and how new annotations change it."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import PREDICTED, Features, Strokes
from fullseg.model.boxes import region_boxes
from fullseg.model.interactive.decided import Decided, DecidedPixels
from fullseg.model.interactive.drawing import (
    NOTHING,
    Box,
    Drawing,
    bounding_box,
    bounding_window,
    difference,
    draw_regions,
)
from fullseg.model.interactive.factory import make_region_cache
from fullseg.model.interactive.region_cache import Change, Key, Region
from fullseg.model.interactive.spread_state import SpreadState
from fullseg.model.interactive.tiles import LARGE_TILE, SMALL_TILE, TiledCanvas
from fullseg.model.segmenter import Segmenter
from fullseg.types import VOID, Annotations, Decisions


class ImageState:
    """The regions and the canvas of one image.

    An update computes only what has changed: by a new scribble, one that was undone, a new region, or one that is gone.

    Args:
        segmenter: in evaluation mode.
        features: of the image.
        size: (H, W) of the image in pixels.
        hold_scribbles: every pixel on the line of a scribble belongs to the scribble's region.
        batched: compute whole regions in one batch, and large tiles: faster on a GPU.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        features: Features,
        size: tuple[int, int],
        *,
        hold_scribbles: bool,
        batched: bool,
    ) -> None:
        self.segmenter, self.size, self.hold_scribbles = segmenter, size, hold_scribbles
        self.cache = make_region_cache(segmenter, features, size, batched=batched)
        self.spread = SpreadState(segmenter.spreading, features) if segmenter.spreading is not None else None
        tile = LARGE_TILE if batched else SMALL_TILE
        self.canvas = TiledCanvas(size, tile, background=segmenter.background, spread=self.spread)
        self.region_map = self.canvas.region_map  # (H, W), region in [0, N) or VOID, after the last update
        self.keys: list[Key] = []
        self.regions: list[Region] = []
        self._decided = DecidedPixels(size, hold_scribbles=hold_scribbles)

    def update(
        self,
        annotations: Annotations,
        locked: Mapping[int, NDArray[np.bool_]],
        classes: Mapping[int, int],
        by_hand: Decisions | None = None,
        *,
        partly: bool = False,
    ) -> None:
        """Bring regions and canvas up to date.

        Args:
            annotations: float32, checked; extreme points of all N regions, and any scribbles.
            locked: per locked region its pixels (H, W) bool.
            classes: per region whose class a person gave, the class.
            by_hand: what a person decided pixel by pixel; None: nothing.
            partly: only some regions of the image are annotated; a pixel may be of none of them.
        """
        points, strokes = annotations.extreme_points, Strokes.pack(annotations.scribbles)
        of_region: list[list[NDArray[np.float32]]] = [[] for _ in points]
        for scribble in annotations.scribbles:
            of_region[scribble.region].append(scribble.points)
        keys = [
            Key(quad.tobytes(), tuple(path.tobytes() for path in paths))
            for quad, paths in zip(points, of_region, strict=True)
        ]
        changes = self._renumber(keys)
        changed = [number for number, key in enumerate(keys) if key != self.keys[number]]
        changes += self._draw(changed, points, of_region)
        self.keys = keys
        self._fit_boxes(points, strokes)
        self._run_head(changes, self._give_classes(classes))
        certain, painted = self._decided.update(annotations.scribbles, locked, by_hand)
        self.canvas.mark_pixels(certain)
        self.canvas.mark_pixels(painted, alone=True)
        background = self.segmenter.background or partly
        if background != self.canvas.background:
            self.canvas.background = background
            self.canvas.mark_all()
        if self.spread and self.spread.rows and self.regions:
            given = self.logits(), self.boxes(), torch.from_numpy(points), strokes
            cells = self.spread.update(*given, background=background)
            self.canvas.mark_cells(cells, self.spread.cell)
        self.canvas.update(self.logits(), self.boxes(), self.decided)
        marked = torch.from_numpy(points), strokes
        found = self.segmenter.without_islands(torch.from_numpy(self.canvas.unpainted), *marked, self.decided.locked)
        self.region_map = found.numpy() if by_hand is None else by_hand.over(found.numpy(), self.canvas.region_map)

    def certainty(self) -> NDArray[np.float32]:
        """Return the probability (H, W) of each pixel's region, 0 for VOID; in an island what its winner leaves."""
        found = self.canvas.certainty.copy()
        island = self.region_map != self.canvas.region_map
        found[island] = np.where(self.region_map[island] == VOID, 0, 1 - found[island])
        return found

    @property
    def decided(self) -> Decided:
        """The pixels whose region a person has decided."""
        return self._decided.now

    def logits(self) -> list[Tensor]:
        """Return the logits (mask_size, mask_size) float32 of every region."""
        return [region.logits for region in self.regions if region.logits is not None]

    def classes(self) -> NDArray[np.int64]:
        """Return the class (N,) of every region, the given or the likeliest one; 0 if there is one map for all."""
        return np.array([region.top_class for region in self.regions], np.int64)

    def boxes(self) -> NDArray[np.int64]:
        """Return the boxes (N, 4), (x0, y0, x1, y1) in pixels."""
        return np.array([region.box for region in self.regions], np.int64).reshape(-1, 4)

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability (N, H, W) of every region at every pixel (paper, Eq. 1)."""
        result = np.zeros((len(self.regions), *self.size), np.float32)
        tiles = np.argwhere(np.ones_like(self.canvas.stale))
        for contest in self.canvas.contests(tiles, self.logits(), self.boxes(), self.decided):
            x0, y0, x1, y1 = contest.tile
            result[contest.regions, y0:y1, x0:x1] = contest.probabilities.cpu().numpy()
        return result

    def _renumber(self, keys: Sequence[Key]) -> list[Change]:
        """Find the regions of these keys among the former ones, by their extreme points; drop those that are gone.

        Returns:
            The changes of the annotation maps because of the regions that are gone.
        """
        known: dict[bytes, list[int]] = {}
        for number, key in reversed(list(enumerate(self.keys))):
            known.setdefault(key.extreme_points, []).append(number)
        found = [known[key.extreme_points].pop() if known.get(key.extreme_points) else -1 for key in keys]
        if found == list(range(len(self.regions))):
            return []
        gone = [self.regions[number] for number in sorted(set(range(len(self.regions))) - set(found))]
        self.canvas.mark(region.box for region in gone)
        old = np.array(found, np.int64)
        new = np.full(len(self.regions), VOID, np.int64)
        new[old[old >= 0]] = np.flatnonzero(old >= 0)
        self.canvas.renumber(old, new)
        if self.spread:
            self.spread.renumber(old)
        self._decided.renumber(new)
        self.regions = [self.regions[number] if number >= 0 else Region() for number in found]
        self.keys = [self.keys[number] if number >= 0 else Key(b"", ()) for number in found]
        return [self._erase(region) for region in gone]

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

    def _fit_boxes(self, points: NDArray[np.float32], strokes: Strokes) -> None:
        """Compute the boxes again. If the box of a region has changed, drop all that was computed in it."""
        boxes = region_boxes(torch.from_numpy(points), strokes.points, strokes.region_of_points(), self.size)
        for region, box in zip(self.regions, boxes.long().tolist(), strict=True):
            if region.box != tuple(box):
                self.canvas.mark([region.box, tuple(box)])
                self.cache.forget(region)
                region.box, region.logits = tuple(box), None

    def _give_classes(self, classes: Mapping[int, int]) -> set[int]:
        """Note which class a person gave to which region; return the numbers of the regions where it has changed."""
        given = [classes.get(number, PREDICTED) for number in range(len(self.regions))]
        changed = {number for number, region in enumerate(self.regions) if region.given_class != given[number]}
        for number in changed:
            self.regions[number].given_class = given[number]
        return changed

    def _run_head(self, changes: Sequence[Change], reclassified: set[int]) -> None:
        """Compute the regions that see a change of the annotation maps, have no logits, or have another class now."""
        touched = []
        for number, region in enumerate(self.regions):
            seen = [change.own if change.region is region else change.shared for change in changes]
            windows = [window for pixels in seen if pixels and (window := self.cache.touched_cells(region.box, pixels))]
            if windows or region.logits is None or number in reclassified:
                touched.append((region, bounding_window(windows)))
        self.canvas.mark(self.cache.update(touched))
