"""The first convolution of the light head, split in two so that most of it is computed once per box."""

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.boxes import geometry_maps
from fullseg.model.region_segmenter import RegionSegmenter


class FirstLayer:
    """The first convolution as a sum of two, which it is because a convolution is linear.

    One part depends on the features and the box; it stays as long as the box does. The other depends on the two
    annotation maps F_i (Eq. 2), which change with every scribble, and on the first look if the network has it.

    Args:
        segmenter: with the light head.
    """

    def __init__(self, segmenter: RegionSegmenter) -> None:
        self.segmenter, channels = segmenter, segmenter.seen_channels
        convolution = cast("nn.Conv2d", segmenter.convolutions[0])
        weight = convolution.weight.detach()  # (C', C + 2 to C + 7, 3, 3): features, F_i, geometry maps, first look
        looks = weight.shape[1] - segmenter.second_look  # where the first look begins
        self.box_weight = torch.cat([weight[:, :channels], weight[:, channels + 2 : looks]], dim=1)
        maps = torch.cat([weight[:, channels : channels + 2], weight[:, looks:]], dim=1)
        self.map_weight = maps.contiguous(memory_format=torch.channels_last)
        self.maps = maps.shape[1]
        self.bias, self.dilation = convolution.bias, convolution.dilation[0]

    def of_boxes(self, rois: Tensor, boxes: Tensor) -> Tensor:
        """Return the part that depends on features and box, bias included.

        Args:
            rois: (N, C, roi_size, roi_size) float, aligned features.
            boxes: (N, 4) float32, in pixels.

        Returns:
            (N, C', s, s) float; s is ``mask_size`` if this layer is the only one, else ``roi_size``.
        """
        if self.segmenter.box_maps:
            rois = torch.cat([rois, geometry_maps(boxes, self.segmenter.roi_size).to(rois.dtype)], dim=1)
        rois = self.segmenter.resized(rois, 0).contiguous(memory_format=torch.channels_last)
        return F.conv2d(rois, self.box_weight, self.bias, padding=self.dilation, dilation=self.dilation)

    def of_maps(self, maps: Tensor) -> Tensor:
        """Return the part that depends on F_i and the first look (N, 2 or 3, s, s), in the shape of ``of_boxes``."""
        maps = maps.to(self.map_weight.dtype)
        return F.conv2d(maps, self.map_weight, padding=self.dilation, dilation=self.dilation)
