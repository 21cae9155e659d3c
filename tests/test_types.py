"""The coordinate convention."""

import numpy as np
import pytest
import torch

from fullseg.model.annotation_maps import draw_points
from fullseg.model.boxes import region_boxes
from fullseg.types import inside_image

SIZE = (3, 5)  # (H, W)


@pytest.mark.parametrize(
    ("point", "inside"),
    [
        ((0, 0), True),
        ((4, 2), True),
        ((-0.5, -0.5), True),
        ((4.5, 2.5), True),
        ((-0.51, 1), False),
        ((1, -0.51), False),
        ((4.51, 1), False),
        ((1, 2.51), False),
        ((5, 1), False),  # the next pixel's centre
        ((1, 3), False),
        ((float("nan"), 1), False),
        ((1, float("inf")), False),
    ],
)
def test_an_image_reaches_half_a_pixel_beyond_its_last_centres(point: tuple[float, float], *, inside: bool) -> None:
    assert inside_image(np.array(point, np.float32), SIZE) == inside


def test_a_mirrored_point_is_inside_as_well() -> None:
    points = np.random.default_rng(0).uniform(-2, 7, (1000, 4, 2))
    found = inside_image(points, SIZE)
    assert found.shape == (1000, 4)
    assert 0 < found.mean() < 1
    np.testing.assert_array_equal(inside_image((4, 2) - points, SIZE), found)


@pytest.mark.parametrize("point", [(2.0, 1.0), (1.5, 0.5), (2.49, 1.49)])
def test_a_point_of_a_pixel_is_boxed_and_drawn_there(point: tuple[float, float]) -> None:
    quad = torch.tensor([point]).expand(1, 4, 2)
    no_points, no_regions = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)
    assert region_boxes(quad, no_points, no_regions, SIZE).tolist() == [[2, 1, 3, 2]]
    heatmap = draw_points(torch.tensor([[(2.0, 1.0)]]), SIZE, "gaussian")
    assert divmod(int(heatmap.argmax()), SIZE[1]) == (1, 2)  # a whole number is a pixel's centre
