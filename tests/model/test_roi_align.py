"""RoIAlign: torchvision's values and gradients, in float64, for every size, stride and box."""

from typing import Any

import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fullseg.model.roi_align import align_matrix, crop, roi_align, roi_align_each


def torchvision_roi_align(maps: Tensor, images: Tensor, boxes: Tensor, size: int, stride: float) -> Tensor:
    """(B, C, h, w) maps at (N, 4) boxes of (N,) images -> (N, C, size, size)."""
    numbered = torch.cat([images[:, None].to(boxes), boxes], dim=1)
    return torchvision.ops.roi_align(maps, numbered, size, 1 / stride, sampling_ratio=0, aligned=True)


def map_shape(size: tuple[int, int], stride: int, pad_to: int = 32) -> tuple[int, int]:
    """(h, w) of the backbone's map of an image, padded as the backbone does."""
    return tuple(-(-side // pad_to) * pad_to // stride for side in size)  # type: ignore[return-value]


def assert_same_values_and_gradients(ours: Tensor, theirs: Tensor, *inputs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-10)
    cotangent = torch.randn(ours.shape, dtype=ours.dtype, generator=torch.Generator().manual_seed(1))
    expected = torch.autograd.grad(theirs, inputs, cotangent)
    for gradient, wanted in zip(torch.autograd.grad(ours, inputs, cotangent), expected, strict=True):
        torch.testing.assert_close(gradient, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("cells", [7, 14, 41])
@pytest.mark.parametrize("stride", [1, 4, 8])
def test_equals_torchvision(boxes: Tensor, size: tuple[int, int], stride: int, cells: int) -> None:
    height, width = map_shape(size, stride, pad_to=1 if stride == 1 else 32)
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(2, height, width, dtype=torch.float64, generator=generator).requires_grad_()

    ours = roi_align(features, boxes, cells, stride)
    theirs = torchvision_roi_align(features[None], torch.zeros(len(boxes)), boxes, cells, stride)

    assert ours.shape == (len(boxes), 2, cells, cells)
    assert_same_values_and_gradients(ours, theirs, features)


@pytest.mark.parametrize("cells", [7, 14, 41])
def test_each_map_at_its_own_box_equals_torchvision(boxes: Tensor, size: tuple[int, int], cells: int) -> None:
    generator = torch.Generator().manual_seed(0)
    maps = torch.randn(len(boxes), *size, dtype=torch.float64, generator=generator).requires_grad_()

    ours = roi_align_each(maps, boxes, cells)
    theirs = torchvision_roi_align(maps[:, None], torch.arange(len(boxes)), boxes, cells, 1)[:, 0]

    assert_same_values_and_gradients(ours, theirs, maps)


def test_one_map_for_all_boxes_equals_that_map_repeated(boxes: Tensor, size: tuple[int, int]) -> None:
    single = torch.randn(1, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    repeated = roi_align_each(single.expand(len(boxes), -1, -1), boxes, 14)

    torch.testing.assert_close(roi_align_each(single, boxes, 14), repeated, rtol=1e-12, atol=1e-12)


@settings(max_examples=80, deadline=None)
@given(st.data())
def test_equals_torchvision_for_any_box(data: st.DataObject) -> None:
    stride = data.draw(st.sampled_from([1, 4, 8, 16]))
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    cells = data.draw(st.integers(1, 20))
    x0, y0 = data.draw(st.integers(0, width - 1)), data.draw(st.integers(0, height - 1))
    x1, y1 = data.draw(st.integers(x0 + 1, width)), data.draw(st.integers(y0 + 1, height))
    boxes = torch.tensor([[x0, y0, x1, y1]], dtype=torch.float64)
    shape = (-(-height // stride), -(-width // stride))  # may be a single cell, smaller than the RoI
    features = torch.randn(3, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)).requires_grad_()

    ours = roi_align(features, boxes, cells, stride)

    assert_same_values_and_gradients(
        ours, torchvision_roi_align(features[None], torch.zeros(1), boxes, cells, stride), features
    )


@pytest.mark.parametrize(("cells", "stride"), [(7, 1), (41, 4), (14, 8)])
def test_weights_of_a_cell_sum_to_one(boxes: Tensor, size: tuple[int, int], cells: int, stride: int) -> None:
    matrix = align_matrix(boxes[:, 0], boxes[:, 2], cells, -(-size[1] // stride), stride)

    assert (matrix >= 0).all()
    torch.testing.assert_close(matrix.sum(dim=2), torch.ones(len(boxes), cells, dtype=torch.float64))


def test_float32_boxes_and_features_stay_float32_and_close_to_float64(boxes: Tensor, size: tuple[int, int]) -> None:
    features = torch.randn(2, *size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    single = roi_align(features.float(), boxes.float(), 41, 1)

    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), roi_align(features, boxes, 41, 1), rtol=1e-4, atol=1e-4)


def test_no_boxes_give_no_rois() -> None:
    assert roi_align(torch.rand(3, 5, 7), torch.zeros(0, 4), 7, 4).shape == (0, 3, 7, 7)
    assert roi_align_each(torch.rand(0, 5, 7), torch.zeros(0, 4), 7).shape == (0, 7, 7)


class _Largest(TorchDispatchMode):
    """Remembers the bytes of the largest tensor that an operation returns."""

    def __init__(self) -> None:
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        if not func.is_view:
            made = [leaf.nbytes for leaf in tree_leaves(result) if isinstance(leaf, Tensor)]
            self.bytes = max([self.bytes, *made])
        return result


def test_large_crops_of_an_image_need_little_memory_beside_the_result() -> None:
    image, boxes = torch.rand(3, 120, 160), torch.tensor([[-10.0, 5.0, 90.0, 118.0], [40.0, -20.0, 170.0, 60.0]])
    with _Largest() as largest:
        cut = crop(image, boxes, 128)
    inside = (slice(1, 2), slice(None), slice(40, 120), slice(0, 115))
    torch.testing.assert_close(cut[inside], roi_align(image, boxes, 128, 1)[inside])
    assert largest.bytes < 2 * cut.nbytes  # roi_align makes 16 times as much
