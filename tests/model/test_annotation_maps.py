"""Annotation maps: discs and lines pixel by pixel, heatmaps by their formula, and Eq. 2 as the explicit sum."""

import itertools
import math

import numpy as np
import pytest
import torch
import torchvision
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles, line_pixels

SIZE = (37, 53)


def plain_distance(points: NDArray[np.float64], size: tuple[int, int]) -> NDArray[np.float64]:
    """Distance of every pixel to the polyline through (K, 2) points, segment by segment."""
    rows, columns = np.mgrid[: size[0], : size[1]]
    pixels = np.stack([columns, rows], axis=-1).astype(float)
    nearest = np.linalg.norm(pixels - points[0], axis=-1)
    for start, end in itertools.pairwise(points):
        along = end - start
        length = along @ along
        share = np.clip((pixels - start) @ along / length, 0, 1) if length > 0 else np.zeros(size)
        nearest = np.minimum(nearest, np.linalg.norm(pixels - start - share[..., None] * along, axis=-1))
    return nearest


def stroke(*points: tuple[float, float]) -> Tensor:
    return torch.tensor(points, dtype=torch.float32)


def drawn(strokes: list[Tensor], regions: list[int], num_regions: int, size: tuple[int, int] = SIZE) -> Tensor:
    maps = torch.zeros(num_regions, *size)
    lengths = torch.tensor([len(s) for s in strokes])
    result = draw_scribbles(maps, torch.cat(strokes), lengths, torch.tensor(regions))
    assert result is maps
    return maps


def assert_lines(map_: Tensor, strokes: list[Tensor]) -> None:
    """Check that a pixel is 1 exactly if a stroke is within 1.5 px; within 0.05 px of this edge it may be 0 or 1."""
    distance = np.min([plain_distance(s.double().numpy(), SIZE) for s in strokes], axis=0)
    sure = np.abs(distance - 1.5) > 0.05
    assert sure.any()
    np.testing.assert_array_equal(map_.numpy()[sure], (distance <= 1.5)[sure])


@pytest.mark.parametrize("regions", [0, 1, 100])
def test_points_are_discs_6_px_across(regions: int) -> None:
    points = np.random.default_rng(0).integers(-5, 58, (regions, 4, 2)).astype(np.float32)
    expected = np.zeros((regions, *SIZE), dtype=np.float32)
    for region, (y, x) in itertools.product(range(regions), np.ndindex(SIZE)):
        expected[region, y, x] = any(math.dist((x, y), point) <= 3 for point in points[region])

    maps = draw_points(torch.from_numpy(points), SIZE, "binary")

    assert maps.dtype == torch.float32
    np.testing.assert_array_equal(maps.numpy(), expected)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*2 * [st.floats(-6, 60, width=32)]), min_size=4, max_size=4))
def test_points_between_pixels_and_over_the_border_are_discs_too(points: list[tuple[float, float]]) -> None:
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    distance = np.min([np.hypot(columns - x, rows - y) for x, y in points], axis=0)
    sure = np.abs(distance - 3) > 1e-4

    map_ = draw_points(torch.tensor([points]), SIZE, "binary")[0].numpy()

    assert set(np.unique(map_)) <= {0, 1}
    np.testing.assert_array_equal(map_[sure], (distance <= 3)[sure])


def test_identical_points_overlap_in_one_binary_disc() -> None:
    one = draw_points(torch.full((1, 1, 2), 20.0), SIZE, "binary")

    assert torch.equal(draw_points(torch.full((1, 4, 2), 20.0), SIZE, "binary"), one)
    assert one.sum() == 29  # pixels with x^2 + y^2 <= 9


def test_heatmaps_have_sigma_10_peak_1_and_the_largest_point_wins() -> None:
    points = torch.tensor([[[5.0, 7.0], [20.5, 0.0], [52.0, 36.0], [30.0, 60.0]], 4 * [[5.0, 7.0]]])
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    expected = [
        np.max([np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * 10.0**2)) for x, y in each], axis=0)
        for each in points.tolist()
    ]

    maps = draw_points(points, SIZE, "gaussian")

    assert maps.dtype == torch.float32
    assert maps[0, 7, 5] == maps[0, 36, 52] == 1
    assert float(maps[1, 7, 15]) == pytest.approx(math.exp(-0.5))
    np.testing.assert_allclose(maps.numpy(), expected, atol=1e-6)


def cross(x0: float, y0: float, width: float, height: float) -> list[list[float]]:
    """Extreme points, (x, y), in the middle of the sides of a box whose corner pixels are part of it."""
    middle = x0 + (width - 1) // 2, y0 + (height - 1) // 2
    return [[x0, middle[1]], [middle[0], y0], [x0 + width - 1, middle[1]], [middle[0], y0 + height - 1]]


def test_heatmaps_in_the_frame_of_the_box_have_the_sigma_of_dextrs_crop() -> None:
    """Sigma is 10 px in a crop of 512 px: an image that is enlarged gets heatmaps that are enlarged as much."""
    points = torch.tensor([cross(100, 40, 257, 129), cross(3, 5, 21, 21)])
    sigma_x, sigma_y = 10 / 512 * 257, 10 / 512 * 129
    rows, columns = np.mgrid[:300, :400]
    squares = [((columns - x) / sigma_x) ** 2 + ((rows - y) / sigma_y) ** 2 for x, y in points[0].tolist()]

    maps = draw_points(points, (300, 400), "gaussian_box")

    np.testing.assert_allclose(maps[0].numpy(), np.exp(-np.min(squares, axis=0) / 2), atol=1e-6)
    assert maps[1].max() == 1
    assert (draw_points(points, (300, 400), "gaussian")[1, 5:26, 3:24] >= 0.6).all()  # says nothing in a small box
    assert maps[1, 5:26, 3:24].median() < 0.01


def test_a_point_between_pixels_keeps_its_heatmap_in_a_small_box() -> None:
    points = torch.tensor([cross(10.4, 11.3, 9, 9)])

    assert torch.equal(
        draw_points(points, SIZE, "gaussian_box"),
        draw_points(torch.tensor([cross(10, 11, 9, 9)]), SIZE, "gaussian_box"),
    )


@pytest.mark.parametrize(
    "path",
    [
        stroke((10, 10), (30, 10)),
        stroke((10.3, 5.2), (40.9, 30.7), (12.0, 33.1)),
        stroke((3, 3), (3.2, 3.1), (3.4, 3.3), (9, 20), (9, 20), (45, 4)),
        stroke((-10, 12), (70, 20)),
        stroke((0, 0), (52, 36)),
        stroke((52, 0), (52, 36)),
    ],
)
def test_scribble_is_a_line_3_px_wide(path: Tensor) -> None:
    assert_lines(drawn([path], [0], 1)[0], [path])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_scribbles_are_lines_3_px_wide_in_their_own_region_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = int(rng.integers(1, 8))
    strokes = [torch.from_numpy(rng.uniform(-6, 60, (rng.integers(1, 6), 2)).astype(np.float32)) for _ in range(count)]
    regions = rng.integers(0, 3, count).tolist()

    maps = drawn(strokes, regions, 3)

    assert set(maps.unique().tolist()) <= {0, 1}
    for region in range(3):
        own = [s for s, r in zip(strokes, regions, strict=True) if r == region]
        if own:
            assert_lines(maps[region], own)
        else:
            assert maps[region].sum() == 0


@pytest.mark.parametrize("point", [(10.0, 10.0), (10.4, 9.7), (0.0, 36.0), (52.0, 0.0)])
def test_scribble_of_one_point_is_a_dot(point: tuple[float, float]) -> None:
    map_ = drawn([stroke(point)], [0], 1)[0]

    assert_lines(map_, [stroke(point)])
    assert map_.sum() > 0


def test_lines_of_one_pixel_have_the_pixels_of_their_points_in_the_order_of_the_strokes() -> None:
    strokes = [stroke((2, 3), (5, 3)), stroke((4.5, -0.5)), stroke((7, 1), (5.4, 2.6))]
    pixels, number = line_pixels(torch.cat(strokes), torch.tensor([len(path) for path in strokes]), (4, 8))
    found = [sorted(set(pixels[number == k].tolist())) for k in range(3)]
    assert found == [[26, 27, 28, 29], [5], [15, 22, 29]]  # y * 8 + x
    assert number.tolist() == sorted(number.tolist())


def test_strokes_are_not_joined_to_the_next() -> None:
    map_ = drawn([stroke((5, 5)), stroke((45, 5), (45, 30)), stroke((5, 30))], [0, 0, 0], 1)[0]

    assert map_[:, 10:40].sum() == 0


def test_scribble_over_a_point_stays_binary() -> None:
    maps = draw_points(torch.full((1, 4, 2), 20.0), SIZE, "binary")

    draw_scribbles(maps, stroke((20, 20), (30, 20), (20, 20)), torch.tensor([3]), torch.tensor([0]))

    assert set(maps.unique().tolist()) == {0, 1}


def test_no_scribble_changes_nothing() -> None:
    maps = torch.rand(2, *SIZE)
    before = maps.clone()
    none = torch.zeros(0, dtype=torch.int64)

    assert torch.equal(draw_scribbles(maps, torch.zeros(0, 2), none, none), before)


def random_points(regions: int) -> Tensor:
    rng = np.random.default_rng(1)
    return torch.from_numpy((rng.uniform(0, 1, (regions, 4, 2)) * (53, 37)).astype(np.float32))


@pytest.mark.parametrize("encoding", ["binary", "gaussian", "gaussian_box"])
def test_second_channel_is_the_explicit_sum_over_the_others(
    boxes: Tensor, size: tuple[int, int], encoding: str
) -> None:
    points = draw_points(random_points(len(boxes)), size, encoding)
    own = draw_scribbles(points.clone(), stroke((5, 5), (40, 30)), torch.tensor([2]), torch.tensor([0]))

    for shared in (own, points):
        result = annotation_maps(own, shared, boxes.float(), 14)
        for region in range(len(boxes)):
            others = torch.zeros(size)
            for other in range(len(boxes)):
                if other != region:
                    others += shared[other]
            both = torch.stack([own[region], others])[None]
            expected = torchvision.ops.roi_align(
                both, [boxes[region : region + 1].float()], 14, 1.0, sampling_ratio=0, aligned=True
            )[0]
            torch.testing.assert_close(result[region], expected, rtol=1e-4, atol=1e-4)


def test_nothing_shared_leaves_the_second_channel_empty(boxes: Tensor, size: tuple[int, int]) -> None:
    own = draw_points(random_points(len(boxes)), size, "binary")

    alone, shared = annotation_maps(own, None, boxes.float(), 14), annotation_maps(own, own, boxes.float(), 14)

    assert torch.equal(alone[:, 1], torch.zeros(len(boxes), 14, 14))
    assert torch.equal(alone[:, 0], shared[:, 0])


def test_sharing_points_hides_the_others_scribbles() -> None:
    boxes = torch.tensor([[0.0, 0.0, 53.0, 37.0], [10.0, 8.0, 40.0, 30.0]])
    points = draw_points(random_points(2), SIZE, "binary")
    own = draw_scribbles(points.clone(), stroke((5, 5), (40, 30)), torch.tensor([2]), torch.tensor([1]))

    of_points, of_all = annotation_maps(own, points, boxes, 14), annotation_maps(own, own, boxes, 14)

    assert torch.equal(of_points[:, 0], of_all[:, 0])
    assert (of_all[0, 1] - of_points[0, 1]).max() > 0.5
    torch.testing.assert_close(of_all[1, 1], of_points[1, 1])
