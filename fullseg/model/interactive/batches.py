"""Caches that compute whole regions, all in one batch: on a GPU that is faster than windows of one region at a time.

The logits are those of ``RegionSegmenter.head``, to float rounding. What is kept of a region depends on its box alone.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.base import Features
from fullseg.model.boxes import geometry_maps
from fullseg.model.class_maps import ClassMaps
from fullseg.model.interactive.drawing import Box, Drawing, Window
from fullseg.model.interactive.first_layer import FirstLayer
from fullseg.model.interactive.region_cache import Region, RegionCache, seen_cells
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.roi_align import align_matrices


class BatchCache(RegionCache[RegionSegmenter]):
    """The light head; ``Region.hidden`` holds the part of the first layer that depends on features and box.

    Args:
        segmenter: in evaluation mode, with the light head.
        features: of the image.
        size: (H, W) of the image in pixels.
    """

    def __init__(self, segmenter: RegionSegmenter, features: Features, size: tuple[int, int]) -> None:
        super().__init__(segmenter, features, size)
        self.first_layer = FirstLayer(segmenter)

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return the RoI cells that see the changed pixels; all of the region is computed then."""
        return seen_cells(box, pixels, self.segmenter.roi_size)

    def update(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Run the head on these regions; return their boxes."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        new = [region for region in regions if not region.hidden]
        if new:
            boxes = _boxes(new, self.device)
            _store(new, self.first_layer.of_boxes(self.segmenter.aligned(self.features, boxes), boxes))
        boxes = _boxes(regions, self.device)
        maps = self.segmenter.resized(_annotation_maps(regions, boxes, self.total, self.segmenter), 0)
        maps_part = self.first_layer.of_maps(maps)
        hidden = F.relu(torch.cat([region.hidden[0] for region in regions]) + maps_part)
        for layer, convolution in enumerate(self.segmenter.convolutions[1:], start=1):
            hidden = F.relu(convolution(self.segmenter.resized(hidden, layer)))
        for region in regions:
            self._keep(region, layers=1)
        _set_logits(regions, hidden, self.segmenter.maps)
        return [region.box for region in regions]


class TwoStageCache(RegionCache[RegionSegmenter]):
    """The two-stage head, whose first layers mix the whole RoI; ``Region.hidden`` holds the aligned features."""

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return the RoI cells that see the changed pixels; all of the region is computed then."""
        return seen_cells(box, pixels, self.segmenter.roi_size)

    def update(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Run the head on these regions; return their boxes."""
        regions = [region for region, _ in touched]
        if not regions:
            return []
        new = [region for region in regions if not region.hidden]
        if new:
            _store(new, self.segmenter.aligned(self.features, _boxes(new, self.device)))
        boxes = _boxes(regions, self.device)
        maps = [_annotation_maps(regions, boxes, self.total, self.segmenter)]
        if self.segmenter.box_maps:
            maps.append(geometry_maps(boxes, self.segmenter.roi_size))
        features = torch.cat([region.hidden[0] for region in regions])
        hidden = self.segmenter.last_layer(torch.cat([features, torch.cat(maps, dim=1).to(features.dtype)], dim=1))
        for region in regions:
            self._keep(region, layers=1)
        _set_logits(regions, hidden, self.segmenter.maps)
        return [region.box for region in regions]


def _boxes(regions: Sequence[Region], device: torch.device) -> Tensor:
    """Return the boxes (N, 4) float32 of N regions."""
    return torch.tensor([region.box for region in regions], dtype=torch.float32).to(device)


def _store(regions: Sequence[Region], parts: Tensor) -> None:
    """Keep parts (N, C, s, s) as the only hidden layer of N regions."""
    for region, part in zip(regions, parts[:, None], strict=True):
        region.hidden = [part.clone()]  # in its own memory: most of a batch may be dropped before the rest


def _annotation_maps(
    regions: Sequence[Region], boxes: Tensor, total: NDArray[np.float32], segmenter: RegionSegmenter
) -> Tensor:
    """Return F_i (Eq. 2) of N regions in their boxes, and the first look if the network has it.

    Args:
        regions: N.
        boxes: (N, 4) float32.
        total: (H, W), sum over all regions of the image of what the others see of them.
        segmenter: says what is shared, and how large a RoI is.

    Returns:
        (N, 2 or 3, roi_size, roi_size) float32.
    """
    height, width = total.shape
    rows, columns = align_matrices(boxes, segmenter.roi_size, (height, width), 1)  # (N, s, H), (N, s, W)
    own = _align([region.drawing.own for region in regions], rows, columns)
    shared = own if segmenter.share == "all" else _align([r.drawing.shared for r in regions], rows, columns)
    with torch.autocast(boxes.device.type, enabled=False):  # as in RegionSegmenter.region_inputs
        of_all = rows @ torch.from_numpy(total).to(boxes.device) @ columns.mT
    maps = torch.stack([own, of_all - shared], dim=1)
    return torch.cat([maps, _looks(regions, maps)], dim=1) if segmenter.second_look else maps


def _looks(regions: Sequence[Region], maps: Tensor) -> Tensor:
    """Return what N regions see of their first answers, (N, 1, roi_size, roi_size); 0 where they see nothing."""
    nothing = maps.new_zeros(maps.shape[2:])
    return torch.stack([nothing if region.look is None else region.look for region in regions])[:, None]


def _align(drawings: Sequence[Drawing], rows: Tensor, columns: Tensor) -> Tensor:
    """Return A_y map A_x^T of N maps (H, W), summing over their few pixels that are not 0.

    Args:
        drawings: N.
        rows: (N, s, H) weights of RoI cells along y.
        columns: (N, s, W) weights of RoI cells along x.

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


def _set_logits(regions: Sequence[Region], hidden: Tensor, maps: ClassMaps) -> None:
    """Compute the logits and classes of N regions from the head's last layer (N, C, mask_size, mask_size)."""
    given = torch.tensor([region.given_class for region in regions], device=hidden.device)
    shares = maps.shares(maps.class_logits(hidden), given)
    classes = len(regions) * [0] if shares is None else shares.argmax(dim=1).tolist()
    for region, logits, top_class in zip(regions, maps(hidden, shares), classes, strict=True):
        region.logits, region.top_class = logits, top_class
