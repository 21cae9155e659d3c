"""Islands, which are small parts of a region that hold none of its annotations, and holes, which lie in one region."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.model.islands import without_islands
from fullseg.types import VOID

NOTHING = (np.zeros(0, np.int64), np.zeros(0, np.int64))
FAR = np.full((2, 4, 2), -99, np.float32)  # extreme points that no pixel is near to


def clean(
    region_map: NDArray[np.int64],
    points: NDArray[np.float32] = FAR,
    lines: tuple[NDArray[np.int64], NDArray[np.int64]] = NOTHING,
    least: int = 5,
    fixed: tuple[int, ...] = (),
) -> NDArray[np.int64]:
    return without_islands(region_map, points, lines, least, fixed)


@pytest.fixture
def scene() -> NDArray[np.int64]:
    """Return region 0 on the left, 1 on the right; an island of 0 in 1, and one of 1 in 0 that touches VOID, too."""
    found = np.zeros((20, 30), np.int64)
    found[:, 15:] = 1
    found[4:6, 22:24] = 0
    found[10, 0:4] = 1
    found[11, 0:1] = VOID
    return found


def test_an_island_goes_to_the_region_with_the_longest_border(scene: NDArray[np.int64]) -> None:
    found = clean(scene)
    expected = scene.copy()
    expected[4:6, 22:24] = 1
    expected[10, 0:4] = 0
    np.testing.assert_array_equal(found, expected)
    assert clean(scene, least=4) is scene  # both have four pixels


def test_parts_with_annotations_stay(scene: NDArray[np.int64]) -> None:
    on_it = np.array([4 * 30 + 22]), np.array([0])
    assert (clean(scene, lines=on_it)[4:6, 22:24] == 0).all()
    of_another = np.array([4 * 30 + 22]), np.array([1])
    assert (clean(scene, lines=of_another)[4:6, 22:24] == 1).all()
    points = FAR.copy()
    points[1, 0] = (6, 10)  # its disc reaches the island's last pixel, (3, 10)
    assert (clean(scene, points)[10, 0:4] == 1).all()


def test_the_largest_part_of_a_region_stays_however_small() -> None:
    region_map = np.zeros((9, 9), np.int64)
    region_map[2, 2:4] = 1
    region_map[6, 6] = 1
    found = clean(region_map)
    assert (found[2, 2:4] == 1).all()
    assert found[6, 6] == 0


def test_islands_in_islands_go_together_and_void_may_have_them() -> None:
    region_map = np.full((12, 12), VOID, np.int64)
    region_map[0:4, :] = 0
    region_map[0:4, 8:] = 1
    region_map[7:10, 3:6] = 0
    region_map[8, 4] = 1
    found = clean(region_map, least=10)
    assert (found[4:] == VOID).all()
    np.testing.assert_array_equal(found[:4], region_map[:4])


def test_fixed_regions_keep_their_pixels_and_get_no_others(scene: NDArray[np.int64]) -> None:
    found = clean(scene, fixed=(1,))
    np.testing.assert_array_equal(found, scene)  # of 1 nothing may go, and the island of 0 lies in 1 alone
    found = clean(scene, fixed=(0,))
    assert (found[4:6, 22:24] == 0).all()
    assert (found[10, 0:4] == VOID).all()  # 0 has the longer border, but gets nothing


def holes(region_map: NDArray[np.int64], cleaned: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return the pixels of holes, by the definition, part by part; what is an island is taken from the cleaned map."""
    found = np.zeros(region_map.shape, bool)
    parts, count = ndimage.label(region_map == VOID)
    for part in range(1, count + 1):
        here = parts == part
        around = ndimage.binary_dilation(here) & ~here
        owners = set(region_map[around & (region_map == cleaned)].tolist())  # islands have changed their owner
        at_edge = here[[0, -1]].any() or here[:, [0, -1]].any()
        if len(owners) == 1 and not at_edge and 5 * here.sum() < (region_map == owners.pop()).sum():
            found |= here
    return found


@pytest.fixture
def ring() -> NDArray[np.int64]:
    """Return region 0 with a hole of 4 pixels, one that touches region 1, and a large one; VOID around it."""
    found = np.full((30, 40), VOID, np.int64)
    found[2:28, 2:38] = 0
    found[5:7, 5:7] = VOID
    found[20:22, 30:32] = VOID
    found[20:22, 32:38] = 1
    found[10:22, 10:27] = VOID
    return found


def test_a_small_hole_in_one_region_is_filled(ring: NDArray[np.int64]) -> None:
    expected = ring.copy()
    expected[5:7, 5:7] = 0
    np.testing.assert_array_equal(clean(ring), expected)  # not the large one, nor one beside another region


def test_a_hole_at_the_edge_of_the_image_stays(ring: NDArray[np.int64]) -> None:
    found = clean(ring[5:])
    assert (found[:2, 5:7] == VOID).all()


def test_an_island_in_a_hole_goes_with_it(ring: NDArray[np.int64]) -> None:
    ring[5:7, 5:9] = VOID
    ring[6, 6] = 1
    assert (clean(ring)[5:7, 5:9] == 0).all()


def test_a_hole_in_a_fixed_region_stays(ring: NDArray[np.int64]) -> None:
    assert (clean(ring, fixed=(0,))[5:7, 5:7] == VOID).all()


@given(arrays(np.int64, (13, 17), elements=st.integers(-1, 3)), st.integers(1, 12))
def test_what_is_left_is_large_or_the_largest_of_its_region(region_map: NDArray[np.int64], least: int) -> None:
    points = np.full((4, 4, 2), -99, np.float32)
    before = region_map.copy()
    found = without_islands(region_map, points, NOTHING, least)
    np.testing.assert_array_equal(region_map, before)
    filled = (region_map == VOID) & (found != VOID)
    assert (filled == holes(region_map, found)).all()
    for region in range(4):
        assert (found == region).any() == (region_map == region).any()
        parts, count = ndimage.label(found == region)
        small = sum(np.count_nonzero(parts == part + 1) < least for part in range(count))
        assert small <= 1
