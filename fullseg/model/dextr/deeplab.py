"""The network of DEXTR: a dilated ResNet at stride 8 with pyramid scene parsing on top.

Chen et al., DeepLab, 2016; Zhao et al., Pyramid Scene Parsing Network, 2017.
"""

import pickle
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.errors import WeightsError
from fullseg.model.backbone import FrozenNorms
from fullseg.model.backbone_weights import load_pretrained_weights
from fullseg.model.timm_body import make_body

STRIDE = 8
BINS = (1, 2, 3, 6)  # sides of the levels of the pyramid, in cells
PARSED = 512  # channels of each level and of the pyramid's output
PUBLISHED_THRESHOLD = 0.8  # the published model takes a pixel as inside if its probability is above


class Pyramid(FrozenNorms):
    """Adds the scene around every cell at four scales to its features, then computes one logit per cell.

    Args:
        channels: of the input.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.levels = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(side), *_convolution(channels, PARSED)) for side in BINS
        )
        self.bottleneck = nn.Sequential(*_convolution(channels + len(BINS) * PARSED, PARSED))
        self.last = nn.Conv2d(PARSED, 1, 1)
        self.freeze(self, affine=True)  # a level of one cell has one value per crop: too few for statistics

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
    """From crops with four channels to logits at stride 8.

    Args:
        name: timm model.
        pretrained: load pretrained weights; the weights of the fourth channel start at 0.
        weights: file with them; None: those that timm names.
        caffe: lay the ResNet out as Caffe's, from which DeepLab-v2 started: strides in the first convolution of a block
            instead of the second, pooling that rounds up, images from 0 to 255 that are not normalised. ResNets only.

    Raises:
        ValueError: if timm does not know the name, or the network cannot be dilated.
        WeightsError: if the weights cannot be loaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, *, name: str, pretrained: bool, caffe: bool, weights: str | None = None) -> None:
        super().__init__()
        body: Any = make_body(name, (32,), dilated_to=STRIDE)
        if pretrained:
            load_pretrained_weights(body, name, weights)
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
        self.map_scale = 255.0 if caffe else 1.0  # the largest value of the annotation map, the fourth channel
        self.freeze(body)

    def normalised(self, images: Tensor) -> Tensor:
        """Normalise images (B, 3, H, W) uint8 RGB to float; 0, which crops have beyond the image, is then the mean."""
        return (images - self.mean) / self.std

    def forward(self, crops: Tensor) -> Tensor:
        """Turn crops (M, 4, s, s) into logits (M, 1, c, c); c is ceil(s / 8), or one more with Caffe's layout."""
        with torch.autocast("cpu", enabled=False):  # depthwise convolutions in bf16 are three times slower there
            inputs = crops.float() if crops.device.type == "cpu" else crops
            [features] = self.body(inputs.contiguous(memory_format=torch.channels_last))
        logits: Tensor = self.pyramid(features)
        return logits


def _as_in_caffe(body: Any) -> None:  # noqa: ANN401  timm's feature extractors have no common type
    """Move the strides, the rounding and the dilations of a timm ResNet to where Caffe's ResNet has them."""
    for module in body.modules():
        if isinstance(module, nn.MaxPool2d):
            module.ceil_mode = True
        first, second = getattr(module, "conv1", None), getattr(module, "conv2", None)
        if isinstance(first, nn.Conv2d) and isinstance(second, nn.Conv2d) and first.kernel_size == (1, 1):
            first.stride, second.stride = second.stride, first.stride
    for stage, dilation in (("layer3", 2), ("layer4", 4)):
        for block in body[stage]:  # timm gives the first block of a stage the dilation of the stage before
            block.conv2.dilation = block.conv2.padding = (dilation, dilation)


def load_published(network: PyramidNet, path: str) -> None:
    """Load the weights that DEXTR's authors published. Their names differ from ours, so the order decides.

    Their model takes pixels with a probability above 0.8 as inside. The last bias is lowered so that these pixels have
    logits above 0, as everywhere in fullseg.

    Args:
        network: with Caffe's layout.
        path: of the file.

    Raises:
        WeightsError: if the file is missing, holds no weights, or its tensors do not fit.
    """
    option = f"model.dextr.weights={path}"
    if not Path(path).is_file():
        raise WeightsError(f"{option}: no such file; leave the option out to train from ImageNet weights")
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = {key: value for key, value in content.items() if not key.endswith("num_batches_tracked")}
        shapes = {key: tuple(value.shape) for key, value in found.items()}
    except (RuntimeError, OSError, EOFError, AttributeError, pickle.UnpicklingError) as error:
        raise WeightsError(f"{option}: not a file of weights ({str(error).splitlines()[0]})") from error
    own = {key: value for key, value in network.state_dict().items() if not key.endswith("num_batches_tracked")}
    remedy = "it takes dextr_coco.pth or dextr_pascal-sbd.pth with model.backbone=resnet101"
    if len(own) != len(found):
        raise WeightsError(f"{option}: {len(found)} tensors, but this network has {len(own)}; {remedy}")
    for key, theirs in zip(own, shapes, strict=True):
        if tuple(own[key].shape) != shapes[theirs]:
            raise WeightsError(
                f"{option}: {theirs} is {shapes[theirs]}, this network's {key} {tuple(own[key].shape)}; {remedy}"
            )
    network.load_state_dict(dict(zip(own, found.values(), strict=True)), strict=False)
    with torch.no_grad():
        network.pyramid.last.bias -= torch.logit(torch.tensor(PUBLISHED_THRESHOLD))  # type: ignore[operator]
