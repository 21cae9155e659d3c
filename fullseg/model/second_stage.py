"""The first part of the two-stage head: the backbone's last stage, run on every RoI (paper, Sec. 3.1)."""

from typing import Any

import torch
from torch import Tensor, nn

from fullseg.model.backbone import FrozenNorms
from fullseg.model.backbone_weights import load_pretrained_weights
from fullseg.model.timm_body import make_body


class SecondStage(nn.Module):
    """The last stage on every RoI; the annotation maps are added to its input through a 1 x 1 convolution.

    Args:
        backbone: timm model.
        pretrained: start from its pretrained weights.
        maps: number of annotation and geometry maps.
        weights: file with them; None: those that timm names.

    Raises:
        ValueError: if the network has no last stage that can be run by itself.
        WeightsError: if the weights cannot be loaded.
    """

    def __init__(self, backbone: str, pretrained: bool, maps: int, weights: str | None = None) -> None:
        super().__init__()
        self.stage = LastStage(name=backbone, pretrained=pretrained, weights=weights)
        self.channels = self.stage.channels
        self.maps = nn.Conv2d(maps, self.stage.in_channels, 1)

    def forward(self, rois: Tensor) -> Tensor:
        """Turn features and maps (M, C + maps, s, s) into features (M, channels, s, s)."""
        features, maps = rois[:, : self.stage.in_channels], rois[:, self.stage.in_channels :]
        result: Tensor = self.stage(features + self.maps(maps))
        return result


class LastStage(FrozenNorms):
    """Stage 5 of a timm network (``layer4`` of a ResNet), dilated instead of strided, so that a RoI keeps its size.

    Args:
        name: timm model.
        pretrained: load pretrained weights.
        weights: file with them; None: those that timm names.

    Raises:
        ValueError: if timm does not know the name, or the network cannot be dilated.
        WeightsError: if the weights cannot be loaded.
    """

    def __init__(self, *, name: str, pretrained: bool, weights: str | None = None) -> None:
        super().__init__()
        body: Any = make_body(name, (16, 32), dilated_to=16)
        if pretrained:
            load_pretrained_weights(body, name, weights)
        before, last = body.feature_info.get_dicts()
        if "stage" in last:  # an EfficientNet
            self.blocks = nn.Sequential(*body.blocks[before["stage"] : last["stage"]])
        else:
            self.blocks = nn.Sequential(body[last["module"].replace(".", "_")])
        self.in_channels, self.channels = before["num_chs"], last["num_chs"]
        self.freeze(self.blocks)

    def forward(self, rois: Tensor) -> Tensor:
        """Turn (M, in_channels, s, s) into (M, channels, s, s)."""
        with torch.autocast("cpu", enabled=False):  # depthwise convolutions in bf16 are three times slower there
            result: Tensor = self.blocks(rois.float() if rois.device.type == "cpu" else rois)
        return result
