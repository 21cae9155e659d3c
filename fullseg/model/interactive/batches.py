"""The head on all regions that see a change, in one batch: what a GPU does faster than windows of one region at a time.

The same interface and the same numbers as ``IncrementalHead``; of a region only the first convolution's part on the
features is kept.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from fullseg.model.boxes import geometry_maps
from fullseg.model.interactive.drawing import Box, Drawing, Window
from fullseg.model.interactive.region_cache import Region
from fullseg.model.interactive.windows import IncrementalHead
from fullseg.model.roi_align import align_matrices, roi_align


class BatchedHead(IncrementalHead):
    """The head of a segmenter on the regions of one image, without a loop over regions in what the device computes."""

    def update_all(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """As ``IncrementalHead.update_all``; every region is computed in its whole RoI."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        self._crop([region for region in regions if not region.hidden])
        hidden = self._last_layer(regions)
        for region in regions:
            self._keep(region, layers=1)
        named = torch.tensor([region.named for region in regions], device=hidden.device)
        maps = self.segmenter.maps
        shares = maps.shares(maps.class_logits(hidden), named)
        logits = maps(hidden, shares)
        picked = len(regions) * [0] if shares is None else shares.argmax(dim=1).tolist()
        for region, mine, number in zip(regions, logits, picked, strict=True):
            region.logits, region.picked = mine, number
        return [region.box for region in regions]

    def _last_layer(self, regions: Sequence[Region]) -> Tensor:
        """Run all convolutions: (N, C, mask_size, mask_size)."""
        maps = self.segmenter.resized(self._annotation_maps(regions), 0)
        dilation = self._layers[0].dilation[0]
        maps_part = F.conv2d(maps.to(self._map_weight.dtype), self._map_weight, padding=dilation, dilation=dilation)
        hidden = F.relu(torch.cat([region.hidden[0] for region in regions]) + maps_part)
        for layer, convolution in enumerate(self._layers[1:], start=1):
            hidden = F.relu(convolution(self.segmenter.resized(hidden, layer)))
        return hidden

    def _crop(self, regions: Sequence[Region]) -> None:
        """Compute the first convolution's part that depends on the box alone, its bias included."""
        if not regions:
            return
        edges = self._edges(regions)
        rois = roi_align(self.features, edges, self.segmenter.roi_size, self.segmenter.backbone.stride)
        for region, part in zip(regions, self._of_rois(rois, edges)[:, None], strict=True):
            region.hidden = [part.clone()]  # in its own memory: most of a batch may be forgotten before the rest

    def _of_rois(self, rois: Tensor, edges: Tensor) -> Tensor:
        """Return what is kept of aligned features (N, C, s, s) in boxes (N, 4)."""
        return self._of_boxes(rois, edges)

    def _annotation_maps(self, regions: Sequence[Region]) -> Tensor:
        """Return F_i (Eq. 2) of some regions, (N, 2, roi_size, roi_size) float32."""
        size, edges = self.segmenter.roi_size, self._edges(regions)
        rows, columns = align_matrices(edges, size, self.size, 1)  # (N, s, H), (N, s, W)
        own = _align([region.drawing.own for region in regions], rows, columns)
        shared = own if self.segmenter.share == "all" else _align([r.drawing.shared for r in regions], rows, columns)
        with torch.autocast(edges.device.type, enabled=False):  # as in RegionSegmenter.region_inputs
            of_all = rows @ torch.from_numpy(self.total).to(edges.device) @ columns.mT
        return torch.stack([own, of_all - shared], dim=1)

    def _edges(self, regions: Sequence[Region]) -> Tensor:
        return torch.tensor([region.box for region in regions], dtype=torch.float32).to(self.features.device)


class TwoStageHead(BatchedHead):
    """The two-stage head, whose layers mix the whole RoI: of a region only the aligned features are kept."""

    def _of_rois(self, rois: Tensor, edges: Tensor) -> Tensor:  # noqa: ARG002
        return rois

    def _last_layer(self, regions: Sequence[Region]) -> Tensor:
        second_stage, maps = self.segmenter.second_stage, [self._annotation_maps(regions)]
        assert second_stage is not None
        if self.segmenter.box_maps:
            maps.append(geometry_maps(self._edges(regions), self.segmenter.roi_size))
        features = torch.cat([region.hidden[0] for region in regions])
        return self.segmenter.last_layer(torch.cat([features, torch.cat(maps, dim=1).to(features.dtype)], dim=1))


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
