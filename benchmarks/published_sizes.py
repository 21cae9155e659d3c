"""Networks of the published sizes of other methods, of torch's layers, where no package is at hand.

They take as much time as the originals. Their weights are random.
"""

import numpy as np
import timm
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from fullseg.types import Annotations

WIDTH, HEADS, MLP = 256, 8, 2048  # of SAM's mask decoder (Kirillov et al., Segment Anything, 2023, Sec. A)
GRID = 64  # cells on each side of SAM's image embedding
RITM_CROP = 384  # px: RITM looks at the region in a crop; its own evaluation takes about 400


class Attention(nn.Module):
    """Attention whose inner width may be smaller."""

    def __init__(self, inner: int) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(WIDTH, inner) for _ in range(3))
        self.out = nn.Linear(inner, WIDTH)

    def forward(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Let queries (B, Q, C) attend to keys and values (B, K, C)."""
        parts = (layer(part) for layer, part in ((self.query, query), (self.key, key), (self.value, value)))
        query, key, value = (part.unflatten(2, (HEADS, -1)).transpose(1, 2) for part in parts)
        return self.out(F.scaled_dot_product_attention(query, key, value).transpose(1, 2).flatten(2))


class TwoWayBlock(nn.Module):
    """Tokens attend to themselves and to the image, then the image attends to the tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.among, self.to_image, self.to_tokens = Attention(WIDTH), Attention(WIDTH // 2), Attention(WIDTH // 2)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, MLP), nn.ReLU(), nn.Linear(MLP, WIDTH))
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(4))

    def forward(self, tokens: Tensor, image: Tensor, prompts: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
        """Return new tokens (B, T, C) and a new image (B, P, C); prompts and places are added to queries and keys."""
        asked = tokens + prompts
        tokens = self.norms[0](tokens + self.among(asked, asked, tokens))
        tokens = self.norms[1](tokens + self.to_image(tokens + prompts, image + places, image))
        tokens = self.norms[2](tokens + self.mlp(tokens))
        image = self.norms[3](image + self.to_tokens(image + places, tokens + prompts, tokens))
        return tokens, image


class SamDecoder(nn.Module):
    """The mask decoder: two blocks, an attention to the image, two transposed convolutions, an MLP per mask."""

    def __init__(self) -> None:
        super().__init__()
        self.own = nn.Parameter(torch.randn(5, WIDTH))  # tokens of the score and of four masks
        self.places = nn.Parameter(torch.randn(1, GRID * GRID, WIDTH))
        self.blocks = nn.ModuleList(TwoWayBlock() for _ in range(2))
        self.last, self.norm = Attention(WIDTH // 2), nn.LayerNorm(WIDTH)
        self.enlarge = nn.ModuleList([nn.ConvTranspose2d(WIDTH, 64, 2, 2), nn.ConvTranspose2d(64, 32, 2, 2)])
        self.between = nn.GroupNorm(1, 64)
        self.masks = nn.ModuleList(_mlp(32) for _ in range(4))
        self.score = _mlp(4)

    def forward(self, embedding: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
        """Run it on prompts (N, T, C) and an embedding (1, C, GRID, GRID).

        Returns:
            Masks (N, 4, 4 GRID, 4 GRID) and scores (N, 4).
        """
        count = len(prompts)
        asked = torch.cat([self.own.expand(count, -1, -1), prompts], dim=1)
        tokens, image = asked, embedding.flatten(2).mT.expand(count, -1, -1)
        for block in self.blocks:
            tokens, image = block(tokens, image, asked, self.places)
        tokens = self.norm(tokens + self.last(tokens + asked, image + self.places, image))
        large = F.gelu(self.between(self.enlarge[0](image.mT.unflatten(2, (GRID, GRID)))))
        large = F.gelu(self.enlarge[1](large))
        weights = torch.stack([mlp(tokens[:, 1 + number]) for number, mlp in enumerate(self.masks)], dim=1)
        return (weights @ large.flatten(2)).unflatten(2, large.shape[2:]), self.score(tokens[:, 0])


def _mlp(out: int) -> nn.Sequential:
    layers = [nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, out)]
    return nn.Sequential(*layers)


class SizedSam:
    """SAM's decoder on the regions whose scribbles have changed, without the encoder, which runs once per image."""

    def __init__(self, device: str, precision: torch.dtype) -> None:
        self.model = SamDecoder().eval().to(device, precision)
        self.embedding = torch.randn(1, WIDTH, GRID, GRID, device=device, dtype=precision)
        self.size, self.before = (0, 0), 0

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Forget the regions."""
        self.size, self.before = (image.shape[0], image.shape[1]), 0

    @torch.inference_mode()
    def decode(self, regions: int) -> Tensor:
        """Return the labels (H, W) of so many regions, each with five points."""
        prompts = self.embedding.new_ones(regions, 5, WIDTH)
        masks = self.model(self.embedding, prompts)[0][:, :1]
        return F.interpolate(masks, size=self.size, mode="bilinear")[:, 0].argmax(dim=0)

    def update(self, annotations: Annotations) -> None:
        """Decode the regions of the scribbles that are new, or all without any."""
        self.decode(changed_regions(annotations, self.before)).cpu()
        self.before = len(annotations.scribbles)


class SizedRitm:
    """RITM: a pass of a whole HRNet-18s, on a crop around the region, per region whose scribbles have changed."""

    def __init__(self, device: str, precision: torch.dtype, crop: int) -> None:
        body = timm.create_model(
            "hrnet_w18_small_v2", features_only=True, pretrained=False, in_chans=6
        )  # RGB, clicks, earlier mask
        head = nn.Sequential(nn.Conv2d(sum(body.feature_info.channels()[1:]), 64, 1), nn.ReLU(), nn.Conv2d(64, 1, 1))
        self.body, self.head = (part.eval().to(device, precision) for part in (body, head))
        self.crops, self.before = torch.zeros(1, 6, crop, crop, device=device, dtype=precision), 0

    def set_image(self, image: NDArray[np.uint8]) -> None:  # noqa: ARG002  it looks at crops
        """Forget the regions."""
        self.before = 0

    @torch.inference_mode()
    def update(self, annotations: Annotations) -> None:
        """Segment the regions of the scribbles that are new, or all without any."""
        regions = changed_regions(annotations, self.before)
        maps = self.body(self.crops.expand(regions, -1, -1, -1))[1:]
        maps = torch.cat([F.interpolate(each, size=maps[0].shape[2:], mode="bilinear") for each in maps], dim=1)
        F.interpolate(self.head(maps), size=self.crops.shape[2:], mode="bilinear").gt(0).cpu()
        self.before = len(annotations.scribbles)


def changed_regions(annotations: Annotations, before: int) -> int:
    """Return how many regions have new scribbles since there were so many; all regions if there is no new one."""
    return len({scribble.region for scribble in annotations.scribbles[before:]}) or len(annotations.extreme_points)
