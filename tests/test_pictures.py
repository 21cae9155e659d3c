import numpy as np
import pytest

from fullseg.pictures import (
    LEAST_HEIGHT,
    MARGIN,
    draw_failures,
    draw_interaction,
    draw_panels,
    overlay,
    region_colours,
)
from fullseg.types import BACKGROUND, VOID, Annotations, Sample, SampleKey

IMAGE = np.full((41, 60, 3), 100, np.uint8)
HALVES = np.repeat(np.arange(2), 30)[None].repeat(41, axis=0)  # (41, 60)


def test_colours_differ() -> None:
    colours = region_colours(40).astype(int)
    distance = np.abs(colours[:, None] - colours[None]).sum(axis=-1) + 1000 * np.eye(40, dtype=int)
    assert distance.min() > 5
    assert region_colours(0).shape == (0, 3)


def test_overlay_fills_outlines_and_hatches_void() -> None:
    colours = region_colours(2)
    region_map = HALVES.copy()
    region_map[30:] = VOID
    drawn = overlay(IMAGE, region_map, colours, opacity=0.5)
    np.testing.assert_array_equal(drawn[10, 10], (0.5 * IMAGE[0, 0] + 0.5 * colours[0]).astype(np.uint8))
    np.testing.assert_array_equal(drawn[10, 50], (0.5 * IMAGE[0, 0] + 0.5 * colours[1]).astype(np.uint8))
    np.testing.assert_array_equal(drawn[10, 30], 255)
    assert (drawn[35:] == 0).all(axis=-1).any()
    assert not (drawn[:29] == 0).all(axis=-1).any()


def test_overlay_leaves_background_as_it_is() -> None:
    drawn = overlay(IMAGE, np.where(HALVES == 1, BACKGROUND, 0), region_colours(1))
    np.testing.assert_array_equal(drawn[:, 31:], IMAGE[:, 31:])
    assert (drawn[:, :29] != 100).any(axis=-1).all()


@pytest.mark.parametrize(("beyond", "hatched"), [(VOID, True), (BACKGROUND, False)])
def test_what_is_of_no_region_is_hatched_unless_the_data_has_background(beyond: int, *, hatched: bool) -> None:
    points = np.array([[[0, 5], [5, 0], [29, 5], [5, 40]]], np.float32)
    truth, annotations = np.where(HALVES == 1, beyond, 0), Annotations(points, [])
    sample = Sample(SampleKey(0, 0), "", IMAGE, truth, np.zeros(1, np.int64), points)

    def pictures(of_no_region: int) -> list[bytes]:
        prediction = np.where(HALVES == 1, of_no_region, 0)
        drawn = (
            draw_panels(IMAGE, points, prediction, truth),
            draw_interaction(IMAGE, truth, 3 * [(annotations, prediction)]),
            draw_failures([("title", sample, annotations, prediction, 0)]),
        )
        return [picture.tobytes() for picture in drawn]

    for given, plain in zip(pictures(VOID), pictures(BACKGROUND), strict=True):
        assert (given != plain) == hatched


def test_four_panels_of_a_readable_size() -> None:
    points = np.array([[[0, 5], [5, 0], [29, 5], [5, 40]], [[30, 5], [35, 0], [59, 5], [35, 40]]], np.float32)
    picture = np.array(draw_panels(IMAGE, points, HALVES, 1 - HALVES))
    scale = round(LEAST_HEIGHT / 41)
    assert picture.shape == (41 * scale, 4 * 60 * scale + 3 * MARGIN, 3)
    panels = [picture[:, k * (60 * scale + MARGIN) :][:, : 60 * scale] for k in range(4)]
    assert (panels[0] == 100).all()
    middle = scale // 2  # of an enlarged pixel: a point is its centre
    np.testing.assert_array_equal(panels[1][5 * scale + middle, 29 * scale + middle], region_colours(2)[0])
    np.testing.assert_array_equal(panels[2][100, 100], panels[3][100, 40 * scale])  # prediction and truth are swapped
