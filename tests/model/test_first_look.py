from typing import Any

import numpy as np
import torch

from fullseg.model.base import Strokes
from fullseg.model.canvas import probabilities_of, project_to_canvas
from fullseg.model.factory import weights_for
from fullseg.model.first_look import boxes_with_scribbles, cell_size, compete, crop
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import Scribble

SIZE = (96, 128)  # (H, W)
POINTS = torch.tensor(
    [
        [[2, 40], [30, 4], [70, 40], [30, 90]],
        [[60, 40], [90, 20], [120, 40], [90, 80]],
        [[4, 70], [10, 64], [20, 70], [10, 92]],
    ],
    dtype=torch.float32,
)


def strokes(*scribbles: tuple[int, list[list[float]]]) -> Strokes:
    return Strokes.pack([Scribble(region, np.array(points, np.float32)) for region, points in scribbles])


def test_only_boxes_with_a_pixel_of_a_scribble_count() -> None:
    boxes = torch.tensor([[10.0, 10, 20, 20], [20, 10, 30, 20], [10, 20, 20, 30], [0, 0, 128, 96]])
    found = boxes_with_scribbles(boxes, strokes((0, [[5, 19], [19, 19]])), SIZE)
    assert found.tolist() == [True, False, False, True]
    between = strokes((1, [[25, 5], [25, 40]]))  # no point of it lies in the second box, but its line does
    assert boxes_with_scribbles(boxes, between, SIZE).tolist() == [False, True, False, True]
    assert not boxes_with_scribbles(boxes, Strokes.pack([]), SIZE).any()


def test_the_canvas_of_the_first_look_is_that_of_the_image_at_half_its_resolution() -> None:
    logits = torch.randn(2, 20, 20, generator=torch.Generator().manual_seed(0))
    boxes = torch.tensor([[0.0, 0, 80, 80], [40, 20, 120, 90]])
    coarse = compete(logits, boxes, SIZE)
    fine = probabilities_of(project_to_canvas(logits, boxes, SIZE))
    assert coarse.shape == (2, 48, 64)
    means = torch.nn.functional.avg_pool2d(fine[None], 2)[0]
    inner = (slice(None), slice(12, 38), slice(22, 38))
    assert (coarse - means)[inner].abs().max() < 0.05
    cropped = crop(coarse, boxes, SIZE, 20)
    assert cropped.shape == (2, 20, 20)
    assert torch.all((cropped >= 0) & (cropped <= 1))


def test_large_images_have_larger_cells() -> None:
    assert [cell_size(size) for size in ((480, 640), (768, 1024), (768, 1025), (3000, 4000))] == [2, 2, 4, 8]


def test_a_region_sees_its_first_answer_only_with_a_scribble_in_its_box(tiny_model: dict[str, Any]) -> None:
    torch.manual_seed(0)
    segmenter = RegionSegmenter(**tiny_model, second_look=True).eval()
    torch.nn.init.normal_(segmenter.convolutions[0].weight[:, -1])  # type: ignore[index]
    image = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8)
    with torch.inference_mode():
        features = segmenter.features(image).of(0)
        rois, boxes = segmenter.region_inputs(features, POINTS, Strokes.pack([]), SIZE)
        assert not rois[:, -1].any()
        first = segmenter.head(rois, boxes, None).logits
        some = strokes((0, [[30, 10], [40, 12]]))
        again, _ = segmenter.region_inputs(features, POINTS, some, SIZE)
    side = tiny_model["roi_size"]
    assert torch.allclose(again[0, -1], crop(compete(first, boxes, SIZE), boxes, SIZE, side)[0], atol=1e-5)
    assert again[0, -1].any()
    assert not again[1:, -1].any()


def test_a_network_goes_on_as_one_that_was_trained_without_it(tiny_model: dict[str, Any]) -> None:
    torch.manual_seed(0)
    plain, segmenter = RegionSegmenter(**tiny_model).eval(), RegionSegmenter(**tiny_model, second_look=True).eval()
    segmenter.load_state_dict(weights_for(segmenter, plain))
    image = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8)
    with torch.inference_mode():
        found = []
        for network in (segmenter, plain):
            features = network.features(image).of(0)
            rois, boxes = network.region_inputs(features, POINTS, strokes((0, [[30, 10], [40, 12]])), SIZE)
            found.append(network.head(rois, boxes, None).logits)
    torch.testing.assert_close(*found)
    assert weights_for(segmenter, segmenter).keys() == segmenter.state_dict().keys()
