"""Maps of several strides from the one map of a plain ViT.

Li et al., Exploring Plain Vision Transformer Backbones for Object Detection (ViTDet), 2022: a simple feature pyramid.
"""

import math
from collections.abc import Sequence

import torch.nn.functional as F
from timm.layers.norm import LayerNorm2d
from torch import Tensor, nn


class VitPyramid(nn.Module):
    """Makes maps of finer and coarser strides from a map of tokens: by transposed convolutions and by pooling.

    The strides that these give are the patch's, halved or doubled. Where none of them is the wanted one, as of patches
    of 14 px, the map is resampled at the middles of the wanted cells.

    Args:
        channels: of a token.
        patch: pixels per token.
        strides: of the wanted maps, in pixels per cell.
    """

    def __init__(self, *, channels: int, patch: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.patch = patch
        halvings = [round(math.log2(patch / stride)) for stride in strides]
        self.levels = nn.ModuleList(_level(channels, number) for number in halvings)
        self.channels = [channels >> max(0, number) for number in halvings]
        self.strides = list(strides)
        self.own_strides = [patch / 2**number for number in halvings]

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> list[Tensor]:
        """Make the maps of an image of H x W pixels, multiples of all strides.

        Args:
            tokens: (B, channels, h, w). Token k lies between the pixel corners k * patch and (k + 1) * patch.
            size: (H, W) of the padded image. The tokens may end before it; their edge then goes on.

        Returns:
            Per stride a map (B, channels >> halvings, H / stride, W / stride).
        """
        parts = zip(self.levels, self.own_strides, self.strides, strict=True)
        return [resampled(level(tokens), own, stride, size) for level, own, stride in parts]


def _level(channels: int, halvings: int) -> nn.Module:
    """Return layers that halve the stride of a map so many times, or double it if the number is negative."""
    if halvings < 0:
        return nn.MaxPool2d(2**-halvings, ceil_mode=True)
    layers: list[nn.Module] = []
    for number in range(halvings):
        before, after = channels >> number, channels >> (number + 1)
        layers += [nn.ConvTranspose2d(before, after, 2, stride=2), LayerNorm2d(after), nn.GELU()]
    return nn.Sequential(*layers)


def resampled(cells: Tensor, given: float, wanted: int, size: tuple[int, int]) -> Tensor:
    """Resample a map bilinearly at the middles of cells of another stride.

    Args:
        cells: (B, C, h, w); cell k lies between the pixel corners k * given and (k + 1) * given.
        given: pixels per cell of the map.
        wanted: pixels per cell of the result.
        size: (H, W) in pixels, multiples of ``wanted``.

    Returns:
        (B, C, H / wanted, W / wanted). Beyond the middles of the outermost cells of the map these go on.
    """
    height, width = (side // wanted for side in size)
    if given == wanted:
        return cells[..., :height, :width]
    sides = zip(size, cells.shape[-2:], strict=True)
    missing = [max(0, math.ceil((side + wanted) / given) - have) for side, have in sides]
    longer = F.pad(cells, (0, missing[1], 0, missing[0]), mode="replicate")  # so long that no cell of the result lacks
    return F.interpolate(longer, scale_factor=given / wanted, mode="bilinear")[..., :height, :width]
