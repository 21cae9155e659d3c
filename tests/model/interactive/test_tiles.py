"""The competition of regions for a tile, and pixels that the annotator has decided."""

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from fullseg.model.canvas import OUTSIDE_LOGIT, probabilities_of, project_to_canvas, region_map_of
from fullseg.model.interactive.decided import Decided
from fullseg.model.interactive.tiles import SMALL_TILE, TiledCanvas, compete
from fullseg.types import BACKGROUND, VOID, Decisions

SIZE = (SMALL_TILE + 20, 2 * SMALL_TILE + 5)
NONE = np.zeros(0, np.int64)


def random_regions(rng: np.random.Generator, count: int) -> tuple[torch.Tensor, np.ndarray]:
    low = rng.integers(0, (SIZE[1], SIZE[0]), (count, 2))
    boxes = np.concatenate([low, rng.integers(low + 1, (SIZE[1] + 1, SIZE[0] + 1))], axis=1)
    return torch.from_numpy(rng.normal(0, 3, (count, 7, 7)).astype(np.float32)), boxes


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 12))
def test_all_tiles_together_are_the_dense_canvas(seed: int, count: int) -> None:
    logits, boxes = random_regions(np.random.default_rng(seed), count)
    canvas = TiledCanvas(SIZE, SMALL_TILE, background=False)
    canvas.renumber(np.full(count, VOID, np.int64), NONE)
    canvas.mark([(0, 0, SIZE[1], SIZE[0])])
    canvas.update(list(logits), boxes, Decided(NONE, NONE, None, ()))
    dense = project_to_canvas(logits, torch.from_numpy(boxes).float(), SIZE)
    probabilities = probabilities_of(dense)
    np.testing.assert_array_equal(canvas.region_map, region_map_of(dense))
    certainty = probabilities.amax(dim=0) if count else torch.zeros(SIZE)
    np.testing.assert_allclose(canvas.certainty, certainty, atol=1e-6)
    np.testing.assert_allclose(canvas.areas.sum(axis=(0, 1)), probabilities.sum(dim=(1, 2)), rtol=1e-4, atol=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_locked_region_has_its_pixels_and_the_others_share_the_rest_as_if_it_were_not_there(
    seed: int, locked: int
) -> None:
    rng = np.random.default_rng(seed)
    logits, boxes = random_regions(rng, 4)
    tile = (10, 20, 60, 70)
    mask = rng.random((50, 50)) < 0.3
    found = compete(tile, list(logits), boxes, np.where(mask, locked, VOID), (locked,), background=False)
    np.testing.assert_array_equal(found.region_map == locked, mask)
    others = [region for region in range(4) if region != locked]
    alone = project_to_canvas(logits[others], torch.from_numpy(boxes[others]).float(), SIZE)[:, 20:70, 10:60]
    expected = np.array([*others, VOID])[region_map_of(alone)]
    np.testing.assert_array_equal(found.region_map[~mask], expected[~mask])
    for region, probability in zip(found.regions.tolist(), found.probabilities, strict=True):
        if region == locked:
            np.testing.assert_array_equal(probability.numpy(), mask)
        else:
            plain = probabilities_of(alone)[others.index(region)].numpy()
            np.testing.assert_allclose(probability.numpy(), np.where(mask, 0, plain), atol=1e-6)


def test_a_decided_pixel_belongs_to_its_region_for_any_logits() -> None:
    logits = [torch.full((7, 7), value) for value in (9.0, -50.0)]
    boxes = np.array([[0, 0, 40, 40], [5, 5, 30, 30]])
    decided = np.full((40, 40), VOID)
    decided[10, 12] = 1
    found = compete((0, 0, 40, 40), logits, boxes, decided, (), background=False)
    assert found.region_map[10, 12] == 1
    assert found.probabilities[:, 10, 12].tolist() == [0, 1]
    assert np.count_nonzero(found.region_map == 1) == 1
    assert OUTSIDE_LOGIT < -50


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_a_barred_region_does_not_compete_and_a_pixel_may_be_nobodys(seed: int) -> None:
    background = seed % 2 == 1
    rng = np.random.default_rng(seed)
    logits, boxes = random_regions(rng, 4)
    tile = (10, 20, 60, 70)
    barred = {region: rng.random((50, 50)) < 0.3 for region in (0, 2)}
    decided = np.where(rng.random((50, 50)) < 0.1, rng.integers(BACKGROUND, 4, (50, 50)), VOID)
    undecided, by_hand = np.full((50, 50), VOID), Decisions(decided, barred)
    found = compete(tile, list(logits), boxes, undecided, (), background=background, by_hand=by_hand)
    canvas = project_to_canvas(logits, torch.from_numpy(boxes).float(), SIZE)[:, 20:70, 10:60]
    for region, mask in barred.items():
        canvas[region][torch.from_numpy(mask)] = OUTSIDE_LOGIT
    expected = region_map_of(canvas, background=background).numpy()
    expected = np.where(decided == VOID, expected, np.where(decided == BACKGROUND, VOID, decided))
    np.testing.assert_array_equal(found.region_map, expected)
    nobodys = found.probabilities[:, torch.from_numpy(decided == BACKGROUND)]
    assert not nobodys.any()


def test_a_lock_wins_over_a_scribbles_line() -> None:
    locked_map = np.full((4, 6), VOID)
    locked_map[1:3, 2:4] = 0
    decided = Decided(np.array([6, 8, 9]), np.array([1, 1, 2]), locked_map, (0,))
    np.testing.assert_array_equal(decided.in_tile((0, 1, 5, 3), 6), [[1, VOID, 0, 0, VOID], [VOID, VOID, 0, 0, VOID]])


def test_a_decision_by_hand_wins_over_a_scribbles_line_and_a_lock_over_both() -> None:
    owners, locked_map = np.full((2, 5), VOID), np.full((2, 5), VOID)
    owners[0, 1:4], locked_map[0, 3] = (2, BACKGROUND, 2), 0
    barred = {1: np.array([[0, 0, 0, 1, 1], [0] * 5], bool)}
    decided = Decided(np.arange(5), np.ones(5, np.int64), locked_map, (0,), Decisions(owners, barred))
    box = np.array([[0, 0, 5, 2]] * 3)
    here, by_hand = decided.in_tile((0, 0, 5, 2), 5), decided.by_hand_in((0, 0, 5, 2))
    logits = [torch.zeros(2, 2), torch.zeros(2, 2), torch.ones(2, 2)]
    found = compete((0, 0, 5, 2), logits, box, here, (0,), background=False, by_hand=by_hand)
    assert found.region_map.tolist() == [[1, 2, VOID, 0, 2], [2] * 5]
    assert decided.by_hand_in((0, 1, 5, 2)) is None


def test_new_numbers_move_labels_and_areas() -> None:
    canvas = TiledCanvas((2, 3), SMALL_TILE, background=False)
    canvas.renumber(np.array([VOID, VOID, VOID]), NONE)
    canvas.region_map[:] = [[0, 1, 2], [VOID, 2, 0]]
    canvas.areas[0, 0] = [5, 6, 7]
    canvas.renumber(np.array([2, VOID, 0]), np.array([2, VOID, 0]))
    np.testing.assert_array_equal(canvas.region_map, [[2, VOID, 0], [VOID, 0, 2]])
    assert canvas.areas[0, 0].tolist() == [7, 0, 5]
