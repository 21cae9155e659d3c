"""Networks of every family behind one backbone: convolutions, windows, plain ViTs."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from fullseg.model.backbone import Backbone

FAMILIES = {
    "ResNet": "resnet10t",
    "EfficientNet": "test_efficientnet",
    "ConvNeXt": "test_convnext",
    "Swin": "swin_tiny_patch4_window7_224",
    "SAM 2's Hiera": "sam2_hiera_tiny",
    "ViT": "test_vit",
    "ViT of patches of 14 px": "eva02_tiny_patch14_224",
    "DINOv3": "vit_tiny_patch16_dinov3_qkvb",
}
SIZE = (75, 53)


@pytest.fixture(scope="module", params=FAMILIES.values(), ids=FAMILIES)
def backbone(request: pytest.FixtureRequest) -> Backbone:
    torch.manual_seed(0)
    return Backbone(name=request.param, pretrained=False, features="fpn", stride=4, channels=8, sharp_channels=4).eval()


def random_images(count: int, *size: int) -> Tensor:
    return torch.randint(0, 256, (count, 3, *size), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


def test_maps_cover_images_of_odd_sizes(backbone: Backbone) -> None:
    with torch.no_grad():
        coarse, sharp = backbone(random_images(2, *SIZE))
    assert coarse.shape == (2, 8, 24, 16)
    assert sharp is not None
    assert sharp.shape == (2, 4, 48, 32)
    assert coarse.isfinite().all()
    assert coarse.std() > 1e-3
    assert sharp.isfinite().all()


def test_an_image_does_not_depend_on_its_batch(backbone: Backbone) -> None:
    images = random_images(2, *SIZE)
    with torch.no_grad():
        both = backbone(images)
        alone = [backbone(image[None]) for image in images]
    for part in range(2):
        torch.testing.assert_close(both[part], torch.cat([each[part] for each in alone]), rtol=1e-4, atol=1e-5)


def test_the_map_is_of_the_place_in_the_image(backbone: Backbone) -> None:
    plain, changed = (torch.full((1, 3, 128, 192), 120, dtype=torch.uint8) for _ in range(2))
    changed[:, :, 64:80, 128:144] = random_images(1, 16, 16)
    with torch.no_grad():
        maps = zip(backbone(plain), backbone(changed), (4, 2), strict=True)
    for before, after, stride in maps:
        weight = (after - before).abs().sum(dim=1)[0]
        inside = weight[64 // stride : 80 // stride, 128 // stride : 144 // stride]
        assert inside.mean() > 3 * weight.mean()


def test_size_within_the_padding_does_not_matter(backbone: Backbone) -> None:
    if backbone.pyramid is not None and backbone.pyramid.patch == 14:
        pytest.skip("such images are padded to patches of 14 px, their maps to 32 px")
    mean = backbone.mean.clone()
    backbone.mean.fill_(127)  # a colour that uint8 can hold
    images, framed = random_images(1, *SIZE), torch.full((1, 3, 96, 64), 127, dtype=torch.uint8)
    framed[:, :, : SIZE[0], : SIZE[1]] = images
    with torch.no_grad():
        for ours, theirs in zip(backbone(images), backbone(framed), strict=True):
            torch.testing.assert_close(ours, theirs)
    backbone.mean.copy_(mean)


def test_all_weights_get_a_gradient(backbone: Backbone) -> None:
    coarse, sharp = backbone(random_images(1, 64, 96))
    assert sharp is not None
    (coarse.square().sum() + sharp.square().sum()).backward()
    lacking = [key for key, p in backbone.named_parameters() if p.requires_grad and p.grad is None]
    backbone.zero_grad()
    assert lacking == []


def test_only_networks_without_batch_norms_have_norms_of_their_own(backbone: Backbone) -> None:
    found = any(isinstance(module, nn.BatchNorm2d) for module in backbone.body.modules())
    assert bool(backbone.norms) == (not found and backbone.pyramid is None)


@pytest.mark.parametrize(("features", "stride"), [("c4", 16), ("fpn", 8)])
@pytest.mark.parametrize("name", FAMILIES.values(), ids=FAMILIES)
def test_other_maps(name: str, features: str, stride: int) -> None:
    backbone = Backbone(name=name, pretrained=False, features=features, stride=stride, channels=8)
    assert backbone(random_images(1, *SIZE))[0].shape == (1, 8, 96 // stride, 64 // stride)


@pytest.mark.parametrize(
    ("tag", "mean", "std"),
    [
        ("augreg_in21k", 3 * (127.5,), 3 * (127.5,)),
        ("dino", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    ],
)
def test_normalisation_is_that_of_the_tag(tag: str, mean: Any, std: Any) -> None:
    name = f"vit_small_patch16_224.{tag}"
    backbone = Backbone(name=name, pretrained=False, features="c4", stride=16, channels=8)
    torch.testing.assert_close(backbone.mean.flatten(), torch.tensor(mean))
    torch.testing.assert_close(backbone.std.flatten(), torch.tensor(std))
