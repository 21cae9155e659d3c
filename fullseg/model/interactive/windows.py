"""The head on one region again and again, at the cost of what has changed since the last time.

The same numbers as ``RegionSegmenter.head`` to float rounding. The first convolution is linear: its part on features is
computed once per box, and new annotations touch the two annotation channels alone. From there on a layer is computed
only where its input has changed: a window of the RoI, which grows by the dilation at every layer.
"""

import math
from collections.abc import Sequence
from functools import cached_property
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.boxes import geometry_maps
from fullseg.model.interactive.drawing import Box, Window, align_window
from fullseg.model.interactive.region_cache import Region, RegionHead, seen_cells
from fullseg.model.roi_align import roi_align
from fullseg.model.segmenter import RegionSegmenter


class IncrementalHead(RegionHead[RegionSegmenter]):
    """The light head, window by window; ``Region.hidden`` has the features' part, then every layer."""

    @cached_property
    def _layers(self) -> list[nn.Conv2d]:
        return cast("list[nn.Conv2d]", list(self.segmenter.convolutions))

    @cached_property
    def _feature_weight(self) -> Tensor:
        """Of the first convolution, what features and box maps go through."""
        weight, first = self._layers[0].weight, len(self.features)
        return torch.cat([weight[:, :first], weight[:, first + 2 :]], dim=1)

    @cached_property
    def _map_weight(self) -> Tensor:
        """Of the first convolution, what F_i goes through."""
        first = len(self.features)
        return self._layers[0].weight[:, first : first + 2].contiguous(memory_format=torch.channels_last)

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return the RoI cells of a box that see any of a box of pixels; None if none does."""
        return seen_cells(box, pixels, self.segmenter.roi_size)

    def update_all(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Compute regions anew where their annotation maps have changed; as of RegionHead."""
        return [self.update(region, cells) for region, cells in touched]

    def update(self, region: Region, cells: Window) -> Box:
        """Compute one region anew where its annotation maps have changed.

        Args:
            region: to update; all of it is computed where it has no hidden layers.
            cells: window of the RoI in which F_i has changed.

        Returns:
            The pixels of the canvas that the changed logits reach.
        """
        side = self.segmenter.roi_size
        if not region.hidden:
            cells = (0, side, 0, side)
            region.hidden = [self._features_part(region.box)]
            region.maps = self.features.new_zeros((1, 2, side, side), dtype=torch.float32)
            region.logits, region.shares = region.maps.new_zeros(2 * (self.segmenter.mask_size,)), None
        self._keep(region, len(self._layers) + self.segmenter.knows_classes)
        assert region.maps is not None
        top, bottom, left, right = cells
        drawn = align_window(region.drawing, self.total, region.box, side, cells)
        region.maps[0, :, top:bottom, left:right] = drawn
        return self._to_pixels(region.box, self._logits(region, *self._convolve(region, cells)))

    def _features_part(self, box: Box) -> Tensor:
        """Return the first convolution's part that depends on the box alone, its bias included."""
        stride = self.segmenter.backbone.stride
        (left, right), (top, bottom) = (
            (max(0, box[axis] // stride - 2), box[2 + axis] // stride + 3)  # bilinear samples reach one cell out
            for axis in (0, 1)
        )
        near = self.features[:, top:bottom, left:right]
        edges = near.new_tensor([box], dtype=torch.float32)
        corner = stride * edges.new_tensor([left, top, left, top])
        return self._of_boxes(roi_align(near, edges - corner, self.segmenter.roi_size, stride), edges)

    def _of_boxes(self, rois: Tensor, edges: Tensor) -> Tensor:
        """Run the first convolution on aligned features (N, C, s, s) and the box maps of boxes (N, 4)."""
        if self.segmenter.box_maps:
            rois = torch.cat([rois, geometry_maps(edges, self.segmenter.roi_size).to(rois.dtype)], dim=1)
        rois = self.segmenter.resized(rois, 0).contiguous(memory_format=torch.channels_last)
        first = self._layers[0]
        dilation = first.dilation[0]
        return F.conv2d(rois, self._feature_weight, first.bias, padding=dilation, dilation=dilation)

    def _convolve(self, region: Region, window: Window) -> tuple[Tensor, Window]:
        """Run all layers where their input has changed; return the last one's new part and its window."""
        assert region.maps is not None
        hidden = region.maps
        for layer, convolution in enumerate(self._layers):
            source = self.segmenter.resized(hidden, layer)
            dilation = convolution.dilation[0]
            whole = (0, source.shape[2], 0, source.shape[3])
            window = _grow(window, dilation, source.shape[-1]) if source is hidden else whole
            if layer == 0:
                part = _convolve_window(source, window, self._map_weight, None, dilation)
                part = part.add_(_of(region.hidden[0], window)).relu_()
            else:
                part = _convolve_window(source, window, convolution.weight, convolution.bias, dilation).relu_()
            hidden = part
            if layer < len(self._layers) - 1 or self.segmenter.knows_classes:
                hidden = _store(region.hidden, layer + 1, part, window)
        return part, window

    def _logits(self, region: Region, part: Tensor, window: Window) -> Window:
        """Update the region's logits; return the window in which they are new: all, where another map is used."""
        maps, shares = self.segmenter.maps, None
        if self.segmenter.knows_classes:
            whole = region.hidden[-1]
            named = torch.tensor([region.named], device=whole.device)
            shares = maps.shares(maps.class_logits(whole), named)
            assert shares is not None
            if region.shares is None or not torch.equal(shares, region.shares):
                part, window = whole, (0, whole.shape[2], 0, whole.shape[3])
        weight, bias = maps.weights(shares)
        top, bottom, left, right = window
        assert region.logits is not None
        region.logits[top:bottom, left:right] = (part[0].permute(1, 2, 0) @ weight[0]).float() + bias
        region.shares, region.picked = shares, 0 if shares is None else int(shares.argmax())
        return window

    def _to_pixels(self, box: Box, window: Window) -> Box:
        """Return the pixels that a window of the region's logits reaches by bilinear resizing."""
        cells = self.segmenter.mask_size
        low, high = [], []
        for start, end, first, last in ((box[0], box[2], *window[2:]), (box[1], box[3], *window[:2])):
            pixels = (end - start) / cells
            low.append(start if first == 0 else max(start, math.floor(start + (first - 0.5) * pixels) - 1))
            high.append(end if last == cells else min(end, math.ceil(start + (last + 0.5) * pixels) + 1))
        return low[0], low[1], high[0], high[1]


def _grow(window: Window, by: int, side: int) -> Window:
    """Grow a window on all sides, within ``side`` x ``side`` cells."""
    top, bottom, left, right = window
    return max(0, top - by), min(side, bottom + by), max(0, left - by), min(side, right + by)


def _of(layer: Tensor, window: Window) -> Tensor:
    return layer[:, :, window[0] : window[1], window[2] : window[3]]


def _store(hidden: list[Tensor], layer: int, part: Tensor, window: Window) -> Tensor:
    """Put the new part of a layer in its place and return the layer."""
    if layer == len(hidden):  # the first time: all of it is new
        hidden.append(part)
    elif part.shape == hidden[layer].shape:
        hidden[layer] = part
    else:
        _of(hidden[layer], window).copy_(part)
    return hidden[layer]


def _convolve_window(source: Tensor, window: Window, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """Return a window of the zero-padded 3 x 3 convolution of ``source`` (1, C, s, s)."""
    side = source.shape[-1]
    top, bottom, left, right = window
    if window == (0, side, 0, side):
        return F.conv2d(source, weight, bias, padding=dilation, dilation=dilation)
    around = source[:, :, max(0, top - dilation) : bottom + dilation, max(0, left - dilation) : right + dilation]
    ends = (dilation - left, right + dilation - side, dilation - top, bottom + dilation - side)
    beyond = [max(0, end) for end in ends]
    return F.conv2d(F.pad(around, beyond), weight, bias, dilation=dilation)
