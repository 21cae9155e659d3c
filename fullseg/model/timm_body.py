"""The timm network inside a backbone: its stages, and how it is made for images of any size."""

from collections.abc import Sequence
from typing import Any

import timm
import torch
from timm.models._features import FeatureGetterNet
from torch import Tensor, nn

KNOWN = "tf_efficientnet_lite0, resnet50.tv_in1k, convnext_tiny, swin_tiny_patch4_window7_224, sam2_hiera_tiny"
PROBE_CELLS = (2, 3)  # sides of a small image on which a new network is tried, in cells of its coarsest map


def check_name(name: str) -> None:
    """Raise ValueError if timm does not know a model, or has no weights of the tag behind its dot."""
    if not timm.is_model(name):
        raise ValueError(
            f"model.backbone={name!r}: timm has no such model; for example {KNOWN}; timm.list_models() has all"
        )
    model, _, tag = name.partition(".")
    known = timm.list_pretrained(f"{model}.*")
    if tag and name not in known:
        raise ValueError(f"model.backbone={name!r}: timm has no such weights of {model}; {', '.join(known) or model}")


def strides_of(name: str) -> list[int]:
    """Return the strides of all maps that a timm network gives, in pixels per cell.

    Args:
        name: timm model. Those of a plain ViT are all the same.

    Raises:
        ValueError: if timm does not know the name.
    """
    check_name(name)
    with torch.device("meta"):  # only the description is needed, no weights
        body: Any = timm.create_model(name, features_only=True)
    return list(body.feature_info.reduction())


def is_plain(strides: Sequence[int]) -> bool:
    """Return whether these are the strides of a network that keeps one scale, such as a plain ViT."""
    return len(set(strides)) == 1


def make_body(name: str, strides: Sequence[int], *, dilated_to: int | None = None) -> Any:  # noqa: ANN401
    """Make a timm network with random weights that gives some of its maps, for images of any size.

    Args:
        name: timm model.
        strides: of the wanted maps, in pixels per cell; one of a plain ViT is the map of its last layer.
        dilated_to: dilate instead of striding from this stride on; the later maps then have this stride.

    Returns:
        A feature extractor of timm, in training mode. See ``maps_of``.

    Raises:
        ValueError: if there is no such network, if it has no map of a stride, if it cannot be dilated, or if it takes
            images of one size alone.
    """
    found = strides_of(name)
    missing = sorted(set(strides) - set(found))
    if missing:
        raise ValueError(
            f"model.backbone={name}: its maps have strides {found}, there is none of stride {missing[0]}; choose "
            f"another network, for example {KNOWN}"
        )
    chosen: Any = tuple(found.index(stride) for stride in strides)
    options: dict[str, Any] = {"features_only": True, "out_indices": 1 if is_plain(found) else chosen}
    if dilated_to is not None:
        options["output_stride"] = dilated_to
    if is_plain(found):
        options["feature_cls"] = NormalisedTokens
    body = _create(name, options)
    _try(body, name, found[-1])
    last = body.feature_info.get_dicts()[-1]
    if "stage" in last:  # timm keeps later stages of an EfficientNet, which take time and never get a gradient
        del body.blocks[last["stage"] :]
    return body


def maps_of(body: Any, images: Tensor) -> list[Tensor]:  # noqa: ANN401  timm's feature extractors have no common type
    """Return the maps (B, C, h, w) float of a feature extractor for images (B, 3, H, W) float."""
    maps: list[Tensor] = body(images)
    return [each.movedim(-1, 1) for each in maps] if getattr(body, "output_fmt", None) == "NHWC" else maps


class NormalisedTokens(FeatureGetterNet):
    """Gives the tokens of a plain ViT behind its last norm, as whoever trained it meant them to be read."""

    def __init__(self, model: nn.Module, **options: Any) -> None:  # noqa: ANN401  timm's options
        super().__init__(model, norm=True, **options)


def _create(name: str, options: dict[str, Any]) -> Any:  # noqa: ANN401  timm's feature extractors have no common type
    """Create a network; those that are made for images of one size let go of it where timm offers this."""
    try:
        return timm.create_model(name, dynamic_img_size=True, **options)
    except TypeError:  # most networks have no such argument
        pass
    try:
        return timm.create_model(name, **options)
    except (TypeError, AssertionError, NotImplementedError) as error:
        if "output_stride" not in options:
            raise
        raise ValueError(
            f"model.backbone={name}: this network cannot be dilated, which model.features=c4 with model.stride=8, "
            "model.head=two_stage and model.name=dextr need; use model.features=fpn, or a network that can: "
            "tf_efficientnet_lite0, resnet50.tv_in1k, convnext_tiny"
        ) from error


def _try(body: Any, name: str, cell: int) -> None:  # noqa: ANN401  timm's feature extractors have no common type
    """Raise ValueError unless a network takes a small image that is not square."""
    height, width = (side * cell for side in PROBE_CELLS)
    body.eval()
    try:
        with torch.no_grad():
            maps_of(body, torch.zeros(1, 3, height, width))
    except (AssertionError, RuntimeError, ValueError) as error:
        raise ValueError(
            f"model.backbone={name}: timm's network does not take images of every size, here {height} x {width} px "
            f"({error}); choose another, for example {KNOWN}"
        ) from error
    body.train()


def layers_of(body: Any) -> dict[str, int]:  # noqa: ANN401  timm's feature extractors have no common type
    """Return the layer of every parameter of a feature extractor, as timm counts them: 0 is next to the image."""
    name = body.default_cfg["architecture"]
    with torch.device("meta"):
        whole: Any = timm.create_model(name)
    layers = timm.models.group_parameters(whole, whole.group_matcher(coarse=False), reverse=True)
    of_whole = {flat_name(key): layer for key, layer in layers.items()}
    return {key: of_whole[flat_name(key)] for key, _ in body.named_parameters()}


def flat_name(key: str) -> str:
    """Return a name that a tensor has both in a timm network and in the feature extractor made from it."""
    return key.removeprefix("model.").replace(".", "_")
