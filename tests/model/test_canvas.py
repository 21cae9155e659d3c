"""The canvas: plain resizing into every box, one winner at each covered pixel, VOID elsewhere."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fullseg.model.canvas import OUTSIDE_LOGIT, fill_boxes, probabilities_of, project_to_canvas, region_map_of
from fullseg.types import VOID

BOX = torch.tensor([[2.0, 1.0, 5.0, 3.0]])  # columns 2-4, rows 1-2


def plain_canvas(region_logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize one region after the other and paste it."""
    layers = []
    for logits, (x0, y0, x1, y1) in zip(region_logits, boxes.int().tolist(), strict=True):
        inside = F.interpolate(logits[None, None], size=(y1 - y0, x1 - x0), mode="bilinear", align_corners=False)
        layers.append(F.pad(inside[0, 0], (x0, size[1] - x1, y0, size[0] - y1), value=OUTSIDE_LOGIT))
    return torch.stack(layers)


def random_logits(regions: int, height: int, width: int) -> Tensor:
    return torch.randn(regions, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def assert_same_values_and_gradients(logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> None:
    logits = logits.requires_grad_()
    ours, plain = project_to_canvas(logits, boxes, size), plain_canvas(logits, boxes, size)
    torch.testing.assert_close(ours, plain, rtol=1e-10, atol=1e-10)
    cotangent = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(1))
    (gradient,), (expected,) = (torch.autograd.grad(canvas, logits, cotangent) for canvas in (ours, plain))
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-9)


def covered(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    result = torch.zeros(size, dtype=torch.bool)
    for x0, y0, x1, y1 in boxes.int().tolist():
        result[y0:y1, x0:x1] = True
    return result


def test_equals_plain_resizing_inside_the_box_and_nothing_outside() -> None:
    logits = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0]]])
    expected = torch.full((1, 4, 6), OUTSIDE_LOGIT)
    expected[:, 1:3, 2:5] = F.interpolate(logits[None], size=(2, 3), mode="bilinear")[0]

    torch.testing.assert_close(project_to_canvas(logits, BOX, size=(4, 6)), expected)


@pytest.mark.parametrize("cells", [1, 7, 33, 41])
def test_equals_resizing_region_by_region(boxes: Tensor, size: tuple[int, int], cells: int) -> None:
    assert_same_values_and_gradients(random_logits(len(boxes), cells, cells), boxes, size)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_equals_resizing_for_any_box_and_cells(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 60)), data.draw(st.integers(1, 60))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    box = [x0, y0, data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))]
    logits = random_logits(1, data.draw(st.integers(1, 20)), data.draw(st.integers(1, 20)))

    assert_same_values_and_gradients(logits, torch.tensor([box], dtype=torch.float64), (height, width))


def test_float32_is_close_to_float64(boxes: Tensor, size: tuple[int, int]) -> None:
    logits = random_logits(len(boxes), 41, 41)

    single = project_to_canvas(logits.float(), boxes.float(), size)

    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), plain_canvas(logits, boxes, size), rtol=1e-4, atol=1e-4)


def test_one_box_per_region_or_an_error_that_counts_them() -> None:
    with pytest.raises(ValueError, match=r"^2 regions but 1 boxes$"):
        project_to_canvas(torch.zeros(2, 7, 7), BOX, size=(4, 6))


def test_each_pixel_goes_to_the_largest_logit_of_the_boxes_that_cover_it(boxes: Tensor, size: tuple[int, int]) -> None:
    canvas = project_to_canvas(random_logits(len(boxes), 7, 7), boxes, size)
    expected = torch.full(size, VOID)
    for y in range(size[0]):
        for x in range(size[1]):
            best = -float("inf")
            for region, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
                if x0 <= x < x1 and y0 <= y < y1 and float(canvas[region, y, x]) > best:
                    best, expected[y, x] = float(canvas[region, y, x]), region

    assert torch.equal(region_map_of(canvas), expected)


def test_ties_go_to_one_region_and_leave_no_hole(boxes: Tensor, size: tuple[int, int]) -> None:
    regions = region_map_of(project_to_canvas(torch.zeros(len(boxes), 7, 7), boxes, size))

    assert torch.equal(regions != VOID, covered(boxes, size))
    for region in regions.unique().tolist():
        if region != VOID:
            assert covered(boxes[region : region + 1], size)[regions == region].all()


@pytest.mark.parametrize("logit", [-500.0, 500.0])
def test_very_sure_logits_never_leave_or_lose_their_box(logit: float, boxes: Tensor, size: tuple[int, int]) -> None:
    canvas = project_to_canvas(torch.full((len(boxes), 7, 7), logit), boxes.float(), size)

    assert torch.equal(region_map_of(canvas) != VOID, covered(boxes, size))
    torch.testing.assert_close(probabilities_of(canvas).sum(dim=0), covered(boxes, size).float())


def test_probabilities_sum_to_one_inside_and_are_zero_outside(boxes: Tensor, size: tuple[int, int]) -> None:
    canvas = project_to_canvas(random_logits(len(boxes), 7, 7), boxes, size)

    probabilities = probabilities_of(canvas)

    torch.testing.assert_close(probabilities.sum(dim=0), covered(boxes, size).double())
    for region in range(len(boxes)):
        assert (probabilities[region][~covered(boxes[region : region + 1], size)] == 0).all()
    exponentials = torch.where(canvas > OUTSIDE_LOGIT, canvas.exp(), 0)
    expected = exponentials / exponentials.sum(dim=0).clamp(min=1e-300)
    torch.testing.assert_close(probabilities, expected)


def test_no_region_gives_void_everywhere(size: tuple[int, int]) -> None:
    canvas = project_to_canvas(torch.zeros(0, 7, 7), torch.zeros(0, 4), size)

    assert canvas.shape == (0, *size)
    assert torch.equal(region_map_of(canvas), torch.full(size, VOID))
    assert probabilities_of(canvas).shape == (0, *size)


def test_the_background_wins_where_no_logit_is_positive(boxes: Tensor, size: tuple[int, int]) -> None:
    canvas = project_to_canvas(random_logits(len(boxes), 7, 7), boxes, size)

    regions = region_map_of(canvas, background=True)
    probabilities = probabilities_of(canvas, background=True)

    best, winner = canvas.max(dim=0)
    assert torch.equal(regions, torch.where(best > 0, winner, VOID))
    exponentials = torch.where(canvas > OUTSIDE_LOGIT, canvas.exp(), 0)
    torch.testing.assert_close(probabilities, exponentials / (1 + exponentials.sum(dim=0)))
    alone = (canvas > OUTSIDE_LOGIT).sum(dim=0) == 1
    torch.testing.assert_close(probabilities.amax(dim=0)[alone], best.sigmoid()[alone])


def test_boxes_are_filled_smallest_first(boxes: Tensor, size: tuple[int, int]) -> None:
    filled = fill_boxes(boxes, size)

    corners = boxes.int().tolist()
    area = [(x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in corners]
    for y in range(size[0]):
        for x in range(size[1]):
            here = [k for k, (x0, y0, x1, y1) in enumerate(corners) if x0 <= x < x1 and y0 <= y < y1]
            region = int(filled[y, x])
            assert region in here if here else region == VOID
            assert not here or area[region] == min(area[k] for k in here)
