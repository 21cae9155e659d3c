"""The losses of models with background, and that of DEXTR, against loops over pixels and cells."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fullseg.model import image_canvas
from fullseg.model.losses import ClassBalancedLoss, MaskwiseLoss, PixelwiseLoss
from fullseg.types import BACKGROUND, VOID
from tests.model.test_losses import random_logits, random_truth, resized

SIZE = (13, 17)
BOXES = torch.tensor([[1, 2, 9, 8], [5, 0, 16, 12], [10, 9, 12, 13]], dtype=torch.float64)


def competing_with_0(region_logits: Tensor, region_map: Tensor) -> Tensor:
    """Eq. 3 by a loop over pixels; the background competes with logit 0."""
    corners = BOXES.int().tolist()
    crops = resized(region_logits, corners)
    total = region_logits.new_zeros(())
    for y, row in enumerate(region_map.tolist()):
        for x, own in enumerate(row):
            here = {j: box for j, box in enumerate(corners) if box[0] <= x < box[2] and box[1] <= y < box[3]}
            if not here or own == VOID or (own >= 0 and own not in here):
                continue
            logits = [crops[j][y - y0, x - x0] for j, (x0, y0, _, _) in here.items()]
            probabilities = torch.stack([*logits, region_logits.new_zeros(())]).softmax(dim=0)
            probability = probabilities[-1 if own == BACKGROUND else list(here).index(own)]
            total = total - probability.log() / min((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in here.values())
    return total / len(BOXES)


@pytest.mark.parametrize("tile", [4, 1000])
def test_the_background_competes_with_logit_0(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_canvas, "TILE", tile)
    logits, truth = random_logits(3, 5), random_truth(3, SIZE, BACKGROUND)
    assert {BACKGROUND, VOID} <= set(truth.unique().tolist())

    ours, plain = PixelwiseLoss()(logits, BOXES, truth, background=True), competing_with_0(logits, truth)

    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
    gradient, expected = (torch.autograd.grad(value, logits)[0] for value in (ours, plain))
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("tile", [4, 1000])
def test_a_model_without_background_does_not_count_it(tile: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_canvas, "TILE", tile)
    logits, truth = random_logits(3, 5), random_truth(3, SIZE, BACKGROUND)
    as_void = torch.where(truth == BACKGROUND, VOID, truth)

    torch.testing.assert_close(PixelwiseLoss()(logits, BOXES, truth), PixelwiseLoss()(logits, BOXES, as_void))


def test_one_object_alone_is_binary_cross_entropy() -> None:
    truth = torch.full((8, 8), BACKGROUND)
    truth[:, :3] = 0
    logits = torch.randn(1, 8, 8, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    box = torch.tensor([[0, 0, 8, 8]], dtype=torch.float64)

    expected = F.binary_cross_entropy_with_logits(logits[0], (truth == 0).double())
    torch.testing.assert_close(PixelwiseLoss()(logits, box, truth, background=True), expected)
    torch.testing.assert_close(MaskwiseLoss()(logits, box, truth), expected)


def test_class_balanced_equals_a_loop_over_cells() -> None:
    boxes = torch.tensor(
        [[2, 3, 10, 11], [-4, -2, 4, 6], [12, 8, 20, 16]], dtype=torch.float64
    )  # 8 x 8 px: one cell per pixel
    logits, truth = random_logits(3, 8), random_truth(3, SIZE, BACKGROUND)
    for region, (x, y) in enumerate([(3, 4), (1, 2), (14, 10)]):
        truth[y : y + 2, x] = region  # every region has a pixel in its box

    total = logits.new_zeros(())
    for region, (x0, y0, _, _) in enumerate(boxes.int().tolist()):
        inside, outside = [], []
        for y in range(8):
            for x in range(8):
                on_image = 0 <= y0 + y < SIZE[0] and 0 <= x0 + x < SIZE[1]
                found = int(truth[y0 + y, x0 + x]) if on_image else BACKGROUND
                if found != VOID:
                    (inside if found == region else outside).append(logits[region, y, x])
        count = len(inside) + len(outside)
        assert inside
        assert outside
        positive = sum((1 + (-logit).exp()).log() for logit in inside)
        negative = sum((1 + logit.exp()).log() for logit in outside)
        total = total + (len(outside) * positive + len(inside) * negative) / count**2
    plain = total / 3

    ours = ClassBalancedLoss()(logits, boxes, truth)
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
    gradient, expected = (torch.autograd.grad(value, logits)[0] for value in (ours, plain))
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)


def test_a_few_cells_inside_weigh_as_much_as_all_others() -> None:
    truth = torch.full((16, 16), BACKGROUND)
    truth[4:6, 4:6] = 0
    logits = torch.zeros(1, 16, 16, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        ClassBalancedLoss()(logits, torch.tensor([[0, 0, 16, 16]], dtype=torch.float64), truth), logits
    )
    assert float(gradient[0, 4:6, 4:6].sum()) == pytest.approx(-float(gradient.sum() - gradient[0, 4:6, 4:6].sum()))
    assert float(gradient[0, 4, 4]) == pytest.approx(-252 / 256**2 / 2)


def test_a_crop_that_is_all_void_or_no_region_gives_0_and_a_gradient() -> None:
    logits = torch.randn(1, 8, 8, requires_grad=True)
    box = torch.tensor([[0.0, 0, 8, 8]])
    loss = ClassBalancedLoss()(logits, box, torch.full((8, 8), VOID))
    loss.backward()
    assert float(loss.detach()) == 0
    assert logits.grad is not None
    assert not logits.grad.any()
    assert math.isclose(float(ClassBalancedLoss()(logits[:0].detach(), box[:0], torch.full((8, 8), 0))), 0)
