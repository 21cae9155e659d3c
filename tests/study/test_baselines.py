import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg.metrics.region_iou import region_iou
from fullseg.simulation import simulate_extreme_points
from fullseg.study.baselines import BASELINES, draw_strokes
from fullseg.types import VOID, Annotations, Scribble

TRUTH = np.zeros((120, 160), np.int64)
TRUTH[:, 90:] = 1
TRUTH[30:80, 30:70] = 2


def picture() -> NDArray[np.uint8]:
    colours = np.array([[200, 60, 50], [60, 180, 70], [40, 60, 210]])
    noise = np.random.default_rng(0).normal(0, 6, (*TRUTH.shape, 3))
    return np.clip(colours[TRUTH] + noise, 0, 255).astype(np.uint8)


def strokes(*scribbles: Scribble) -> Annotations:
    points = simulate_extreme_points(TRUTH, 3, 0, np.random.default_rng(0))
    return Annotations(points, list(scribbles))


INSIDE = [
    Scribble(0, np.array([[10, 10], [15, 100]], np.float32)),
    Scribble(1, np.array([[100, 10], [150, 110]], np.float32)),
    Scribble(2, np.array([[40, 40], [60, 70]], np.float32)),
]


@pytest.mark.parametrize("name", BASELINES)
def test_finds_regions_of_plain_colours(name: str) -> None:
    region_map = BASELINES[name](picture())(strokes(*INSIDE), 1)
    assert region_map.shape == TRUTH.shape
    assert region_map.dtype == np.int64
    assert region_iou(region_map, TRUTH, 3).min() > 0.9


@pytest.mark.parametrize("name", BASELINES)
def test_a_stroke_keeps_its_pixels_whatever_the_colours_say(name: str) -> None:
    against = Scribble(1, np.array([[100, 60], [100, 100]], np.float32))
    odd = Scribble(0, np.array([[60, 100], [80, 110]], np.float32))
    region_map = BASELINES[name](np.full((*TRUTH.shape, 3), 90, np.uint8))(strokes(against, odd), 1)
    assert (region_map[60:101, 100] == 1).all()
    assert region_map[105, 70] == 0


@pytest.mark.parametrize("name", ["random_walker", "grabcut"])
def test_a_region_has_no_say_outside_its_box(name: str) -> None:
    region_map = BASELINES[name](picture())(strokes(*INSIDE), 1)
    rows, columns = np.nonzero(region_map == 2)
    assert rows.min() >= 27
    assert columns.max() <= 73  # the discs of the extreme points reach 3 px further


@pytest.mark.parametrize("name", BASELINES)
def test_one_region_and_the_same_again(name: str) -> None:
    image = picture()
    alone = Annotations(strokes().extreme_points[:1], [])
    segment = BASELINES[name](image)
    first, again = segment(alone, 0), BASELINES[name](image)(alone, 0)
    np.testing.assert_array_equal(first, again)
    assert (first == 0).mean() > 0.5


def test_the_later_stroke_wins_and_every_region_keeps_a_seed() -> None:
    cross = [
        Scribble(0, np.array([[10, 50], [50, 50]], np.float32)),
        Scribble(1, np.array([[30, 30], [30, 70]], np.float32)),
    ]
    points = np.full((3, 4, 2), 100, np.float32)
    points[0], points[2] = 5, 30  # region 2's points lie under region 1's scribble
    seeds = draw_strokes(Annotations(points, cross), TRUTH.shape)
    assert seeds[50, 30] == 1
    assert seeds[50, 20] == 0
    assert seeds[30, 30] == 2
    assert seeds[0, 159] == VOID


@pytest.mark.parametrize("name", BASELINES)
def test_strokes_on_every_pixel_are_the_answer(name: str) -> None:
    points = np.array([[[0, 0], [1, 0], [3, 0], [2, 0]], [[4, 0], [5, 0], [7, 0], [6, 0]]], np.float32)
    region_map = BASELINES[name](np.zeros((1, 8, 3), np.uint8))(Annotations(points, []), 0)
    assert region_map.tolist() == [[0] * 4 + [1] * 4]
