"""The losses: Eq. 3 pixel by pixel, binary cross-entropy cell by cell, and what must not count."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from fullseg.model import image_canvas
from fullseg.model.losses import LOSSES, MaskwiseLoss, PixelwiseLoss, class_loss
from fullseg.types import VOID

both_losses = pytest.mark.parametrize("loss", [PixelwiseLoss(), MaskwiseLoss()], ids=["pixelwise", "maskwise"])


def random_logits(regions: int, cells: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(regions, cells, cells, dtype=torch.float64, generator=generator).requires_grad_()


def random_truth(regions: int, size: tuple[int, int], low: int = VOID) -> Tensor:
    """Return blocks of random regions, and of VOID and others from ``low`` on; a region may lie outside its own box."""
    coarse = np.random.default_rng(0).integers(low, regions, (-(-size[0] // 3), -(-size[1] // 3)))
    return torch.from_numpy(coarse.repeat(3, axis=0).repeat(3, axis=1)[: size[0], : size[1]])


def resized(region_logits: Tensor, corners: list[list[int]]) -> list[Tensor]:
    """Resize every region's logits to its box, by torch."""
    return [
        F.interpolate(logits[None, None], size=(y1 - y0, x1 - x0), mode="bilinear", align_corners=False)[0, 0]
        for logits, (x0, y0, x1, y1) in zip(region_logits, corners, strict=True)
    ]


def plain_pixelwise(region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
    """Eq. 3 by a loop over pixels."""
    corners = boxes.int().tolist()
    crops = resized(region_logits, corners)
    total = region_logits.new_zeros(())
    for y, row in enumerate(region_map.tolist()):
        for x, own in enumerate(row):
            here = {j: box for j, box in enumerate(corners) if box[0] <= x < box[2] and box[1] <= y < box[3]}
            if own not in here:  # VOID, or outside the box of its own region
                continue
            logits = torch.stack([crops[j][y - y0, x - x0] for j, (x0, y0, _, _) in here.items()])
            probability = logits.softmax(dim=0)[list(here).index(own)]
            total = total - probability.log() / min((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in here.values())
    return total / len(boxes)


def plain_maskwise(region_logits: Tensor, boxes: Tensor, region_map: Tensor) -> Tensor:
    """Loop over regions with torchvision: a cell weighs its part that is not VOID, of which the target is the share."""
    cells = region_logits.shape[-1]
    total = region_logits.new_zeros(())
    for region, (logits, box) in enumerate(zip(region_logits, boxes, strict=True)):
        masks = torch.stack([region_map == region, region_map != VOID]).to(torch.float64)[None]
        rois = torchvision.ops.roi_align(masks, [box[None]], cells, 1.0, sampling_ratio=0, aligned=True)
        truth, weight = rois[0]
        known = weight > 0
        entropy = F.binary_cross_entropy_with_logits(logits[known], (truth / weight)[known], reduction="none")
        total = total + (weight[known] * entropy).sum()
    return total / region_logits.numel()


def assert_same_values_and_gradients(ours: Tensor, plain: Tensor, logits: Tensor) -> None:
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12)
    (gradient,), (expected,) = (torch.autograd.grad(value, logits) for value in (ours, plain))
    torch.testing.assert_close(gradient, expected, rtol=1e-8, atol=1e-12)


def test_pixelwise_equals_a_loop_over_pixels(boxes: Tensor, size: tuple[int, int]) -> None:
    logits, truth = random_logits(len(boxes), 7), random_truth(len(boxes), size)
    truth[9, 7] = 0  # the box of 1 px holds a pixel

    plain = plain_pixelwise(logits, boxes, truth)

    assert (plain.item() > 0) == (len(boxes) > 1)  # a single region has no rival, so its probability is 1
    assert_same_values_and_gradients(PixelwiseLoss()(logits, boxes, truth), plain, logits)


@pytest.mark.parametrize("tile", [1, 5, 16, 1000])
def test_pixelwise_is_the_same_in_tiles_of_any_size(
    boxes: Tensor, size: tuple[int, int], tile: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits, truth = random_logits(len(boxes), 7), random_truth(len(boxes), size)
    monkeypatch.setattr(image_canvas, "TILE", 10**6)
    whole = PixelwiseLoss()(logits, boxes, truth)

    monkeypatch.setattr(image_canvas, "TILE", tile)

    assert_same_values_and_gradients(PixelwiseLoss()(logits, boxes, truth), whole, logits)


@pytest.mark.parametrize("cells", [7, 14])
def test_maskwise_equals_torchvision_and_binary_cross_entropy(boxes: Tensor, size: tuple[int, int], cells: int) -> None:
    logits, truth = random_logits(len(boxes), cells), random_truth(len(boxes), size)
    truth[9, 7] = 0

    plain = plain_maskwise(logits, boxes, truth)

    assert plain.item() > 0
    assert_same_values_and_gradients(MaskwiseLoss()(logits, boxes, truth), plain, logits)


@both_losses
def test_gradient_equals_finite_differences(loss: nn.Module) -> None:
    boxes = torch.tensor([[0, 0, 9, 7], [2, 1, 6, 4], [8, 6, 9, 7]], dtype=torch.float64)
    truth = random_truth(3, (7, 9))

    assert torch.autograd.gradcheck(lambda logits: loss(logits, boxes, truth), random_logits(3, 4))


def test_pixelwise_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0], [0.0, 0.0, 2.0, 2.0]])
    truth = torch.zeros(4, 4, dtype=torch.int64)
    truth[0, 0] = 1
    truth[3, 3] = VOID

    # 4 pixels with two equal candidates, in a box of 4 px^2; elsewhere region 0 is alone and certain; N = 2.
    expected = 4 * math.log(2) / 4 / 2

    assert float(PixelwiseLoss()(torch.zeros(2, 7, 7), boxes, truth)) == pytest.approx(expected, rel=1e-6)


def test_maskwise_by_hand() -> None:
    boxes = torch.tensor([[0.0, 0.0, 4.0, 4.0]])
    truth = torch.zeros(4, 4, dtype=torch.int64)
    truth[0, 0] = VOID  # a quarter of the first of the 2 x 2 cells
    logits = torch.tensor([[[0.0, 0.0], [0.0, 100.0]]])

    expected = math.log(2) * (0.75 + 1 + 1) / 4

    assert float(MaskwiseLoss()(logits, boxes, truth)) == pytest.approx(expected, rel=1e-6)


@both_losses
def test_void_and_pixels_outside_their_own_box_change_nothing(loss: nn.Module) -> None:
    boxes = torch.tensor([[0, 0, 8, 8], [4, 4, 12, 12]], dtype=torch.float64)
    logits, truth = random_logits(2, 4), torch.full((13, 15), VOID)
    truth[1:5, 1:5] = 0
    truth[6:11, 6:11] = 1
    before = loss(logits, boxes, truth)

    truth[12, 12:] = 0  # in no box

    torch.testing.assert_close(loss(logits, boxes, truth), before)


@both_losses
def test_all_void_costs_nothing_and_has_no_gradient(loss: nn.Module, boxes: Tensor, size: tuple[int, int]) -> None:
    logits = random_logits(len(boxes), 7)

    value = loss(logits, boxes, torch.full(size, VOID))
    value.backward()

    assert value.item() == 0
    assert torch.equal(logits.grad, torch.zeros_like(logits))


@both_losses
def test_region_without_pixel_is_pushed_down(loss: nn.Module) -> None:
    boxes = torch.tensor([[0, 0, 15, 13], [2, 3, 9, 8]], dtype=torch.float64)
    logits = random_logits(2, 5)

    loss(logits, boxes, torch.zeros(13, 15, dtype=torch.int64)).backward()

    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[1] > 0).all()


@both_losses
def test_no_region_costs_nothing(loss: nn.Module) -> None:
    logits = random_logits(0, 7)

    value = loss(logits, torch.zeros(0, 4, dtype=torch.float64), torch.full((13, 15), VOID))
    value.backward()

    assert value.item() == 0
    assert value.shape == ()


@both_losses
@pytest.mark.parametrize("logit", [-1e3, 1e3])
def test_very_sure_logits_give_finite_loss_and_gradient(loss: nn.Module, logit: float, size: tuple[int, int]) -> None:
    boxes = torch.tensor([[0, 0, 53, 37], [3, 5, 30, 22]], dtype=torch.float64)
    logits = torch.full((2, 7, 7), logit, dtype=torch.float64)
    logits[1] *= -1
    logits.requires_grad_()

    value = loss(logits, boxes, random_truth(2, size))
    value.backward()

    assert value.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@both_losses
def test_perfect_prediction_costs_nothing_and_a_step_downhill_costs_less(loss: nn.Module) -> None:
    side = 21  # the box is the image and a cell is a pixel, so logits can be perfect
    boxes = torch.tensor([[0, 0, side, side]], dtype=torch.float64).expand(3, -1)
    truth = random_truth(3, (side, side))
    perfect = torch.where(truth == torch.arange(3)[:, None, None], 30.0, -30.0).double()
    assert float(loss(perfect, boxes, truth)) < 1e-6

    logits = random_logits(3, side)
    before = loss(logits, boxes, truth)
    (gradient,) = torch.autograd.grad(before, logits)
    after = loss(logits - 10 * gradient, boxes, truth)

    assert before.item() > 0.1
    assert after.item() < before.item()


@pytest.mark.parametrize(("name", "compete"), [("pixelwise", True), ("maskwise", False)])
def test_regions_compete_in_the_pixelwise_loss_only(name: str, compete: bool) -> None:
    boxes = torch.tensor([[0, 0, 15, 13], [2, 3, 9, 8]], dtype=torch.float64)
    truth = torch.zeros(13, 15, dtype=torch.int64)
    truth[3:8, 2:9] = 1
    logits = random_logits(2, 5)
    raised = (logits.detach() + torch.tensor([3.0, 0.0])[:, None, None]).requires_grad_()

    before, after = (torch.autograd.grad(LOSSES[name]()(each, boxes, truth), each)[0][1] for each in (logits, raised))

    if compete:  # the surer its rival, the larger the gradient of region 1
        assert (after < before - 1e-4).all()
    else:
        assert torch.equal(after, before)


def test_class_loss_is_the_mean_over_images_of_the_means_over_their_regions() -> None:
    logits, classes = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 2, 1, 1, 0])
    per_image = [F.cross_entropy(logits[part], classes[part]) for part in (slice(0, 4), slice(4, 5))]

    found = class_loss(logits, classes, torch.tensor([4, 1]))

    torch.testing.assert_close(found, torch.stack(per_image).mean())
