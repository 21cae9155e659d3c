"""What is known of one image between predictions, and how new annotations change it."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.model.base import Features, Strokes
from fullseg.model.interactive.decided import Decided, DecidedPixels
from fullseg.model.interactive.factory import first_looks, make_region_cache
from fullseg.model.interactive.negatives import with_helpers
from fullseg.model.interactive.region_cache import Region
from fullseg.model.interactive.region_states import RegionStates, Renumbered
from fullseg.model.interactive.spread_state import SpreadState
from fullseg.model.interactive.tiles import LARGE_TILE, SMALL_TILE, TiledCanvas
from fullseg.model.segmenter import Segmenter
from fullseg.types import BACKGROUND, VOID, Annotations, Decisions


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
        self.states = RegionStates(make_region_cache(segmenter, features, size, batched=batched))
        self.looks = first_looks(segmenter, features, size)
        self.spread = SpreadState(segmenter.spreading, features) if segmenter.spreading is not None else None
        tile = LARGE_TILE if batched else SMALL_TILE
        self.canvas = TiledCanvas(size, tile, background=segmenter.background, spread=self.spread)
        self.region_map = self.canvas.region_map  # (H, W), region in [0, N) or VOID, after the last update
        self.count = 0  # N of the last update; further regions are helpers
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
            annotations: float32, checked; extreme points of all N regions, and any scribbles, also of BACKGROUND.
            locked: per locked region its pixels (H, W) bool.
            classes: per region whose class a person gave, the class.
            by_hand: what a person decided pixel by pixel; None: nothing.
            partly: only some regions of the image are annotated; a pixel may be of none of them.
        """
        self.count = len(annotations.extreme_points)
        # The network does not see those of no region: it would take them as a sign that all regions are annotated.
        seen = [one for one in annotations.scribbles if one.region != BACKGROUND]
        annotations = with_helpers(annotations, self.size)
        points, strokes = annotations.extreme_points, Strokes.pack(annotations.scribbles)
        for_network = annotations._replace(scribbles=seen), Strokes.pack(seen)
        drawn = self.states.draw(*for_network)
        if drawn.renumbered is not None:
            self._renumber(drawn.renumbered)
        self.canvas.mark(drawn.boxes)
        reclassified = self.states.give_classes(classes)
        looked = self.states.give_looks(self.looks.update(self.states, *for_network)) if self.looks else set()
        self.canvas.mark(self.states.compute(drawn.changes, reclassified, looked))
        if self.looks and not seen:
            self.looks.keep(self.states)
        certain, painted = self._decided.update(annotations.scribbles, locked, by_hand)
        self.canvas.mark_pixels(certain)
        self.canvas.mark_pixels(painted, alone=True)
        background = self.segmenter.background or partly
        if background != self.canvas.background:
            self.canvas.background = background
            self.canvas.mark_all()
        logits, boxes = self.states.logits(), self.states.boxes()
        if self.spread and self.spread.rows and self.regions:
            given = logits, boxes, torch.from_numpy(points), strokes
            cells = self.spread.update(*given, background=background)
            self.canvas.mark_cells(cells, self.spread.cell)
        self.canvas.update(logits, boxes, self.decided)
        marked = torch.from_numpy(points), strokes
        found = self.segmenter.without_islands(torch.from_numpy(self.canvas.unpainted), *marked, self.decided.locked)
        labels = found.numpy() if by_hand is None else by_hand.over(found.numpy(), self.canvas.region_map)
        self.region_map = np.where(labels < self.count, labels, VOID)

    def certainty(self) -> NDArray[np.float32]:
        """Return the probability (H, W) of each pixel's region: in an island what its winner leaves, in a hole 0."""
        found = self.canvas.certainty.copy()
        island = self.region_map != self.canvas.region_map
        known = (self.region_map != VOID) & (self.canvas.region_map != VOID)
        found[island] = np.where(known[island], 1 - found[island], 0)
        return found

    @property
    def decided(self) -> Decided:
        """The pixels whose region a person has decided."""
        return self._decided.now

    @property
    def regions(self) -> list[Region]:
        """What is known of each region; the last ones may be helpers."""
        return self.states.regions

    def classes(self) -> NDArray[np.int64]:
        """Return the class (N,) of every region, the given or the likeliest one; 0 if there is one map for all."""
        return np.array([region.top_class for region in self.regions[: self.count]], np.int64)

    def probabilities(self) -> NDArray[np.float32]:
        """Return the probability (N, H, W) of every region at every pixel (paper, Eq. 1)."""
        result = np.zeros((len(self.regions), *self.size), np.float32)
        tiles = np.argwhere(np.ones_like(self.canvas.stale))
        for contest in self.canvas.contests(tiles, self.states.logits(), self.states.boxes(), self.decided):
            x0, y0, x1, y1 = contest.tile
            result[contest.regions, y0:y1, x0:x1] = contest.probabilities.cpu().numpy()
        return result[: self.count]

    def _renumber(self, renumbered: Renumbered) -> None:
        self.canvas.renumber(renumbered.old, renumbered.new)
        if self.spread:
            self.spread.renumber(renumbered.old)
        self._decided.renumber(renumbered.new)
