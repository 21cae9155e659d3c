"""Boxes: tight around the extreme points, grown to hold the scribbles, of whole pixels inside the image."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fullseg.model.base import Strokes
from fullseg.model.boxes import geometry_maps, inside_boxes, region_boxes, smallest_box_area
from fullseg.simulation import error_regions, simulate_extreme_points, simulate_scribbles

NO_POINTS, NO_REGIONS = torch.zeros(0, 2), torch.zeros(0, dtype=torch.int64)


def plain_boxes(
    extreme_points: Tensor, scribble_points: Tensor, scribble_regions: Tensor, size: tuple[int, int]
) -> list[list[int]]:
    """Loop over regions, points and axes."""
    boxes = []
    for region, corners in enumerate(extreme_points.tolist()):
        points = corners + [
            p for p, r in zip(scribble_points.tolist(), scribble_regions.tolist(), strict=True) if r == region
        ]
        low, high = [], []
        for axis, length in ((0, size[1]), (1, size[0])):
            pixels = [min(max(math.floor(point[axis] + 0.5), 0), length - 1) for point in points]
            low.append(min(pixels))
            high.append(max(pixels) + 1)
        boxes.append(low + high)
    return boxes


def test_box_is_tight_and_its_end_exclusive() -> None:
    points = torch.tensor([[[3.0, 9.0], [7.0, 4.0], [11.0, 8.0], [6.0, 15.0]]])

    assert region_boxes(points, NO_POINTS, NO_REGIONS, (37, 53)).tolist() == [[3, 4, 12, 16]]


def test_box_grows_to_hold_scribbles_of_its_own_region_only() -> None:
    points = torch.tensor([[[3.0, 9.0], [7.0, 4.0], [11.0, 8.0], [6.0, 15.0]]]).repeat(2, 1, 1)
    scribbles = torch.tensor([[20.0, 10.0], [5.0, 1.0], [6.0, 6.0]])

    boxes = region_boxes(points, scribbles, torch.tensor([1, 1, 0]), (37, 53))

    assert boxes.tolist() == [[3, 4, 12, 16], [3, 1, 21, 16]]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_scribbles_grow_no_box_of_exact_points(seed: int) -> None:
    """Growing departs from the paper, but only where the extreme points are imprecise."""
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 5, (6, 8)), np.ones((4, 4), np.int64))
    truth[0, :5] = np.arange(5)  # every region has a pixel
    prediction = np.roll(truth, (3, -2), (0, 1))
    points = torch.from_numpy(simulate_extreme_points(truth, 5, 0, rng))
    errors = error_regions(truth, prediction, 5)
    strokes = Strokes.pack(simulate_scribbles(truth, errors, rng))
    boxes = region_boxes(points, NO_POINTS, NO_REGIONS, truth.shape)

    assert torch.equal(region_boxes(points, strokes.points, strokes.region_of_points(), truth.shape), boxes)

    inner = points.clone()
    inner[0] = points[0].mean(dim=0)  # region 0 is clicked once, somewhere inside
    if (strokes.regions == 0).any():
        grown = region_boxes(inner, strokes.points, strokes.region_of_points(), truth.shape)[0]
        mine = strokes.points[strokes.region_of_points() == 0]
        assert (mine >= grown[:2]).all()
        assert (mine < grown[2:]).all()


@pytest.mark.parametrize(
    ("point", "expected"),
    [
        ((5.0, 6.0), [5, 6, 6, 7]),
        ((5.49, 6.5), [5, 7, 6, 8]),
        ((-4.0, -0.6), [0, 0, 1, 1]),
        ((52.4, 36.4), [52, 36, 53, 37]),
        ((52.9, 400.0), [52, 36, 53, 37]),
    ],
)
def test_single_point_gives_one_pixel_inside_the_image(point: tuple[float, float], expected: list[int]) -> None:
    points = torch.tensor([point]).expand(1, 4, 2)

    assert region_boxes(points, NO_POINTS, NO_REGIONS, (37, 53)).tolist() == [expected]


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0, 1, 2, 100]), st.integers(0, 30))
def test_equals_a_loop_over_points(seed: int, regions: int, strokes: int) -> None:
    rng = np.random.default_rng(seed)
    size = (37, 53)
    points = torch.from_numpy(rng.uniform(-8, 60, (regions, 4, 2)))
    strokes = strokes if regions else 0
    scribbles = torch.from_numpy(rng.uniform(-8, 60, (strokes, 2)))
    owners = torch.from_numpy(rng.integers(0, max(regions, 1), strokes))

    boxes = region_boxes(points, scribbles, owners, size)

    assert boxes.dtype == torch.float64
    assert boxes.tolist() == plain_boxes(points, scribbles, owners, size)


def test_rows_and_columns_of_boxes_equal_slices(boxes: Tensor, size: tuple[int, int]) -> None:
    rows, columns = inside_boxes(boxes, size)

    for box, row, column in zip(boxes.int().tolist(), rows, columns, strict=True):
        expected = torch.zeros(size, dtype=torch.bool)
        expected[box[1] : box[3], box[0] : box[2]] = True
        assert torch.equal(row[:, None] & column[None], expected)


def test_smallest_area_equals_a_loop_over_pixels(boxes: Tensor, size: tuple[int, int]) -> None:
    expected = np.full(size, np.inf)
    for y in range(size[0]):
        for x in range(size[1]):
            for x0, y0, x1, y1 in boxes.tolist():
                if x0 <= x < x1 and y0 <= y < y1:
                    expected[y, x] = min(expected[y, x], (x1 - x0) * (y1 - y0))

    np.testing.assert_array_equal(smallest_box_area(boxes, size).numpy(), expected)


@pytest.mark.parametrize("cells", [1, 7, 14])
def test_geometry_maps_equal_a_loop_over_cells(boxes: Tensor, cells: int) -> None:
    expected = np.empty((len(boxes), 4, cells, cells))
    for region, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
        for row, column in np.ndindex(cells, cells):
            x, y = (x0 + (column + 0.5) * (x1 - x0) / cells, y0 + (row + 0.5) * (y1 - y0) / cells)  # the cell's centre
            expected[region, 0, row, column] = (x - (x0 + x1) / 2) / ((x1 - x0) / 2)
            expected[region, 1, row, column] = (y - (y0 + y1) / 2) / ((y1 - y0) / 2)
            expected[region, 2, row, column] = math.log((x1 - x0) / 100)
            expected[region, 3, row, column] = math.log((y1 - y0) / 100)

    np.testing.assert_allclose(geometry_maps(boxes, cells).numpy(), expected, rtol=1e-10, atol=1e-12)
