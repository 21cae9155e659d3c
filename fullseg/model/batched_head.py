"""The head on all regions that see a change, in one batch: what a GPU does faster than windows of one region at a time.

The same interface and the same numbers as ``IncrementalHead``; of a region only the first convolution's part on the
features is kept.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fullseg.model.drawing import Box, Drawing, Window
from fullseg.model.incremental import IncrementalHead, Region
from fullseg.model.roi_align import align_matrix, roi_align


class BatchedHead(IncrementalHead):
    """The head of a segmenter on the regions of one image, without a loop over regions in what the device computes."""

    def update_all(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """As ``IncrementalHead.update_all``; every region is computed in its whole RoI."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        self._crop([region for region in regions if not region.hidden])
        hidden = F.relu(torch.cat([region.hidden[0] for region in regions]) + self._maps_part(regions))
        for region in regions:
            self._keep(region, layers=1)
        for layer, convolution in enumerate(self._layers[1:], start=1):
            hidden = F.relu(convolution(self._resized(hidden, layer)))
        class_logits = self.segmenter.class_logits(hidden)
        logits = self.segmenter.map_logits(hidden, class_logits, None)
        picked = len(regions) * [0] if class_logits is None else class_logits.argmax(dim=1).tolist()
        for region, mine, number in zip(regions, logits, picked, strict=True):
            region.logits, region.picked = mine, number
        return [region.box for region in regions]

    def _crop(self, regions: Sequence[Region]) -> None:
        """Compute the first convolution's part that depends on the box alone, its bias included."""
        if not regions:
            return
        edges = self._edges(regions)
        rois = roi_align(self.features, edges, self.segmenter.roi_size, self.segmenter.backbone.stride)
        parts = self._of_boxes(rois, edges)
        for region, part in zip(regions, parts[:, None], strict=True):
            region.hidden = [part.clone()]  # in its own memory: most of a batch may be forgotten before the rest

    def _maps_part(self, regions: Sequence[Region]) -> Tensor:
        """Compute the first convolution's part on F_i (Eq. 2)."""
        size, edges = self.segmenter.roi_size, self._edges(regions)
        height, width = self.total.shape
        rows = align_matrix(edges[:, 1], edges[:, 3], size, height, 1)  # (N, s, H)
        columns = align_matrix(edges[:, 0], edges[:, 2], size, width, 1)  # (N, s, W)
        own = _align([region.drawing.own for region in regions], rows, columns)
        shared = own if self.segmenter.share == "all" else _align([r.drawing.shared for r in regions], rows, columns)
        with torch.autocast(edges.device.type, enabled=False):  # as in RegionSegmenter.region_inputs
            of_all = rows @ torch.from_numpy(self.total).to(edges.device) @ columns.mT
        maps = self._resized(torch.stack([own, of_all - shared], dim=1), 0)
        dilation = self._layers[0].dilation[0]
        return F.conv2d(maps.to(self._map_weight.dtype), self._map_weight, padding=dilation, dilation=dilation)

    def _edges(self, regions: Sequence[Region]) -> Tensor:
        return torch.tensor([region.box for region in regions], dtype=torch.float32).to(self.features.device)


def _align(drawings: Sequence[Drawing], rows: Tensor, columns: Tensor) -> Tensor:
    """Align maps (H, W) that are 0 but for a few pixels: A_y map A_x^T as a sum over these pixels alone.

    Args:
        drawings: of N regions.
        rows: (N, s, H) weights of RoI cells along y.
        columns: (N, s, W) along x.

    Returns:
        (N, s, s) float32.
    """
    most = max(1, *(len(drawing.pixels) for drawing in drawings))
    pixels, values = np.zeros((len(drawings), most), np.int64), np.zeros((len(drawings), most), np.float32)
    for number, drawing in enumerate(drawings):
        pixels[number, : len(drawing.pixels)] = drawing.pixels
        values[number, : len(drawing.pixels)] = drawing.values
    y, x = (torch.from_numpy(part).to(rows.device) for part in np.divmod(pixels, columns.shape[2]))
    by_row = rows.gather(2, y[:, None].expand(-1, rows.shape[1], -1))  # (N, s, K)
    by_column = columns.gather(2, x[:, None].expand(-1, rows.shape[1], -1))
    with torch.autocast(rows.device.type, enabled=False):
        return (by_row * torch.from_numpy(values).to(rows.device)[:, None]) @ by_column.mT
