"""The network of DEXTR: a dilated ResNet at stride 8 with pyramid scene parsing on top.

Chen et al., DeepLab, 2016; Zhao et al., Pyramid Scene Parsing Network, 2017.
"""

import pickle
from pathlib import Path
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.errors import WeightsError
from fullseg.model.backbone import FrozenNorms, load_imagenet_weights

STRIDE = 8
BINS = (1, 2, 3, 6)  # sides of the pyramid's levels, in cells
PARSED = 512  # channels of each level, and of what comes out of the pyramid
PUBLISHED_THRESHOLD = 0.8  # of the published model's probabilities, above which a pixel is inside


class Pyramid(FrozenNorms):
    """The scene around every cell at four scales, then one logit a cell.

    Args:
        channels: of the map that comes in.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *_convolution(channels, PARSED)) for side in BINS
        )
        self.bottleneck = nn.Sequential(*_convolution(channels + len(BINS) * PARSED, PARSED))
        self.last = nn.Conv2d(PARSED, 1, 1)
        self.freeze(self, affine=True)  # a level of one cell has as many values as there are crops: no statistics

    def forward(self, features: Tensor) -> Tensor:
        """Turn (M, channels, s, s) into logits (M, 1, s, s)."""
        size = features.shape[-2:]
        scenes = [
            F.interpolate(level(features), size=size, mode="bilinear", align_corners=True) for level in self.levels
        ]
        result: Tensor = self.last(self.bottleneck(torch.cat([*scenes, features], dim=1)))
        return result


def _convolution(before: int, after: int) -> list[nn.Module]:
    convolution = nn.Conv2d(before, after, 1, bias=False)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    return [convolution, nn.BatchNorm2d(after), nn.ReLU()]


class PyramidNet(FrozenNorms):
    """Crops with four channels in, logits at stride 8 out.

    Args:
        name: timm model.
        pretrained: load ImageNet weights; the fourth channel starts at 0.
        caffe: as the ResNet that DeepLab-v2 went on from: strides in the first convolution of a block instead of the
            second, pooling that rounds up, images from 0 to 255 that are not normalised. A ResNet alone.

    Raises:
        ValueError: for a name that timm does not know.
        WeightsError: if ImageNet weights can't be had.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, name: str, pretrained: bool, caffe: bool) -> None:
        super().__init__()
        if not timm.is_model(name):
            raise ValueError(
                f"model.backbone={name!r}: timm has no such model; resnet101, resnet50, tf_efficientnet_lite0"
            )
        body: Any = timm.create_model(name, features_only=True, out_indices=(4,), output_stride=STRIDE)
        if pretrained:
            load_imagenet_weights(body, name)
        first = next(module for module in body.modules() if isinstance(module, nn.Conv2d))
        first.weight = nn.Parameter(torch.cat([first.weight, torch.zeros_like(first.weight[:, :1])], dim=1))
        first.in_channels = 4
        if caffe:
            _as_in_caffe(body)
        self.body = body
        self.pyramid = Pyramid(body.feature_info.channels()[-1])
        config = body.default_cfg
        mean, std = ((0, 0, 0), (1, 1, 1)) if caffe else (config["mean"], config["std"])
        scale = 1 if caffe else 255
        self.register_buffer("mean", scale * torch.tensor(mean, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.register_buffer("std", scale * torch.tensor(std, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.map_scale = 255.0 if caffe else 1.0  # value of an annotation map's peak
        self.freeze(body)

    def normalised(self, images: Tensor) -> Tensor:
        """Return images (B, 3, H, W) uint8 RGB as float; what a crop has beyond the image is 0, then: the mean."""
        return (images - self.mean) / self.std

    def forward(self, crops: Tensor) -> Tensor:
        """Turn crops (M, 4, s, s) into logits (M, 1, ceil(s / 8), ceil(s / 8)), or one cell more as in Caffe."""
        with torch.autocast("cpu", enabled=False):  # as in Backbone
            inputs = crops.float() if crops.device.type == "cpu" else crops
            [features] = self.body(inputs.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.pyramid(features)
        return logits


def _as_in_caffe(body: Any) -> None:  # noqa: ANN401  timm's feature extractors have no common type
    for module in body.modules():
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True
        first, second = getattr(module, "conv1", None), getattr(module, "conv2", None)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d) and first.kernel_size == (1, 1):
            first.stride, second.stride = second.stride, first.stride
    for stage, dilation in (("layer3", 2), ("layer4", 4)):
        for block in body[stage]:  # of every block, where timm's first ones have the dilation of the stage before
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)


def load_published(network: PyramidNet, path: str) -> None:
    """Load the weights that DEXTR's authors published, in the order of the layers: their names are others.

    Their masks are where the probability is above 0.8; the last bias is lowered so that this is where logits are
    above 0, as everywhere in fullseg.

    Raises:
        WeightsError: if the file is missing, is none, or its tensors don't fit.
    """
    option = f"model.dextr.weights={path}"
    if not Path(path).is_file():
        raise WeightsError(f"{option}: no such file; leave the option out to train from ImageNet weights")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = {key: value for key, value in content.items() if not key.endswith("num_batches_tracked")}
        shapes = {key: tuple(value.shape) for key, value in found.items()}
    except (RuntimeError, OSError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{option}: is no file of weights ({str(error).splitlines()[0]})") from error
    own = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    remedy = "it takes dextr_pascal-sbd.pth with model.backbone=resnet101"
    if len(own) != len(found):
        raise WeightsError(f"{option}: has {len(found)} tensors, this network {len(own)}; {remedy}")
    for key, theirs in zip(own, shapes, strict=True):
        if tuple(own[key].shape) != shapes[theirs]:
            raise WeightsError(
                f"{option}: {theirs} is {shapes[theirs]}, this network's {key} {tuple(own[key].shape)}; {remedy}"
            )
    network.load_state_dict(dict(zip(own, found.values(), strict=True)), strict=False)
    with torch.no_grad():
        network.pyramid.last.bias -= torch.logit(torch.tensor(PUBLISHED_THRESHOLD))  # type: ignore[operator]
