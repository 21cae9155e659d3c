"""Labels for every pixel: locked regions, filling, and the IoU that the model expects."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from fullseg import VOID, Predictor
from fullseg.annotator.actions import read_action
from fullseg.annotator.masks import decode_mask, encode_mask
from fullseg.annotator.segmentation import expected_iou, fill, segment
from fullseg.annotator.work import History, Work

SIZE = (48, 64)
QUADS = [
    [[2, 20], [15, 2], [40, 20], [15, 40]],
    [[20, 30], [40, 10], [60, 30], [40, 45]],
    [[0, 5], [5, 0], [12, 5], [5, 9]],
]


@pytest.fixture
def predictor(tiny_checkpoint: Path) -> Predictor:
    predictor = Predictor.from_checkpoint(tiny_checkpoint)
    predictor.set_image(np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8))
    return predictor


def work_of(*contents: dict[str, object]) -> Work:
    history = History((Work(SIZE),))
    for content in contents:
        history = history.after(read_action(content))
    return history.work


ADDED = tuple({"kind": "add", "points": quad} for quad in QUADS)


def test_an_untouched_image_is_all_void(predictor: Predictor) -> None:
    found = segment(predictor, work_of(), {})
    assert (found.region_map == VOID).all()
    assert found.unassigned == SIZE[0] * SIZE[1]
    assert not found.uncertainty.any()
    assert found.expected_iou.shape == found.classes.shape == (0,)


def test_uncertainty_is_what_the_pixels_region_lacks_of_certainty(predictor: Predictor) -> None:
    work = work_of(*ADDED)
    found = segment(predictor, work, {})
    np.testing.assert_array_equal(found.region_map, predictor.predict(work.annotations()))
    best = predictor.probabilities().max(axis=0)
    void = found.region_map == VOID
    assert found.unassigned == np.count_nonzero(void) > 0
    np.testing.assert_allclose(found.uncertainty, np.where(void, 0, 1 - best), atol=1e-6)


def test_a_pixel_may_be_of_no_region_until_the_person_fills_the_image(predictor: Predictor) -> None:
    predictor.trained_partly = True
    work = work_of(*ADDED)
    partly, whole = (predictor.predict(work.annotations(), partly=partly) for partly in (True, False))
    found = segment(predictor, work, {})
    np.testing.assert_array_equal(found.region_map, partly)
    assert found.unassigned == np.count_nonzero(partly == VOID) > np.count_nonzero(whole == VOID)
    filled = segment(predictor, work._replace(filled=True), {})
    np.testing.assert_array_equal(filled.region_map[whole != VOID], whole[whole != VOID])
    assert (filled.region_map != VOID).all()


def test_a_stroke_of_no_region_frees_pixels_until_the_person_fills_the_image(predictor: Predictor) -> None:
    stroke = {"kind": "scribbles", "strokes": [{"region": None, "points": [[20, 20], [30, 20]]}]}
    plain = segment(predictor, work_of(*ADDED), {})
    assert (plain.region_map[20, 20:31] != VOID).any()
    found = segment(predictor, work_of(*ADDED, stroke), {})
    assert (found.region_map[20, 20:31] == VOID).all()
    assert not found.uncertainty[20, 20:31].any()
    assert len(found.expected_iou) == len(found.classes) == 3
    filled = {"kind": "fill", "filled": True}
    np.testing.assert_array_equal(
        segment(predictor, work_of(*ADDED, stroke, filled), {}).region_map,
        segment(predictor, work_of(*ADDED, filled), {}).region_map,
    )


def test_a_locked_region_keeps_its_pixels_bit_for_bit_whatever_is_drawn(predictor: Predictor) -> None:
    before = segment(predictor, work_of(*ADDED), {}).region_map
    lock = {"kind": "lock", "region": 1, "mask": encode_mask(before == 0)}
    through = {"kind": "scribbles", "strokes": [{"region": 2, "points": [[5, 20], [60, 30]]}]}
    grow = {"kind": "add", "points": [[0, 20], [30, 0], [63, 20], [30, 47]]}
    for more in ((through,), (through, grow), (grow, {"kind": "delete", "region": 2})):
        found = segment(predictor, work_of(*ADDED, lock, *more), {})
        np.testing.assert_array_equal(found.region_map == 0, before == 0)
        assert not found.uncertainty[before == 0].any()
    unlocked = segment(predictor, work_of(*ADDED, lock, through, {"kind": "unlock", "region": 1}), {})
    assert unlocked.region_map[20, 5] == 1  # the stroke has its effect now


def test_filling_leaves_nothing_void_and_no_locked_region_grows(predictor: Predictor) -> None:
    before = segment(predictor, work_of(*ADDED), {}).region_map
    lock = {"kind": "lock", "region": 1, "mask": encode_mask(before == 0)}
    found = segment(predictor, work_of(*ADDED, lock, {"kind": "fill", "filled": True}), {})
    assert (found.region_map != VOID).all()
    assert found.unassigned > 0  # still reported
    np.testing.assert_array_equal(found.region_map == 0, before == 0)


maps = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).choice([VOID, VOID, VOID, 0, 1, 2], size=(9, 11)).astype(np.int64)
)


@given(maps)
def test_a_filled_pixel_has_a_region_none_is_nearer_than(region_map: NDArray[np.int64]) -> None:
    filled = fill(region_map, [0, 1], {})
    np.testing.assert_array_equal(filled[region_map != VOID], region_map[region_map != VOID])
    seeds = [np.argwhere(region_map == region) for region in (0, 1)]
    if not any(map(len, seeds)):
        np.testing.assert_array_equal(filled, region_map)
        return
    distances = [cKDTree(s).query(np.argwhere(region_map == VOID))[0] if len(s) else np.inf for s in seeds]
    chosen = filled[region_map == VOID]
    assert np.isin(chosen, [0, 1]).all()
    np.testing.assert_allclose(np.where(chosen == 0, *distances), np.minimum(*distances))


@given(maps)
def test_a_model_that_is_certain_expects_its_iou(region_map: NDArray[np.int64]) -> None:
    """If the probabilities are one-hot and show another map, the expected IoU is the plain IoU of both maps."""
    other = np.roll(region_map, 1, axis=0)
    certainty = ((other == region_map) & (region_map != VOID)).astype(np.float32)
    areas = np.array([np.count_nonzero(other == region) for region in range(3)], np.float64)
    pairs = [(region_map == region, other == region) for region in range(3)]
    plain = [(mine & others).sum() / max((mine | others).sum(), 1) for mine, others in pairs]
    np.testing.assert_allclose(expected_iou(region_map, certainty, areas), plain, atol=1e-6)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(0, 2**32 - 1))
def test_masks_survive_as_text(height: int, width: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).random((height, width)) < 0.5
    np.testing.assert_array_equal(decode_mask(encode_mask(pixels), (height, width)), pixels)
    with pytest.raises(ValueError, match=f"not of an image of {width} x {height + 8} pixels"):
        decode_mask(encode_mask(pixels), (height + 8, width))
    with pytest.raises(ValueError, match="mask cannot be read"):
        decode_mask("nonsense", (height, width))
