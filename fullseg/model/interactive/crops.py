"""DEXTR on one image again and again: a region is computed as a whole when its own annotations change."""

from collections.abc import Sequence

import numpy as np
import torch

from fullseg.model.base import Strokes
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.interactive.drawing import Box, Window
from fullseg.model.interactive.region_cache import Region, RegionCache
from fullseg.types import Scribble


class CropCache(RegionCache[Dextr]):
    """Keeps nothing but the logits: a changed region takes one pass of the whole network."""

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return an arbitrary window if the changed pixels reach into the box; all of the region is computed then."""
        touched = pixels[0] < box[2] and box[0] < pixels[2] and pixels[1] < box[3] and box[1] < pixels[3]
        return (0, 1, 0, 1) if touched else None

    def update(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Run the network on the crops of these regions; return their boxes."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        device = self.device
        points = torch.from_numpy(np.stack([region.extreme_points for region in regions])).to(device)
        scribbles = (Scribble(number, path) for number, region in enumerate(regions) for path in region.scribbles)
        strokes = Strokes.pack(scribbles).to(device)
        rois, boxes = self.segmenter.region_inputs(self.features, points, strokes, self.size)
        for region, logits in zip(regions, self.segmenter.head(rois, boxes, None).logits, strict=True):
            region.logits, region.top_class = logits.clone(), 0
        return [region.box for region in regions]
