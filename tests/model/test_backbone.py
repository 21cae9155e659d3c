"""The backbone: shapes, normalisation, frozen norms."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fullseg.model.backbone import Backbone

LITE0 = "tf_efficientnet_lite0"


def make(name: str = LITE0, features: str = "fpn", stride: int = 4) -> Backbone:
    torch.manual_seed(0)
    return Backbone(name=name, pretrained=False, features=features, stride=stride, channels=8).eval()


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
