"""The backbone: image in, one feature map out, once per image (paper, Sec. 3.1)."""

from typing import Any

import torch
import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn

from fullseg.model.backbone_weights import load_pretrained_weights
from fullseg.model.timm_body import is_plain, make_body, maps_of, strides_of
from fullseg.model.vit_pyramid import VitPyramid

PAD_TO = 32  # px: the stride of the last stage; feature cells then lie at the same place for every image size
STEM_CHANNELS = 32  # of the convolutions that take the place of a first stage at stride 2


class FrozenNorms(nn.Module):
    """A module whose BatchNorms keep their statistics: those of the few images of a training step would be noise."""

    def freeze(self, body: nn.Module, *, affine: bool = False) -> None:
        """Freeze the BatchNorms of a part of this module.

        Args:
            body: the part.
            affine: their scale and shift are still trained; only the statistics are kept.
        """
        self.batch_norms = [m for m in body.modules() if isinstance(m, nn.BatchNorm2d)]
        for norm in self.batch_norms:
            norm.requires_grad_(affine)
        self.train()  # a new module is in training mode with all its BatchNorms, and Lightning does not call train()

    def train(self, mode: bool = True) -> "FrozenNorms":
        """Switch to training mode, except for the BatchNorms."""
        super().train(mode)
        for norm in self.batch_norms:
            norm.eval()
        return self


class Backbone(FrozenNorms):
    """A timm network whose maps become one feature map, by a 1 x 1 reduction (``c4``) or a top-down fusion (``fpn``).

    A plain ViT has one map; a ``VitPyramid`` makes the others of it. With ``sharp_channels`` the first stage and the
    feature map give a second, sharp map at stride 2. Where the first stage has another stride, two convolutions of the
    image take its place.

    Args:
        name: timm model.
        pretrained: load pretrained weights.
        features: ``c4``, the last map of stage 4, as in the paper; or ``fpn``, the maps of stages 2 to 5 fused at
            ``stride`` (Lin et al., Feature Pyramid Networks, 2017).
        stride: pixels per cell of the result.
        channels: of the result; None: those of stage 4, with ``c4`` and without a reduction.
        sharp_channels: of the sharp map; 0: there is none.
        weights: file with the pretrained weights; None: those that timm names.

    Raises:
        ValueError: if timm does not know the name, or the network does not give these maps.
        WeightsError: if the weights cannot be loaded.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        *,
        name: str,
        pretrained: bool,
        features: str,
        stride: int,
        channels: int | None,
        sharp_channels: int = 0,
        weights: str | None = None,
    ) -> None:
        super().__init__()
        given = strides_of(name)
        wanted = [16] if features == "c4" else [each for each in (4, 8, 16, 32) if each >= stride]
        self.first_stage = bool(sharp_channels) and 2 in given
        stages = given[-1:] if is_plain(given) else [2, *wanted] if self.first_stage else wanted
        dilated = features == "c4" and stride < 16 and not is_plain(given)
        body: Any = make_body(name, stages, dilated_to=stride if dilated else None)
        if pretrained:
            load_pretrained_weights(body, name, weights)
        self.body, self.stride = body, stride
        widths = body.feature_info.channels()
        self.pyramid: VitPyramid | None = None
        if is_plain(given):
            strides = [stride] if features == "c4" else wanted
            self.pyramid = VitPyramid(channels=widths[0], patch=given[0], strides=strides)
            widths = self.pyramid.channels
        first = widths.pop(0) if self.first_stage else STEM_CHANNELS
        self.sharp: nn.ModuleDict | None = None
        if sharp_channels and channels is not None:
            self.sharp = _sharp_layers(first, channels, sharp_channels)
        self.stem = _stem() if self.sharp is not None and not self.first_stage else None
        self.lateral = nn.ModuleList(_reduction(width, channels) for width in widths)
        self.smooth: nn.Module = nn.Identity()
        if features == "fpn" and channels is not None:
            self.smooth = nn.Conv2d(channels, channels, 3, padding=1)
        config = body.default_cfg
        self.register_buffer("mean", 255 * torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.freeze(body)
        self.norms = nn.ModuleList()
        if not self.batch_norms and self.pyramid is None and channels is not None:
            # These networks add to their maps block after block, and have no norm behind a stage.
            self.norms.extend(LayerNorm2d(width) for width in widths)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute features.

        Args:
            images: (B, 3, H, W) uint8 RGB.

        Returns:
            (B, channels, h, w) float with h = ceil(H / 32) * 32 / stride and w = ceil(W / 32) * 32 / stride. Cell k
            lies between the pixel corners k * stride and (k + 1) * stride. Then the sharp map, or None:
            (B, sharp_channels, h', w') float, likewise at stride 2.
        """
        normalised = self.normalised(images)
        padded = _padded(normalised, PAD_TO)
        patch = self.pyramid.patch if self.pyramid is not None else PAD_TO
        inputs = padded if PAD_TO % patch == 0 else _padded(normalised, patch)
        with torch.autocast("cpu", enabled=False):  # depthwise convolutions in bf16 are three times slower there
            maps = maps_of(self.body, inputs)
        first = maps.pop(0) if self.first_stage else None
        if self.pyramid is not None:
            maps = self.pyramid(maps[0], (padded.shape[-2], padded.shape[-1]))
        maps = [norm(each) for norm, each in zip(self.norms, maps, strict=True)] if self.norms else maps
        fused = self.lateral[-1](maps[-1])
        for lateral, finer in zip(self.lateral[-2::-1], maps[-2::-1], strict=True):
            fused = lateral(finer) + F.interpolate(fused, size=finer.shape[-2:], mode="nearest")
        smoothed: Tensor = self.smooth(fused)
        first = first if self.stem is None else self.stem(padded)
        return smoothed, None if first is None else self._sharpened(first, smoothed)

    def _sharpened(self, first: Tensor, smoothed: Tensor) -> Tensor:
        """Fuse the first stage's map at stride 2 with the feature map."""
        assert self.sharp is not None
        context = F.interpolate(self.sharp["context"](smoothed), size=first.shape[-2:], mode="bilinear")
        sharp: Tensor = self.sharp["smooth"](F.relu(self.sharp["lateral"](first) + context))
        return sharp

    def normalised(self, images: Tensor) -> Tensor:
        """Return images (..., 3, H, W) uint8 RGB as float of about zero mean and unit variance."""
        return (images - self.mean) / self.std


def _sharp_layers(first: int, coarse: int, channels: int) -> nn.ModuleDict:
    """Return layers that fuse the first stage's map with the feature map; the arguments are numbers of channels."""
    return nn.ModuleDict(
        {
            "lateral": nn.Conv2d(first, channels, 1),
            "context": nn.Conv2d(coarse, channels, 1),
            "smooth": nn.Conv2d(channels, channels, 3, padding=1),
        }
    )


def _reduction(before: int, after: int | None) -> nn.Module:
    return nn.Identity() if after is None else nn.Conv2d(before, after, 1)


def _stem() -> nn.Module:
    """Return convolutions from the image to stride 2. A kernel of 4 px has the middle of its cell in its middle."""
    return nn.Sequential(
        nn.Conv2d(3, STEM_CHANNELS, 4, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(STEM_CHANNELS, STEM_CHANNELS, 3, padding=1),
        nn.ReLU(),
    )


def _padded(images: Tensor, multiple: int) -> Tensor:
    """Return images (B, C, H, W) with zeros to their right and below, so that both sides are multiples of a number."""
    height, width = images.shape[-2:]
    missing = [
        (multiple - side % multiple) % multiple for side in (width, height)
    ]  # torch.compile fails at -width % 32
    padded = F.pad(images, (0, missing[0], 0, missing[1]))
    return padded.contiguous(memory_format=torch.channels_last)
