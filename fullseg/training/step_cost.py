"""Options that change what a training step costs, and nothing about its result."""

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
    """Let torch.compile fuse the backbone in training; names in the ``state_dict`` stay.

    Training crops are all of one size, and the number of regions is not seen there, so there is one graph (and one for
    a smaller last batch). What needs no gradient runs as before: evaluation has images of all sizes. With dynamic
    shapes the padding of an EfficientNet makes expressions that take a quarter of an hour to compile. The head is left
    alone: it is four large convolutions, which gain nothing.

    Args:
        segmenter: to change in place.
        backend: of torch.compile.

    Raises:
        ConfigError: where the CPU's code can't be compiled.
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
    """Keep only the inputs of the backbone's stages and of the head; the backward pass computes the rest again.

    Args:
        segmenter: to change in place; names in its ``state_dict`` stay.
    """
    changed: Any = segmenter
    for stage in (stage for part in segmenter.backbone_parts() for stage in _stages(part)):
        stage.forward = partial(checkpoint, stage.forward, use_reentrant=False)
    changed.head = partial(checkpoint, segmenter.head, use_reentrant=False)


def _stages(body: Any) -> list[nn.Module]:  # noqa: ANN401  timm's feature extractors have no common type
    return [part for part in getattr(body, "blocks", body).children() if isinstance(part, nn.Sequential)]
