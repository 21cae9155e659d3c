"""Options that change the time and memory of a training step, but not its result."""

import os
import shutil
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from fullseg.errors import ConfigError
from fullseg.model.segmenter import Segmenter


def compile_backbone(segmenter: Segmenter, backend: str) -> None:
    """Let torch.compile fuse the backbone in training. Names in the ``state_dict`` do not change.

    One graph is enough, because training crops have one size and the backbone does not see the number of regions.
    Without gradients the plain code runs: evaluation images have many sizes, and with dynamic shapes the padding of an
    EfficientNet takes a quarter of an hour to compile. The head is not compiled: its large convolutions gain nothing.

    Args:
        segmenter: network that is changed in place.
        backend: backend of torch.compile, for example ``inductor``.

    Raises:
        ConfigError: if there is no C++ compiler.
    """
    compilers = (os.environ.get("CXX"), "g++", "c++", "clang++")
    if backend == "inductor" and not any(name and shutil.which(name) for name in compilers):
        raise ConfigError(
            "trainer.compile=true: no C++ compiler is on PATH (g++, or CXX=...); install one or leave the option out"
        )
    backbone: Any = segmenter.backbone
    plain = backbone.forward
    compiled: Any = torch.compile(plain, backend=backend, dynamic=False)

    def forward(images: Tensor) -> Tensor:
        features: Tensor = compiled(images) if torch.is_grad_enabled() else plain(images)
        return features

    backbone.forward = forward


def checkpoint_activations(segmenter: Segmenter) -> None:
    """Keep only the inputs of the backbone's stages and of the head. The backward pass computes the rest again.

    Args:
        segmenter: network that is changed in place. Names in its ``state_dict`` do not change.
    """
    changed: Any = segmenter
    for stage in (stage for part in segmenter.backbone_parts() for stage in _stages(part)):
        stage.forward = partial(checkpoint, stage.forward, use_reentrant=False)
    changed.head = partial(checkpoint, segmenter.head, use_reentrant=False)


def _stages(body: Any) -> list[nn.Module]:  # noqa: ANN401  timm's feature extractors have no common type
    network = getattr(body, "model", body)  # of a ViT the blocks; of others all parts that have parts
    return [part for part in getattr(network, "blocks", network).children() if any(True for _ in part.children())]
