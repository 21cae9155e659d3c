"""Diffusion on the canvas: labels flow between neighbouring pixels that look alike (not in the paper).

A step averages the probabilities P (Eq. 1) over the neighbours of each pixel, with weights that sum to 1::

    P_i(x) <- sum_o A(x, o) P_i(x + o)
    A(x, o) ~ exp(-|g(x) - g(x + o)|^2 + b(o))            over the offsets o of the step

where g is an embedding of the image at full resolution, the same for all regions, and b(o) is a weight of the offset.
Pixels on the lines of scribbles keep their region after every step, so labels flow from them. The sum over the regions
stays 1: no overlap and no hole. A step is linear and local, so a part of the canvas can be computed from its
surroundings alone.
"""

import functools
import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from fullseg.model.base import Window

FIXED_RADIUS = 3  # px: of the disc of the fixed form
FIXED_COLOUR = 20.0  # of 255: standard deviation of the colour in the fixed form
HIDDEN, EMBEDDING = 16, 6  # channels of the learned embedding's two convolutions
FAR = 1e4  # squared distance to what is beyond the image, so that nothing flows from there
CONTEXT = 3  # px: so far a pixel's embedding looks: 1 by the resizing of the sharp map, 1 by each convolution
LEAST = 1e-8  # is added to all probabilities, so that each has a logarithm

Offset = tuple[int, int]  # (y, x) in pixels


class Diffusion(nn.Module):
    """Lets the labels of a canvas flow.

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
        self.offsets: list[tuple[Offset, ...]] = (
            [tuple((step * y, step * x) for y in (-1, 0, 1) for x in (-1, 0, 1)) for step in dilations]
            if learned
            else [tuple((y, x) for y in disc for x in disc if y * y + x * x <= FIXED_RADIUS**2)]
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

    def embed_window(self, image: Tensor, sharp: Tensor | None, window: Window) -> Tensor:
        """Compute a window of ``embed`` from its surroundings alone.

        Args:
            image: (3, H, W) uint8 RGB.
            sharp: (C, H', W') float, the map at stride 2; unused in the fixed form.
            window: in pixels of the image, h x w pixels.

        Returns:
            (D, h, w) float.
        """
        around = window.grown(0 if self.embedding is None else CONTEXT, (image.shape[1], image.shape[2]))
        left, top = (edge // 2 * 2 for edge in around[:2])  # a cell of the sharp map begins there
        if sharp is not None:
            sharp = sharp[None, :, top // 2 : around.bottom // 2 + 2, left // 2 : around.right // 2 + 2]
        near = self.embed(image[None, :, top : around.bottom, left : around.right], sharp)[0]
        return near[:, window.top - top : window.bottom - top, window.left - left : window.right - left]

    def affinities(self, embedding: Tensor) -> list[Tensor]:
        """Return A of every step.

        Args:
            embedding: (D, H, W) float.

        Returns:
            Per step (T, H, W) float; they sum to 1 over the T offsets.
        """
        squares: dict[tuple[Offset, ...], Tensor] = {}  # distances; steps with the same offsets share them
        for offsets in self.offsets:
            if offsets not in squares:
                squares[offsets] = _SquaredDistances.apply(embedding, offsets)
        pairs = zip(self.offsets, self.biases, strict=True)
        return [(bias[:, None, None] - squares[offsets]).softmax(dim=0) for offsets, bias in pairs]

    def forward(self, probabilities: Tensor, affinities: list[Tensor], decided: Tensor) -> Tensor:
        """Run all steps.

        Args:
            probabilities: (N, H, W) float, in [0, 1].
            affinities: of ``affinities``.
            decided: (H, W) bool, pixels that keep their probabilities.

        Returns:
            (N, H, W) float, in [0, 1].
        """
        keep = decided.to(probabilities.dtype)  # lerp_ with 0 or 1 is exact
        current = probabilities
        for offsets, weights in zip(self.offsets, affinities, strict=True):
            current = _Step.apply(current, weights, offsets).lerp_(probabilities, keep)
        return current


class _SquaredDistances(torch.autograd.Function):
    """|g(x) - g(x + o)|^2, (T, H, W), of an embedding g (D, H, W); very large where x + o is beyond the map.

    The offsets are in rising order, and the opposite of each is one of them, too. The backward pass has its own
    formulas, because autograd would copy the map once per offset.
    """

    @staticmethod
    def forward(ctx: Any, embedding: Tensor, offsets: tuple[Offset, ...]) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(embedding)
        ctx.offsets = offsets
        result = embedding.new_full((len(offsets), *embedding.shape[1:]), FAR)
        for distance, back, offset in zip(result, list(result)[::-1], offsets, strict=True):
            here, there = _overlap(offset, embedding.shape[1:])
            if offset <= (0, 0):  # the distance of x + o and x is that of x and x + o
                distance[here] = (embedding[:, *here] - embedding[:, *there]).square().sum(dim=0)
                back[there] = distance[here]
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (embedding,) = ctx.saved_tensors
        result = torch.zeros_like(embedding)
        for part, back, offset in zip(gradient, list(gradient)[::-1], ctx.offsets, strict=True):
            here, there = _overlap(offset, embedding.shape[1:])
            if offset < (0, 0):
                change = (embedding[:, *here] - embedding[:, *there]) * (2 * (part[here] + back[there]))
                result[:, *here] += change
                result[:, *there] -= change
        return result, None


class _Step(torch.autograd.Function):
    """sum_o A(x, o) P_i(x + o), (N, H, W), of probabilities (N, H, W) and affinities (T, H, W).

    The map is walked as one long row, where x + o is a fixed number of pixels away. Beyond a side of the map this is a
    pixel of another row, but A is 0 there.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, weights: Tensor, offsets: tuple[Offset, ...]) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(values, weights)
        ctx.offsets = offsets
        middle = offsets.index((0, 0))
        result = values * weights[middle]
        row, flat, sums = values.flatten(1), weights.flatten(1), result.flatten(1)
        for number, (here, there) in enumerate(_shifts(offsets, values.shape[1:])):
            if number != middle:
                sums[:, here].addcmul_(row[:, there], flat[number, here])
        return result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, Tensor, None]:  # noqa: ANN401
        values, weights = ctx.saved_tensors
        of_values, of_weights = torch.zeros_like(values), torch.zeros_like(weights)
        row, change = values.flatten(1), gradient.contiguous().flatten(1)
        steps = zip(weights.flatten(1), of_weights.flatten(1), _shifts(ctx.offsets, values.shape[1:]), strict=True)
        for weight, of_weight, (here, there) in steps:
            of_values.flatten(1)[:, there].addcmul_(change[:, here], weight[here])
            of_weight[here] = (change[:, here] * row[:, there]).sum(dim=0)
        return of_values, of_weights, None


@functools.lru_cache(maxsize=4096)
def _shifts(offsets: tuple[Offset, ...], size: tuple[int, int]) -> list[tuple[slice, slice]]:
    """Return per offset the pixels of a map of ``size`` (H, W), as one long row, and those that are so far off."""
    length = size[0] * size[1]
    steps = [y * size[1] + x for y, x in offsets]
    counts = [max(0, length - abs(step)) for step in steps]
    return [
        (slice(max(0, -step), max(0, -step) + count), slice(max(0, step), max(0, step) + count))
        for step, count in zip(steps, counts, strict=True)
    ]


@functools.lru_cache(maxsize=4096)
def _overlap(offset: Offset, size: tuple[int, int]) -> tuple[tuple[slice, slice], tuple[slice, slice]]:
    """Return the part of a map of ``size`` (H, W) whose neighbours x + o are on the map, and these neighbours."""
    sides = list(zip(offset, size, strict=True))
    here = tuple(slice(max(0, -step), max(0, side - max(0, step))) for step, side in sides)
    there = tuple(slice(max(0, step), max(0, side + min(0, step))) for step, side in sides)
    return here, there  # type: ignore[return-value]
