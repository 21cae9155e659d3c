"""Diffusion: sums over neighbours written down with loops over pixels, in double precision."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from fullseg.model.base import Window
from fullseg.model.diffusion import Diffusion, _SquaredDistances, _Step

SIZE = (11, 14)
DILATIONS = [3, 1]


def make(*, learned: bool, dilations: list[int] | None = None) -> Diffusion:
    torch.manual_seed(0)
    diffusion = Diffusion(5, dilations=dilations or DILATIONS, learned=learned)
    if learned:
        for bias in diffusion.biases:
            torch.nn.init.normal_(bias)
    return diffusion


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def offsets_of(learned: bool) -> list[list[tuple[int, int]]]:
    if learned:
        return [[(d * y, d * x) for y in (-1, 0, 1) for x in (-1, 0, 1)] for d in DILATIONS]
    return [[(y, x) for y in range(-3, 4) for x in range(-3, 4) if math.hypot(y, x) <= 3]]


def plain(diffusion: Diffusion, values: Tensor, embedding: Tensor, decided: Tensor) -> Tensor:
    """Run all steps pixel by pixel."""
    current = values
    for step, offsets in enumerate(offsets_of(diffusion.learned)):
        following = current.clone()
        for y in range(values.shape[1]):
            for x in range(values.shape[2]):
                weights, neighbours = [], []
                for number, (down, right) in enumerate(offsets):
                    if 0 <= y + down < values.shape[1] and 0 <= x + right < values.shape[2]:
                        distance = (embedding[:, y, x] - embedding[:, y + down, x + right]).square().sum()
                        weights.append(torch.exp(diffusion.biases[step][number].double() - distance))
                        neighbours.append(current[:, y + down, x + right])
                if not decided[y, x]:
                    following[:, y, x] = torch.stack(neighbours, dim=1) @ torch.stack(weights) / sum(weights)
        current = following
    return current


@pytest.mark.parametrize("learned", [False, True])
def test_equals_loops_over_pixels_with_the_same_gradients(learned: bool) -> None:
    diffusion = make(learned=learned).double()
    values, embedding = random(3, *SIZE).softmax(dim=0).requires_grad_(), random(4, *SIZE, seed=1).requires_grad_()
    decided = random(*SIZE, seed=2) > 1
    leaves = [values, embedding, *(bias for bias in diffusion.biases if bias.requires_grad)]

    ours = diffusion(values, diffusion.affinities(embedding), decided)
    theirs = plain(diffusion, values, embedding, decided)

    torch.testing.assert_close(ours, theirs)
    cotangent = random(*ours.shape, seed=3)
    expected = torch.autograd.grad(theirs, leaves, cotangent)
    for gradient, other in zip(torch.autograd.grad(ours, leaves, cotangent), expected, strict=True):
        torch.testing.assert_close(gradient, other)


@pytest.mark.parametrize("learned", [False, True])
def test_weights_are_positive_sum_to_1_and_nothing_flows_in_from_beyond_the_image(learned: bool) -> None:
    diffusion = make(learned=learned).double()

    for offsets, weights in zip(offsets_of(learned), diffusion.affinities(random(4, *SIZE)), strict=True):
        torch.testing.assert_close(weights.sum(dim=0), torch.ones(SIZE, dtype=torch.float64))
        for (down, right), weight in zip(offsets, weights, strict=True):
            y, x = torch.meshgrid(torch.arange(SIZE[0]) + down, torch.arange(SIZE[1]) + right, indexing="ij")
            inside = (y >= 0) & (y < SIZE[0]) & (x >= 0) & (x < SIZE[1])
            assert (weight > 0).equal(inside)


def test_the_fixed_form_weighs_colour_and_distance_as_two_gaussians() -> None:
    diffusion = make(learned=False).double()
    image = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))

    [weights] = diffusion.affinities(diffusion.embed(image, None)[0].double())

    offsets = offsets_of(learned=False)[0]
    expected = []
    for down, right in offsets:
        squares = (image[0, :, 5, 6].double() - image[0, :, 5 + down, 6 + right].double()).square().sum().item()
        expected.append(math.exp(-squares / (2 * 20**2) - (down**2 + right**2) / (2 * 2**2)))
    torch.testing.assert_close(weights[:, 5, 6], torch.tensor(expected).double() / sum(expected), rtol=1e-5, atol=1e-7)


def test_probabilities_stay_probabilities_and_decided_pixels_their_own() -> None:
    diffusion = make(learned=True).double()
    values, decided = random(4, *SIZE).mul(3).softmax(dim=0), random(*SIZE, seed=1) > 1

    flowed = diffusion(values, diffusion.affinities(random(2, *SIZE, seed=2)), decided)

    torch.testing.assert_close(flowed.sum(dim=0), torch.ones(SIZE, dtype=torch.float64))
    assert flowed.min() >= 0
    assert flowed[:, decided].equal(values[:, decided])
    assert (flowed - values).abs().amax(dim=0)[~decided].min() > 0


def test_a_label_flows_from_a_decided_pixel_as_far_as_the_reach_and_no_farther() -> None:
    diffusion = make(learned=True, dilations=[4, 2, 1]).double()
    assert diffusion.reach == 7
    assert make(learned=False).reach == 3
    values = torch.zeros(2, 21, 21, dtype=torch.float64)
    values[0] = 1
    values[:, 10, 10] = torch.tensor([0, 1])
    decided = values[1] > 0

    flowed = diffusion(values, diffusion.affinities(torch.zeros(1, 21, 21, dtype=torch.float64)), decided)

    reached = (flowed[1] > 0).nonzero()
    assert reached.amin(dim=0).tolist() == [3, 3]
    assert reached.amax(dim=0).tolist() == [17, 17]


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize(
    "window",
    [Window(0, 0, 40, 30), Window(9, 7, 22, 20), Window(10, 8, 40, 30), Window(0, 3, 1, 30), Window(39, 29, 40, 30)],
)
def test_a_window_embedded_by_itself_equals_that_of_the_whole(learned: bool, window: Window) -> None:
    diffusion, rng = make(learned=learned), torch.Generator().manual_seed(0)
    for size in ((30, 40), (31, 41)):  # (H, W): the sharp map reaches beyond the image
        image = torch.randint(0, 256, (3, *size), dtype=torch.uint8, generator=rng)
        sharp = torch.randn(5, 32, 32, generator=rng)

        whole = diffusion.embed(image[None], sharp[None])[0]

        ours = diffusion.embed_window(image, sharp, window)
        torch.testing.assert_close(ours, whole[:, window.top : window.bottom, window.left : window.right])


def test_a_part_with_its_surroundings_equals_the_whole() -> None:
    diffusion = make(learned=True).double()
    values, embedding, decided = random(3, 30, 40).softmax(dim=0), random(4, 30, 40, seed=1), random(30, 40, seed=2) > 1
    whole = diffusion(values, diffusion.affinities(embedding), decided)

    part = Window(10, 8, 19, 20)
    around = part.grown(diffusion.reach, (30, 40))
    y, x = slice(around.top, around.bottom), slice(around.left, around.right)
    ours = diffusion(values[:, y, x], diffusion.affinities(embedding[:, y, x]), decided[y, x])

    top, left = part.top - around.top, part.left - around.left
    inner = ours[:, top : top + 12, left : left + 9]
    torch.testing.assert_close(inner, whole[:, part.top : part.bottom, part.left : part.right])


@pytest.mark.parametrize("function", [_SquaredDistances, _Step])
def test_written_gradients_equal_finite_differences(function: Any) -> None:
    half = [(-9, -9), (-2, 0), (-1, 2), (0, -1)]  # the first reaches beyond the map everywhere
    offsets = (*half, (0, 0), *((-y, -x) for y, x in reversed(half)))
    leaves = (random(3, 5, 6), random(9, 5, 6, seed=1))[: 1 if function is _SquaredDistances else 2]
    inputs = [leaf.requires_grad_() for leaf in leaves]

    assert torch.autograd.gradcheck(lambda *given: function.apply(*given, offsets), inputs)
