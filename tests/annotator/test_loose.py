"""Islands and holes: which there are, and who gets them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.annotator.actions import ActionError, Stroke
from fullseg.annotator.layer import Layer, Sizes
from fullseg.annotator.loose import cleaned, hole_at
from fullseg.annotator.masks import encode_mask, patch_pixels
from fullseg.annotator.work import Region, Work
from fullseg.types import VOID

SIZE = (20, 30)


def work_of(*points: tuple[float, float], locked: tuple[int, ...] = (), size: tuple[int, int] = SIZE) -> Work:
    """Return work whose region i has all its extreme points at the i-th point."""
    mask = encode_mask(np.zeros(size, bool))
    regions = [Region(i + 1, "", None, (point,) * 4, mask if i in locked else None) for i, point in enumerate(points)]
    return Work(size, regions=tuple(regions), next_id=len(regions) + 1)


def clean(full: NDArray[np.int64], work: Work, below: int, layer: Layer | None = None) -> tuple[NDArray[np.int64], int]:
    patches, count = cleaned(full, work, layer, below)
    result, places = full.copy(), {region.id: place for place, region in enumerate(work.regions)}
    for patch in patches:
        result[patch_pixels(patch, full.shape).of(full.shape)] = VOID if patch.region is None else places[patch.region]
    return result, count


def two_halves() -> NDArray[np.int64]:
    full = np.zeros(SIZE, np.int64)
    full[:, 15:] = 1
    return full


CORNERS = ((0.0, 0.0), (29.0, 19.0))


def test_islands_and_holes_go_to_the_neighbour_with_the_longest_border() -> None:
    full = two_halves()
    full[5:7, 4:6] = 1  # an island in region 0
    full[10:13, 14:16] = VOID  # a hole on the border, 1 px more of it along region 0
    full[9, 14] = VOID
    full[0, 20:23] = VOID  # at the edge of the image: no hole
    result, count = clean(full, work_of(*CORNERS), 10)
    expected = two_halves()
    expected[10:13, 14:16] = expected[9, 14] = 0
    expected[0, 20:23] = VOID
    assert count == 2
    np.testing.assert_array_equal(result, expected)
    assert clean(result, work_of(*CORNERS), 10)[1] == 0


def test_only_those_below_the_size_are_cleaned() -> None:
    full = two_halves()
    full[5:7, 4:6] = 1
    assert clean(full, work_of(*CORNERS), 4)[1] == 0
    assert clean(full, work_of(*CORNERS), 5)[1] == 1


def test_what_holds_an_annotation_stays() -> None:
    full = two_halves()
    full[5:7, 4:6] = full[2, 2] = full[15:17, 10] = 1
    work = work_of((0, 0), (4, 6))
    layer = Layer(Sizes(SIZE, SIZE), np.zeros(SIZE, np.int32), np.zeros(SIZE, np.int32), {})
    layer.painted[2, 2] = 2
    work = work._replace(strokes=(Stroke(region=2, points=((9, 16), (13, 16))),))
    result, count = clean(full, work, 10, layer)
    assert count == 0
    np.testing.assert_array_equal(result, full)
    assert clean(full, work_of(*CORNERS), 10)[1] == 3


def test_a_hole_with_a_stroke_of_no_region_stays_until_a_click_fills_it() -> None:
    full = two_halves()
    full[5:7, 4:8] = VOID
    work = work_of(*CORNERS)
    assert clean(full, work, 10)[1] == 1
    work = work._replace(strokes=(Stroke(region=None, points=((2, 5), (5, 5))),))
    assert clean(full, work, 10)[1] == 0
    assert hole_at((6, 6), full, work).region == 1


def test_locked_regions_neither_lose_nor_get_a_pixel() -> None:
    full = two_halves()
    full[5:7, 4:6] = 1
    full[10, 20] = 0  # an island of region 0 in region 1
    full[12, 20] = VOID
    for locked, count in (((1,), 0), ((0,), 1), ((0, 1), 0)):  # region 1 gets the hole, if it is not locked
        result, found = clean(full, work_of(*CORNERS, locked=locked), 10)
        assert found == count
        for place in locked:
            np.testing.assert_array_equal(result == place, full == place)


def test_an_island_in_what_is_of_no_region_becomes_void() -> None:
    full = np.full(SIZE, VOID)
    full[2:10, 2:10], full[15:17, 20:22] = 0, 0
    result, count = clean(full, work_of((5, 5)), 10)
    assert count == 1
    assert (result[15:17, 20:22] == VOID).all()


def test_of_islands_side_by_side_none_is_left() -> None:
    full = np.zeros(SIZE, np.int64)
    full[:, 20:], full[:, 25:] = 1, 2
    full[5:8, 5], full[5:8, 6] = 1, 2  # each has its longest border with the other one or as long with region 0
    result, _ = clean(full, work_of((0, 0), (22, 0), (29, 0)), 10)
    assert (result[:, :20] == 0).all()


seeds = st.integers(0, 2**32 - 1)


@given(seeds, st.integers(1, 12), st.sets(st.integers(0, 2), max_size=2))
def test_afterwards_no_loose_part_is_left_and_large_parts_are_as_they_were(
    seed: int, below: int, locked: set[int]
) -> None:
    rng = np.random.default_rng(seed)
    full = ndimage.zoom(rng.integers(-1, 3, (7, 9)), 2, order=0).astype(np.int64)
    full[rng.random(full.shape) < 0.1] = rng.integers(-1, 3)
    work = work_of(*[(0.0, 0.0)] * 3, locked=tuple(locked), size=(full.shape[0], full.shape[1]))
    result, count = clean(full, work, below)
    assert (count > 0) == bool((result != full).any())
    for place in locked:
        np.testing.assert_array_equal(result == place, full == place)
    for place in range(-1, 3):
        parts, found = ndimage.label(full == place)  # type: ignore[misc]
        areas = np.bincount(parts.ravel())[1:]
        for part in np.flatnonzero(areas >= below) + 1:
            assert (result[parts == part] == place).all()
        assert place == VOID or bool(found) == bool((result == place).any())  # no region is lost
        left, _ = ndimage.label(result == place)  # type: ignore[misc]
        for part in np.flatnonzero(np.bincount(left.ravel())[1:] < below) + 1:
            mask = left == part
            around = set(np.unique(result[ndimage.binary_dilation(mask) & ~mask]).tolist())
            stays = place in locked or mask[0, 0] or mask.sum() == np.bincount(left.ravel())[1:].max()
            at_edge = mask[0].any() or mask[-1].any() or mask[:, 0].any() or mask[:, -1].any()
            assert (at_edge if place == VOID else stays) or around <= locked
    assert clean(result, work, below)[1] == 0


def test_a_click_fills_a_hole_or_an_island() -> None:
    full = two_halves()
    full[5:7, 4:6], full[10:12, 20:23] = 1, VOID
    work = work_of(*CORNERS)
    for point, region, pixels in (
        ((4, 6), 1, (slice(5, 7), slice(4, 6))),
        ((21, 10), 2, (slice(10, 12), slice(20, 23))),
    ):
        patch = hole_at(point, full, work)
        expected = np.zeros(SIZE, bool)
        expected[pixels] = True
        assert patch.region == region
        np.testing.assert_array_equal(patch_pixels(patch, SIZE).of(SIZE), expected)


@pytest.mark.parametrize(
    ("point", "locked", "message"),
    [
        ((2, 2), (), "here is no hole, but region 1, which is locked or in one piece"),
        ((25, 0), (), "these pixels without a region reach the edge of the image"),
        ((4, 5), (0,), "all regions around this hole are locked"),
        ((40, 5), (), "lies outside the image"),
    ],
)
def test_a_click_on_no_hole_says_why(point: tuple[int, int], locked: tuple[int, ...], message: str) -> None:
    full = two_halves()
    full[5:7, 4:6], full[0, 20:28] = VOID, VOID
    with pytest.raises(ActionError, match=message):
        hole_at(point, full, work_of(*CORNERS, locked=locked))
