"""Diffusion on the canvas: labels flow between neighbouring pixels that look alike (not in the paper).

A step averages the probabilities P (Eq. 1) over the neighbours of each pixel, with weights that sum to 1::

    P_i(x) <- sum_o A(x, o) P_i(x + o)
    A(x, o) ~ exp(-|g(x) - g(x + o)|^2 + b(o))            over the offsets o of the step

where g is an embedding of the image at full resolution, the same for all regions. Pixels on the lines of scribbles keep
their region after every step, so labels flow from them. The sum over the regions stays 1: no overlap and no hole. A
step is linear and local, so a part of the canvas can be computed from its surroundings alone.
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FIXED_RADIUS = 3  # px: of the disc of the fixed form
FIXED_COLOUR = 20.0  # of 255: standard deviation of the colour in the fixed form
HIDDEN, EMBEDDING = 16, 6  # channels of the learned embedding's two convolutions
FAR = 1e4  # embedding beyond the image, so that nothing flows from there
LEAST = 1e-8  # probability: smaller ones have no logit


class Diffusion(nn.Module):
    """Lets the regions of a canvas flow.

    Args:
        channels: of the sharp feature map; unused in the fixed form.
        dilations: of the steps, in pixels; each step looks at 3 x 3 pixels.
        learned: the embedding and the offsets' weights are trained. If false, g is the colour, and there is one step
            over a disc.
    """

    def __init__(self, channels: int, *, dilations: list[int], learned: bool) -> None:
        super().__init__()
        self.learned = learned
        disc = range(-FIXED_RADIUS, FIXED_RADIUS + 1)
        self.offsets = (
            [[(step * y, step * x) for y in (-1, 0, 1) for x in (-1, 0, 1)] for step in dilations]
            if learned
            else [[(y, x) for y in disc for x in disc if y * y + x * x <= FIXED_RADIUS**2]]
        )
        self.reach = sum(max(x for _, x in offsets) for offsets in self.offsets)  # px
        self.biases = nn.ParameterList(
            nn.Parameter(
                torch.tensor([-(y * y + x * x) / 2 / (FIXED_RADIUS / 1.5) ** 2 for y, x in offsets]) * (not learned),
                requires_grad=learned,
            )
            for offsets in self.offsets
        )
        weight = torch.tensor(math.log(255 / FIXED_COLOUR / math.sqrt(2)))
        self.log_colour = nn.Parameter(weight, requires_grad=learned)
        self.embedding: nn.Sequential | None = None
        if learned:
            self.embedding = nn.Sequential(
                nn.Conv2d(channels + 3, HIDDEN, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(HIDDEN, EMBEDDING, 3, padding=1, bias=False),
            )

    def embed(self, images: Tensor, sharp: Tensor | None) -> Tensor:
        """Compute what the affinities compare, once per image.

        Args:
            images: (B, 3, H, W) uint8 RGB.
            sharp: (B, C, H', W') float, the map at stride 2; unused in the fixed form.

        Returns:
            (B, D, H, W) float.
        """
        colour = images.float() / 255
        own = self.log_colour.exp() * colour
        if self.embedding is None or sharp is None:
            return own
        height, width = images.shape[-2:]
        near = F.interpolate(sharp.float(), scale_factor=2, mode="bilinear")[..., :height, :width]
        return torch.cat([own, self.embedding(torch.cat([near, 2 * colour - 1], dim=1)).float()], dim=1)

    def affinities(self, embedding: Tensor) -> list[Tensor]:
        """Return A of every step.

        Args:
            embedding: (D, H, W) float.

        Returns:
            Per step (T, H, W) float; they sum to 1 over the T offsets.
        """
        known: dict[str, Tensor] = {}
        result = []
        for offsets, bias in zip(self.offsets, self.biases, strict=True):
            key = str(offsets)
            if key not in known:
                around = F.pad(embedding, 4 * (_margin(offsets),), value=FAR)
                known[key] = torch.stack([(embedding - near).square().sum(0) for near in _shifted(around, offsets)])
            result.append((bias[:, None, None] - known[key]).softmax(dim=0))
        return result

    def forward(self, probabilities: Tensor, affinities: list[Tensor], decided: Tensor) -> Tensor:
        """Run all steps.

        Args:
            probabilities: (N, H, W) float, in [0, 1].
            affinities: of ``affinities``.
            decided: (H, W) bool, pixels that keep their probabilities.

        Returns:
            (N, H, W) float, in [0, 1].
        """
        current = probabilities
        for offsets, weights in zip(self.offsets, affinities, strict=True):
            around = F.pad(current, 4 * (_margin(offsets),))
            flowed = torch.zeros_like(current)
            for near, weight in zip(_shifted(around, offsets), weights, strict=True):
                flowed = flowed + weight * near
            current = torch.where(decided, probabilities, flowed)
        return current


def _margin(offsets: list[tuple[int, int]]) -> int:
    return max(x for _, x in offsets)


def _shifted(around: Tensor, offsets: list[tuple[int, int]]) -> list[Tensor]:
    """Return views of a padded map (C, H + 2 m, W + 2 m), one per offset: (C, H, W) at x + o."""
    margin = _margin(offsets)
    height, width = (side - 2 * margin for side in around.shape[1:])
    return [around[:, margin + y : margin + y + height, margin + x : margin + x + width] for y, x in offsets]
