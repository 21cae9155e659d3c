"""A cache for the light head that keeps the output of every layer, region by region.

A layer is computed again only where its input has changed: in a window of the RoI, which grows by the dilation from
layer to layer. The logits are those of ``RegionSegmenter.head``, to float rounding.
"""

import math
from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.base import Features
from fullseg.model.interactive.drawing import Box, Window, align_window
from fullseg.model.interactive.first_layer import FirstLayer
from fullseg.model.interactive.region_cache import Region, RegionCache, seen_cells
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.roi_align import roi_align


class WindowCache(RegionCache[RegionSegmenter]):
    """The light head; ``Region.hidden`` holds the box's part of the first layer, then every layer's output.

    The last layer's output is kept only if the network knows classes, which depend on all of it.

    Args:
        segmenter: in evaluation mode, with the light head.
        features: of the image.
        size: (H, W) of the image in pixels.
    """

    def __init__(self, segmenter: RegionSegmenter, features: Features, size: tuple[int, int]) -> None:
        super().__init__(segmenter, features, size)
        self.first_layer, self.maps = FirstLayer(segmenter), segmenter.seen_maps(features)
        self.layers = cast("list[nn.Conv2d]", list(segmenter.convolutions))

    def touched_cells(self, box: Box, pixels: Box) -> Window | None:
        """Return the RoI cells that see the changed pixels."""
        return seen_cells(box, pixels, self.segmenter.roi_size)

    def update(self, touched: Sequence[tuple[Region, Window]]) -> list[Box]:
        """Run the head on these windows; return per region the pixels that its changed logits reach."""
        return [self._update_region(region, cells) for region, cells in touched]

    def _update_region(self, region: Region, cells: Window) -> Box:
        side = self.segmenter.roi_size
        if not region.hidden:
            cells = (0, side, 0, side)
            region.hidden = [self._features_part(region.box)]
            region.maps = self.features.coarse.new_zeros((1, self.first_layer.maps, side, side), dtype=torch.float32)
            region.logits, region.shares = region.maps.new_zeros(2 * (self.segmenter.mask_size,)), None
        self._keep(region, len(self.layers) + self.segmenter.knows_classes)
        assert region.maps is not None
        top, bottom, left, right = cells
        drawn = align_window(region.drawing, self.total, region.box, side, cells)
        region.maps[0, :2, top:bottom, left:right] = drawn
        if self.segmenter.second_look:
            region.maps[0, 2] = 0 if region.look is None else region.look
        return self._to_pixels(region.box, self._update_logits(region, *self._convolve(region, cells)))

    def _features_part(self, box: Box) -> Tensor:
        """Return the part (1, C, s, s) of the first layer that depends on features and box."""
        edges = torch.tensor([box], dtype=torch.float32, device=self.device)
        seen = [self._align_near(each, stride, box) for each, stride in self.maps]
        return self.first_layer.of_boxes(torch.cat(seen, dim=1), edges)

    def _align_near(self, whole: Tensor, stride: int, box: Box) -> Tensor:
        """Align a map (C, h, w) with a box: (1, C, side, side). Only the part around the box is looked at."""
        (left, right), (top, bottom) = (
            (max(0, box[axis] // stride - 2), box[2 + axis] // stride + 3)  # bilinear samples reach one cell out
            for axis in (0, 1)
        )
        near = self.segmenter.as_seen(whole[:, top:bottom, left:right], self.features)
        edges = near.new_tensor([box], dtype=torch.float32)
        corner = stride * edges.new_tensor([left, top, left, top])
        return roi_align(near, edges - corner, self.segmenter.roi_size, stride)

    def _convolve(self, region: Region, window: Window) -> tuple[Tensor, Window]:
        """Run all layers where their input has changed; return the last one's new part and its window."""
        assert region.maps is not None
        hidden = region.maps
        for layer, convolution in enumerate(self.layers):
            source = self.segmenter.resized(hidden, layer)
            dilation = convolution.dilation[0]
            whole = (0, source.shape[2], 0, source.shape[3])
            window = _grow(window, dilation, source.shape[-1]) if source is hidden else whole
            if layer == 0:
                part = _convolve_window(source, window, self.first_layer.map_weight, None, dilation)
                part = part.add_(_of(region.hidden[0], window)).relu_()
            else:
                part = _convolve_window(source, window, convolution.weight, convolution.bias, dilation).relu_()
            hidden = part
            if layer < len(self.layers) - 1 or self.segmenter.knows_classes:
                hidden = _store(region.hidden, layer + 1, part, window)
        return part, window

    def _update_logits(self, region: Region, part: Tensor, window: Window) -> Window:
        """Compute the logits again where the last layer has changed, or all of them if the class shares have.

        Args:
            region: whose logits are updated in place.
            part: (1, C, h, w), the new part of the last layer.
            window: where it lies, in cells of the logits.

        Returns:
            The window in which the logits are new.
        """
        maps, shares = self.segmenter.maps, None
        if self.segmenter.knows_classes:
            whole = region.hidden[-1]
            given = torch.tensor([region.given_class], device=whole.device)
            shares = maps.shares(maps.class_logits(whole), given)
            assert shares is not None
            if region.shares is None or not torch.equal(shares, region.shares):
                part, window = whole, (0, whole.shape[2], 0, whole.shape[3])
        weight, bias = maps.weights(shares)
        top, bottom, left, right = window
        assert region.logits is not None
        region.logits[top:bottom, left:right] = (part[0].permute(1, 2, 0) @ weight[0]).float() + bias
        region.shares, region.top_class = shares, 0 if shares is None else int(shares.argmax())
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
    """Grow a window by so many cells on all sides, but not beyond ``side`` x ``side`` cells."""
    top, bottom, left, right = window
    return max(0, top - by), min(side, bottom + by), max(0, left - by), min(side, right + by)


def _of(layer: Tensor, window: Window) -> Tensor:
    """Return a window of a layer (1, C, s, s)."""
    return layer[:, :, window[0] : window[1], window[2] : window[3]]


def _store(hidden: list[Tensor], layer: int, part: Tensor, window: Window) -> Tensor:
    """Put the new part of a layer into its window and return the layer (1, C, s, s)."""
    if layer == len(hidden):  # the first time: the part is the whole layer
        hidden.append(part)
    elif part.shape == hidden[layer].shape:
        hidden[layer] = part
    else:
        _of(hidden[layer], window).copy_(part)
    return hidden[layer]


def _convolve_window(source: Tensor, window: Window, weight: Tensor, bias: Tensor | None, dilation: int) -> Tensor:
    """Return a window (1, C', h, w) of the zero-padded 3 x 3 convolution of ``source`` (1, C, s, s)."""
    side = source.shape[-1]
    top, bottom, left, right = window
    if window == (0, side, 0, side):
        return F.conv2d(source, weight, bias, padding=dilation, dilation=dilation)
    around = source[:, :, max(0, top - dilation) : bottom + dilation, max(0, left - dilation) : right + dilation]
    ends = (dilation - left, right + dilation - side, dilation - top, bottom + dilation - side)
    beyond = [max(0, end) for end in ends]
    return F.conv2d(F.pad(around, beyond), weight, bias, dilation=dilation)
