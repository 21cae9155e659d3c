"""Transforms: image and region map stay aligned, no region is invented, all randomness follows from the seed."""

from typing import Any

import cv2
import numpy as np
import pytest
from albumentations import Compose, check_version
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy.ndimage import maximum_filter, minimum_filter

from fullseg.data.transforms import apply_transform, keep_some_regions, keep_visible_regions, training_transform
from fullseg.types import BACKGROUND, VOID

Image = NDArray[np.uint8]
RegionMap = NDArray[np.int64]

quick = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**31 - 1)


def transform(**options: Any) -> Compose:
    defaults = {"crop_size": 48, "scale": (1.0, 1.0), "flip": 0.0, "colour": 0.0}
    return training_transform(**(defaults | options))


def test_no_process_asks_the_network_for_a_newer_albumentations() -> None:
    assert check_version.opener is None  # the client with which the import would have asked


def cells(height: int, width: int, count: int, seed: int) -> RegionMap:
    """Return cells around random centres, one of which is VOID."""
    y, x = np.mgrid[:height, :width]
    centres = np.random.default_rng(seed).uniform(0, [height, width], (count + 1, 2))
    return np.argmin([(y - cy) ** 2 + (x - cx) ** 2 for cy, cx in centres], axis=0) + VOID


def painted(region_map: RegionMap) -> Image:
    """Return an image whose red tells the region: 0 for VOID (and for padding), 20 (r + 1) for region r."""
    image = np.zeros((*region_map.shape, 3), np.uint8)
    image[..., 0] = 20 * (region_map + 1)
    image[..., 1] = 255 - image[..., 0]
    image[region_map == VOID] = 0
    return image


@quick
@given(
    st.integers(5, 22),
    st.integers(5, 22),
    st.floats(0.5, 1.0),
    st.floats(1.0, 1.9),
    st.sampled_from([0.0, 0.5, 1.0]),
    seeds,
)
def test_image_and_region_map_stay_aligned(
    rows: int, columns: int, low: float, high: float, flip: float, seed: int
) -> None:
    # Blocks of 4 px, so that the resizing can't jump over a region that the image still shows.
    region_map = cells(rows, columns, 9, seed).repeat(4, axis=0).repeat(4, axis=1)
    image, moved = apply_transform(transform(scale=(low, high), flip=flip), painted(region_map), region_map, seed)

    assert image.shape == (48, 48, 3)
    assert moved.shape == (48, 48)
    lowest, highest = (side(moved, 3, mode="constant", cval=99) for side in (minimum_filter, maximum_filter))
    inner = lowest == highest  # where the resizing blends nothing
    assert inner.mean() > 0.2
    np.testing.assert_array_equal(image[inner], painted(moved)[inner])


@pytest.mark.parametrize("axis", [0, 1])
@pytest.mark.parametrize("factor", [0.5, 0.77, 0.9, 1.13, 1.5, 1.9])
def test_borders_lie_at_the_same_place_to_half_a_pixel(axis: int, factor: float) -> None:
    region_map = np.zeros((60, 60), np.int64)
    region_map[:, np.random.default_rng(0).random(60) < 0.5] = 1
    region_map = region_map if axis else region_map.T.copy()
    image = np.repeat(200 * region_map[..., None], 3, axis=2).astype(np.uint8)
    image, moved = apply_transform(transform(scale=(factor, factor), crop_size=32), image, region_map, seed=3)

    red = image[..., 0].astype(int)
    clear = (moved != VOID) & (np.abs(red - 100) > 3)  # the resized image is nearer to one of both regions
    assert clear.mean() > 0.3
    np.testing.assert_array_equal(moved[clear], (red[clear] > 100).astype(np.int64))


def test_without_change_the_image_comes_back() -> None:
    region_map = cells(48, 48, 9, seed=1)
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    same, same_map = apply_transform(transform(), image, region_map, seed=0)

    np.testing.assert_array_equal(same, image)
    np.testing.assert_array_equal(same_map, region_map)
    assert (same.dtype, same_map.dtype) == (np.uint8, np.int64)


def test_flip_mirrors_both_from_left_to_right() -> None:
    region_map = cells(48, 48, 9, seed=1)
    image = np.random.default_rng(0).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    mirrored, mirrored_map = apply_transform(transform(flip=1), image, region_map, seed=0)

    np.testing.assert_array_equal(mirrored, image[:, ::-1])
    np.testing.assert_array_equal(mirrored_map, region_map[:, ::-1])


@pytest.mark.parametrize("probability", [0.25, 0.75])
def test_flip_comes_with_its_probability(probability: float) -> None:
    region_map = cells(48, 48, 9, seed=1)
    flips = transform(flip=probability)
    mirrored = sum(
        bool((apply_transform(flips, painted(region_map), region_map, seed)[1] != region_map).any())
        for seed in range(200)
    )
    assert abs(mirrored / 200 - probability) < 0.1


def test_scale_is_the_factor_of_both_sides() -> None:
    region_map = cells(24, 24, 9, seed=1)
    image = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    larger, larger_map = apply_transform(transform(scale=(2, 2)), image, region_map, seed=0)

    np.testing.assert_array_equal(larger_map, region_map.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(larger, cv2.resize(image, (48, 48), interpolation=cv2.INTER_LINEAR))


def test_scale_fills_its_range_evenly() -> None:
    everywhere = np.zeros((40, 40), np.int64)
    scaled = transform(scale=(0.5, 1.0))
    sides = [
        np.sqrt((apply_transform(scaled, painted(everywhere), everywhere, seed)[1] != VOID).sum())
        for seed in range(200)
    ]
    assert min(sides) >= 20
    assert max(sides) <= 40
    assert min(sides) < 21.5
    assert max(sides) > 38.5
    assert abs(np.mean(sides) - 30) < 1.5


def test_crop_can_be_anywhere() -> None:
    region_map = np.arange(80 * 70).reshape(80, 70)
    image = np.zeros((80, 70, 3), np.uint8)
    crop = transform()
    corners = np.array([divmod(int(apply_transform(crop, image, region_map, s)[1][0, 0]), 70) for s in range(150)])

    assert corners.min(axis=0).tolist() <= [2, 2]
    assert corners[:, 0].max() in (30, 31, 32)  # 80 - 48 rows
    assert corners[:, 1].max() in (20, 21, 22)
    assert abs(np.corrcoef(corners.T)[0, 1]) < 0.3


def test_scale_crop_flip_and_colour_are_independent() -> None:
    """The seeding of albumentations gives all steps the same numbers, so that they would be correlated."""
    region_map = np.arange(160 * 160).reshape(160, 160)
    paint = (150, 120, 90)
    image = np.full((160, 160, 3), paint, np.uint8)
    all_on = transform(scale=(0.75, 1.25), flip=0.5, colour=0.5, crop_size=80)
    found = []
    for seed in range(400):
        changed, moved = apply_transform(all_on, image, region_map, seed)
        rows, columns = np.divmod(moved[[0, -1], [0, -1]], 160)  # of the first and the last pixel
        height = rows[1] - rows[0]  # of the crop, in pixels of the image
        flipped = columns[0] > columns[1]
        left, top = columns.min() / (160 - height), rows[0] / (160 - height)
        found.append((height, top, left, flipped, (changed != paint).any(), changed.mean()))
    correlation = np.corrcoef(np.array(found, dtype=float).T)
    correlation[4, 5] = correlation[5, 4] = 0  # that there is a change, and how bright it makes the image

    assert np.abs(correlation - np.diag(np.diag(correlation))).max() < 0.2


def test_padding_is_void_and_black() -> None:
    region_map = np.zeros((30, 20), np.int64)
    image = np.full((30, 20, 3), 255, np.uint8)
    padded, padded_map = apply_transform(transform(), image, region_map, seed=0)

    assert (padded_map == 0).sum() == 30 * 20
    assert (padded_map == VOID).sum() == 48 * 48 - 30 * 20
    np.testing.assert_array_equal(padded == 255, np.repeat((padded_map == 0)[..., None], 3, axis=2))
    assert (padded[padded_map == VOID] == 0).all()


@quick
@given(
    st.tuples(st.integers(4, 70), st.integers(4, 70)).flatmap(
        lambda size: arrays(np.int64, size, elements=st.sampled_from([VOID, 0, 3, 255, 256, 300, 9999, 70000]))
    ),
    st.floats(0.3, 1.0),
    st.floats(1.0, 3.0),
    seeds,
)
def test_no_region_is_invented(region_map: RegionMap, low: float, high: float, seed: int) -> None:
    image = np.zeros((*region_map.shape, 3), np.uint8)
    before = region_map.copy()
    all_on = transform(scale=(low, high), flip=0.5, colour=0.5)
    changed, moved = apply_transform(all_on, image, region_map, seed)

    assert changed.shape == (48, 48, 3)
    assert changed.dtype == np.uint8
    assert moved.shape == (48, 48)
    assert moved.dtype == np.int64
    assert set(np.unique(moved)) <= set(np.unique(region_map)) | {VOID}
    np.testing.assert_array_equal(region_map, before)  # the argument has not been changed
    assert not image.any()


def test_colour_changes_the_image_alone() -> None:
    region_map = cells(48, 48, 9, seed=1)
    image = np.random.default_rng(0).integers(60, 200, (48, 48, 3), dtype=np.uint8)
    before = image.copy()
    means = []
    for seed in range(20):
        changed, same_map = apply_transform(transform(colour=1), image, region_map, seed)
        np.testing.assert_array_equal(same_map, region_map)
        assert (changed != image).mean() > 0.5
        means.append(changed.mean())
        assert np.corrcoef(changed.ravel(), image.ravel())[0, 1] > 0.8  # still the same picture
    assert np.std(means) > 5
    np.testing.assert_array_equal(image, before)


def test_the_result_depends_on_the_seed_and_on_no_earlier_call() -> None:
    region_map = cells(80, 90, 9, seed=1)
    image = np.random.default_rng(0).integers(0, 256, (80, 90, 3), dtype=np.uint8)
    options: dict[str, Any] = {"scale": (0.75, 1.25), "flip": 0.5, "colour": 0.5}
    one, other = transform(**options), transform(**options)
    first = [apply_transform(one, image, region_map, seed) for seed in range(12)]
    again = [apply_transform(other, image, region_map, seed) for seed in reversed(range(12))][::-1]

    for (image_a, map_a), (image_b, map_b) in zip(first, again, strict=True):
        np.testing.assert_array_equal(image_a, image_b)
        np.testing.assert_array_equal(map_a, map_b)
    assert len({found.tobytes() for _, found in first}) == 12
    assert len({found.tobytes() for found, _ in first}) == 12


def by_a_loop(
    region_map: RegionMap, classes: NDArray[np.int64], min_region_area: int
) -> tuple[RegionMap, NDArray[np.int64]]:
    kept_map, kept = np.where(region_map == BACKGROUND, BACKGROUND, VOID), []
    for region, label in enumerate(classes):
        here = region_map == region
        if here.sum() >= min_region_area:
            kept_map[here] = len(kept)
            kept.append(label)
    return kept_map, np.array(kept, dtype=np.int64)


@settings(max_examples=100, deadline=None)
@given(
    st.integers(0, 8).flatmap(
        lambda count: st.tuples(
            arrays(
                np.int64, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(BACKGROUND, count - 1)
            ),
            arrays(np.int64, count, elements=st.integers(0, 5)),
        )
    ),
    st.integers(1, 9),
)
def test_visible_regions_are_those_a_plain_loop_finds(
    case: tuple[RegionMap, NDArray[np.int64]], min_region_area: int
) -> None:
    region_map, classes = case
    before = region_map.copy()
    found_map, found = keep_visible_regions(region_map, classes, min_region_area)
    expected_map, expected = by_a_loop(region_map, classes, min_region_area)

    np.testing.assert_array_equal(found_map, expected_map)
    np.testing.assert_array_equal(found, expected)
    assert found_map.dtype == found.dtype == np.int64
    np.testing.assert_array_equal(region_map, before)


def test_some_regions_are_kept_at_random_and_the_others_become_background() -> None:
    region_map, classes = np.array([[0, 1, 2, 3, 4, VOID, BACKGROUND]]), np.arange(10, 15)
    chosen = set()
    for seed in range(200):
        found_map, found = keep_some_regions(region_map, classes, 2, np.random.default_rng(seed))
        kept = (found - 10).tolist()
        assert kept == sorted(kept)
        expected = [kept.index(region) if region in kept else BACKGROUND for region in range(5)]
        assert found_map.tolist() == [[*expected, VOID, BACKGROUND]]
        chosen.add(tuple(kept))
    assert len(chosen) == 10
    for most in (5, 6):
        rng = np.random.default_rng(0)
        found_map, found = keep_some_regions(region_map, classes, most, rng)
        np.testing.assert_array_equal(found_map, region_map)
        np.testing.assert_array_equal(found, classes)
        assert rng.random() == np.random.default_rng(0).random()  # nothing was drawn


def test_regions_keep_their_order_and_classes_and_one_pixel_is_enough() -> None:
    region_map = np.array([[4, 4, 4, 2], [0, VOID, 0, 4]])
    classes = np.array([7, 8, 9, 6, 5])

    found_map, found = keep_visible_regions(region_map, classes, min_region_area=1)
    np.testing.assert_array_equal(found_map, [[2, 2, 2, 1], [0, VOID, 0, 2]])
    assert found.tolist() == [7, 9, 5]
    found_map, found = keep_visible_regions(region_map, classes, min_region_area=2)
    np.testing.assert_array_equal(found_map, [[1, 1, 1, VOID], [0, VOID, 0, 1]])
    assert found.tolist() == [7, 5]
    found_map, found = keep_visible_regions(region_map, classes, min_region_area=5)
    assert (found_map == VOID).all()
    assert found.shape == (0,)
