"""timm's networks: which have the maps, which take any size, and the order of their layers."""

import pytest
import torch

from fullseg.model.second_stage import LastStage
from fullseg.model.timm_body import is_plain, layers_of, make_body, maps_of, strides_of


def test_strides_tell_plain_networks_from_pyramids() -> None:
    assert strides_of("resnet10t") == [2, 4, 8, 16, 32]
    assert strides_of("test_convnext") == [4, 8, 16, 32]
    assert is_plain(strides_of("vit_small_patch14_dinov2"))
    assert not is_plain(strides_of("sam2_hiera_tiny"))


def test_nothing_random_is_drawn_to_look_at_a_network() -> None:
    torch.manual_seed(0)
    strides_of("swin_tiny_patch4_window7_224")
    found = torch.rand(1)
    torch.manual_seed(0)
    assert torch.equal(found, torch.rand(1))


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "mambaout_femto"])
def test_channels_come_first_whatever_the_network_does(name: str) -> None:
    body = make_body(name, [8, 16]).eval()
    with torch.no_grad():
        maps = maps_of(body, torch.zeros(1, 3, 64, 96))
    widths = body.feature_info.channels()  # type: ignore[operator,union-attr]
    assert [tuple(each.shape) for each in maps] == [(1, widths[0], 8, 12), (1, widths[1], 4, 6)]


@pytest.mark.parametrize(
    ("name", "strides", "words"),
    [
        ("hiera_tiny_224", [16], r"model.backbone=hiera_tiny_224: .*not take images of every size, here 64 x 96 px"),
        ("levit_128s", [4, 8, 16, 32], r"model.backbone=levit_128s: its maps have strides \[16, 32, 64\].*stride 4"),
        ("resnet5O", [16], r"model.backbone='resnet5O': timm has no such model; for example"),
    ],
)
def test_networks_that_do_not_serve_are_named(name: str, strides: list[int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make_body(name, strides)


@pytest.mark.parametrize("name", ["swin_tiny_patch4_window7_224", "sam2_hiera_tiny", "test_vit"])
def test_networks_that_cannot_be_dilated_say_what_can(name: str) -> None:
    with pytest.raises(ValueError, match=rf"model.backbone={name}: .* cannot be dilated.*model.features=fpn"):
        make_body(name, strides_of(name)[-1:], dilated_to=8)


def test_the_last_stage_of_a_convnext_runs_on_rois() -> None:
    stage = LastStage(name="test_convnext", pretrained=False).eval()
    assert stage(torch.rand(2, 48, 7, 7)).shape == (2, 64, 7, 7)


@pytest.mark.parametrize(
    ("name", "strides", "order"),
    [
        (
            "test_vit",
            [16],
            ["model.patch_embed.proj.weight", "model.blocks.0.attn.qkv.weight", "model.blocks.5.mlp.fc1.bias"],
        ),
        ("test_convnext", [4, 8, 16, 32], ["stem_0.weight", "stages_0.blocks.0.gamma", "stages_3.blocks.1.gamma"]),
        ("resnet10t", [4, 8, 16], ["conv1.0.weight", "layer1.0.conv1.weight", "layer3.0.conv2.weight"]),
    ],
)
def test_layers_are_counted_from_the_image_on(name: str, strides: list[int], order: list[str]) -> None:
    body = make_body(name, strides)
    layers = layers_of(body)
    assert set(layers) == {key for key, _ in body.named_parameters()}
    numbers = [layers[key] for key in order]
    assert numbers[0] == 0
    assert numbers == sorted(set(numbers))
