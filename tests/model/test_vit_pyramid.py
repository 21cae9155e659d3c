"""The pyramid of a plain ViT: cells of every stride lie where the image has them."""

import pytest
import torch
from torch import Tensor, nn

from fullseg.model.backbone import Backbone
from fullseg.model.vit_pyramid import VitPyramid, resampled


@pytest.mark.parametrize(("given", "wanted"), [(14, 16), (7, 8), (3.5, 4), (28, 32), (16, 8), (14, 4)])
def test_a_ramp_has_the_value_of_the_pixel_in_the_middle_of_each_cell(given: float, wanted: int) -> None:
    size = (96, 160)
    y, x = ((torch.arange(-(-side // given)) + 0.5) * given for side in size)
    cells = (y[:, None] + 1000 * x)[None, None]

    found = resampled(cells, given, wanted, size)[0, 0]

    assert found.shape == (96 // wanted, 160 // wanted)
    y, x = ((torch.arange(side // wanted) + 0.5) * wanted for side in size)
    expected = y[:, None] + 1000 * x
    inside = (y[:, None] >= given) & (y[:, None] <= size[0] - given) & (x >= given) & (x <= size[1] - given)
    assert inside.float().mean() >= 0.2
    torch.testing.assert_close(found[inside], expected[inside])


def test_beyond_the_last_token_its_value_goes_on() -> None:
    found = resampled(torch.tensor([[[[1.0, 2.0, 3.0]]]]), 14, 16, (32, 64))  # tokens to x = 42 and y = 14
    assert found[0, 0, 0, -1] == 3
    torch.testing.assert_close(found[0, 0, 0], found[0, 0, 1])


def test_cells_that_fit_already_are_not_changed() -> None:
    cells = torch.rand(1, 3, 4, 6)
    assert torch.equal(resampled(cells, 16, 16, (64, 96)), cells)


@pytest.mark.parametrize("patch", [8, 14, 16, 32])
def test_levels_have_their_strides_and_channels(patch: int) -> None:
    pyramid = VitPyramid(channels=32, patch=patch, strides=(4, 8, 16, 32))
    halvings = {8: [1, 0, 0, 0], 14: [2, 1, 0, 0], 16: [2, 1, 0, 0], 32: [3, 2, 1, 0]}[patch]
    maps = pyramid(torch.rand(2, 32, -(-64 // patch), -(-96 // patch)), (64, 96))
    assert pyramid.channels == [32 >> number for number in halvings]
    assert [tuple(each.shape) for each in maps] == [
        (2, channels, 64 // stride, 96 // stride)
        for channels, stride in zip(pyramid.channels, (4, 8, 16, 32), strict=True)
    ]


def test_a_token_stays_in_its_place_on_all_levels() -> None:
    pyramid = VitPyramid(channels=8, patch=16, strides=(4, 8, 16, 32))
    tokens = torch.zeros(1, 8, 4, 6)
    moved = tokens.clone()
    moved[:, :, 1, 3] = 1
    with torch.no_grad():
        for stride, before, after in zip(
            (4, 8, 16, 32), pyramid(tokens, (64, 96)), pyramid(moved, (64, 96)), strict=True
        ):
            y, x = (before != after).any(dim=1)[0].nonzero().T
            assert y.min() == 16 // stride
            assert y.max() == max(0, 32 // stride - 1)
            assert x.min() == 48 // stride
            assert x.max() == 64 // stride - 1


class Patches(nn.Module):
    """A body whose tokens see their own patch alone."""

    def __init__(self, channels: int, patch: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, channels, patch, stride=patch)

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.convolution(images)]


@pytest.mark.parametrize(("features", "stride"), [("c4", 16), ("c4", 8), ("fpn", 4), ("fpn", 8)])
@pytest.mark.parametrize(("name", "patch", "shift"), [("eva02_tiny_patch14_224", 14, 224), ("test_vit", 16, 32)])
def test_an_image_that_moves_by_whole_patches_and_cells_moves_its_map(
    features: str, stride: int, name: str, patch: int, shift: int
) -> None:
    torch.manual_seed(0)
    backbone = Backbone(name=name, pretrained=False, features=features, stride=stride, channels=8).eval()
    assert backbone.pyramid is not None
    backbone.body = Patches(192 if patch == 14 else 64, patch)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (1, 3, 448, 224), dtype=torch.uint8, generator=generator)

    with torch.no_grad():
        whole, moved = backbone(images)[0], backbone(images[:, :, shift:])[0]

    rim = 64 // stride + 1  # cells whose neighbours are beyond the border
    expected = whole[:, :, shift // stride :][:, :, rim:-rim]
    torch.testing.assert_close(moved[:, :, rim:-rim], expected, rtol=1e-4, atol=1e-5)
    assert expected.std() > 0.01
