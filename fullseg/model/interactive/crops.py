"""DEXTR on one image again and again: a region is computed anew, all of it, when its own annotations change."""

from collections.abc import Sequence

import numpy as np
import torch

from fullseg.model.base import Strokes
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.interactive.drawing import Box, Window
from fullseg.model.interactive.region_cache import Region, RegionHead


class DextrHead(RegionHead[Dextr]):
    """One pass of the network for every region that was annotated."""

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return a window, whichever, if a region sees any of a box of pixels: what it sees is its own annotations."""
        touched = pixels[0] < box[2] and box[0] < pixels[2] and pixels[1] < box[3] and box[1] < pixels[3]
        return (0, 1, 0, 1) if touched else None

    def update_all(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Compute regions anew; as of RegionHead."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        device = self.features.device
        points = torch.from_numpy(np.stack([region.extreme_points for region in regions])).to(device)
        paths = [(number, path) for number, region in enumerate(regions) for path in region.scribbles]
        strokes = Strokes(
            torch.from_numpy(np.concatenate([np.zeros((0, 2), np.float32), *(path for _, path in paths)])).to(device),
            torch.tensor([len(path) for _, path in paths], dtype=torch.int64, device=device),
            torch.tensor([number for number, _ in paths], dtype=torch.int64, device=device),
        )
        rois, boxes = self.segmenter.region_inputs(self.features, points, strokes, self.size)
        for region, logits in zip(regions, self.segmenter.head(rois, boxes, None).logits, strict=True):
            region.logits, region.picked = logits.clone(), 0
        return [region.box for region in regions]
