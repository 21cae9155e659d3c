"""Annotations that spread, update after update: the same as computing everything anew, and as the whole canvas."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fullseg.model.base import Strokes
from fullseg.model.canvas import OUTSIDE_LOGIT
from fullseg.model.interactive import kernel_rows, spread_state
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.interactive.kernel_rows import KernelRows
from fullseg.model.kriging import Kriging
from fullseg.types import VOID, Annotations, Scribble
from tests.model.interactive.test_image_state import SIZE, changed, features_of, held, random_scribble
from tests.model.test_spreading import FORMS, annotated, canvas_of, spreading_model

ROUNDING = 1e-3  # logits: updates may differ by so much


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_any_change_gives_the_labels_of_computing_everything_anew(
    kriging: str, diffusion: str, background: bool, batched: bool, tiny_model: dict[str, Any]
) -> None:
    segmenter = spreading_model(tiny_model, kriging, diffusion, background=background)
    features, rng = features_of(segmenter), np.random.default_rng(FORMS.index((kriging, diffusion)))
    annotations, locked = annotated(2, scribbles=2), dict[int, NDArray[np.bool_]]()
    with torch.inference_mode():
        state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=batched)
        for _ in range(8):
            state.update(annotations, locked, {})
            anew = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=batched)
            anew.update(annotations, locked, {})
            assert_same(state, anew)
            if not locked:
                whole = held(canvas_of(segmenter, annotations), annotations, {})
                assert_labels_of(state, whole, background=background)
            annotations = changed(annotations, rng)
            count = len(annotations.extreme_points)
            locked = {region: rng.random(SIZE) < 0.1 for region in range(count) if rng.random() < 0.1}


@pytest.mark.parametrize(("kriging", "diffusion"), [*FORMS[::3], FORMS[-1]])
def test_an_image_may_become_complete_and_partly_annotated_again(
    kriging: str, diffusion: str, tiny_model: dict[str, Any]
) -> None:
    segmenter = spreading_model(tiny_model, kriging, diffusion)
    features, annotations = features_of(segmenter), annotated(2, scribbles=4)
    with torch.inference_mode():
        state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
        maps = []
        for partly in (True, False, False, True):
            state.update(annotations, {}, {}, partly=partly)
            anew = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
            anew.update(annotations, {}, {}, partly=partly)
            assert_same(state, anew)
            whole = held(canvas_of(segmenter, annotations, partly=partly), annotations, {})
            assert_labels_of(state, whole, background=partly)
            maps.append(state.canvas.region_map.copy())
    assert (maps[0] != maps[1]).sum() > 1000


def assert_same(state: ImageState, other: ImageState) -> None:
    ours, theirs = state.probabilities(), other.probabilities()
    np.testing.assert_allclose(ours, theirs, atol=ROUNDING / 4)  # the slope of a softmax is at most 1/4
    np.testing.assert_allclose(state.canvas.certainty, other.canvas.certainty, atol=ROUNDING / 4)
    np.testing.assert_allclose(state.canvas.areas.sum(axis=(0, 1)), theirs.sum(axis=(1, 2)), rtol=1e-3, atol=1)
    none = 1 - theirs.sum(axis=0, keepdims=True)  # the background, or no box
    best = np.sort(np.concatenate([theirs, none]), axis=0)
    sure = best[-1] - best[-2] > ROUNDING
    assert sure.mean() > 0.98
    np.testing.assert_array_equal(state.canvas.region_map[sure], other.canvas.region_map[sure])


def assert_labels_of(state: ImageState, canvas: torch.Tensor, *, background: bool) -> None:
    rival = torch.full((1, *SIZE), 0.0 if background else OUTSIDE_LOGIT)
    best, winners = torch.cat([rival, canvas]).topk(2, dim=0)
    sure = best[0] - best[1] > ROUNDING
    assert sure.float().mean() > 0.98 - (canvas <= OUTSIDE_LOGIT).all(dim=0).float().mean()
    np.testing.assert_array_equal(state.canvas.region_map[sure], winners[0][sure] - 1)


@pytest.mark.parametrize("diffusion", ["fixed", "learned"])
def test_a_pixel_that_is_not_held_does_not_flow(diffusion: str, tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, "none", diffusion)
    features, annotations = features_of(segmenter), annotated(3)
    with torch.inference_mode():
        free = ImageState(segmenter, features, SIZE, hold_scribbles=False, batched=False)
        free.update(annotations, {}, {})
        bound = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
        bound.update(annotations, {}, {})
    on_lines = np.zeros(SIZE, np.bool_)
    on_lines.ravel()[bound.decided.pixels] = True
    assert (free.canvas.region_map != bound.canvas.region_map)[on_lines].any()
    assert (bound.canvas.certainty[on_lines] > 0.999).all()
    assert (free.canvas.certainty[on_lines] < 0.999).any()


@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_a_locked_region_has_its_pixels_and_no_others(kriging: str, diffusion: str, tiny_model: dict[str, Any]) -> None:
    segmenter, (points, scribbles) = spreading_model(tiny_model, kriging, diffusion), annotated()
    mask = np.zeros(SIZE, np.bool_)
    mask[40:60, 90:200] = True
    with torch.inference_mode():
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        state.update(Annotations(points, scribbles), {1: mask}, {})
    np.testing.assert_array_equal(state.canvas.region_map == 1, mask)
    np.testing.assert_array_equal(state.probabilities()[1] > 0, mask)
    assert state.canvas.certainty[mask].min() > 0.999


def record_tiles(state: ImageState, monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    tiles: list[list[list[int]]] = []
    contests = state.canvas.contests
    monkeypatch.setattr(
        state.canvas, "contests", lambda found, *rest: [tiles.append(found.tolist()), *contests(found, *rest)][1:]
    )
    return tiles


def test_only_tiles_in_reach_are_computed(tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter = spreading_model(tiny_model, "none", "learned")  # labels flow 7 px
    wide = np.array([[[5, 70], [100, 5], [280, 70], [100, 140]]] * 2, np.float32)
    with torch.inference_mode():
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        state.update(Annotations(wide, []), {}, {})
        tiles = record_tiles(state, monkeypatch)
        state.canvas.mark_pixels(np.array([60 * SIZE[1] + 60]))
        state.canvas.update(state.states.logits(), state.states.boxes(), state.decided)
        state.canvas.mark_pixels(np.array([60 * SIZE[1] + 122]))
        state.canvas.update(state.states.logits(), state.states.boxes(), state.decided)
        state.canvas.mark([(20, 20, 30, 120), (200, 20, 248, 122)])
        state.canvas.update(state.states.logits(), state.states.boxes(), state.decided)
    assert tiles == [[[0, 0]], [[0, 0], [0, 1]], [[0, 0], [0, 1], [1, 1]]]


def test_exactly_the_tiles_that_see_a_changed_cell_are_computed(tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, "fixed", "none")
    rng = np.random.default_rng(0)
    with torch.inference_mode():
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        state.update(annotated(), {}, {})
        assert state.spread is not None
        assert state.spread.cells is not None
        for row, column in [(0, 0), (31, 31), (32, 40), (30, 63), (31, 64), (33, 65), *rng.integers(0, 37, (9, 2))]:
            cells = np.zeros(state.spread.cells.shape[1:], np.bool_)
            cells[row, column] = True
            pixels = np.zeros(SIZE, np.bool_)  # which bilinear resizing reaches
            pixels[max(0, 4 * row - 4) : 4 * row + 8, max(0, 4 * column - 4) : 4 * column + 8] = True
            seen = [[pixels[128 * r :, 128 * c :][:128, :128].any() for c in range(3)] for r in range(2)]
            state.canvas.stale[:] = False
            state.canvas.mark_cells(cells, 4)
            assert not (np.array(seen) & ~state.canvas.stale).any()
            assert state.canvas.stale.sum() <= 4
        state.canvas.stale[:] = False
        cells[:] = False
        cells[10, 10] = True
        state.canvas.mark_cells(cells, 4)
        assert np.argwhere(state.canvas.stale).tolist() == [[0, 0]]


def test_an_update_without_a_change_computes_nothing(
    tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = spreading_model(tiny_model, "learned", "learned")
    with torch.inference_mode():
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        state.update(annotated(), {}, {})
        tiles = record_tiles(state, monkeypatch)
        state.update(annotated(), {}, {})
        before = state.canvas.region_map.copy()
        order = np.array([4, 2, 0, 1, 3])
        place = np.argsort(order)
        points, scribbles = annotated()
        state.update(Annotations(points[order], [s._replace(region=int(place[s.region])) for s in scribbles]), {}, {})
    assert tiles == [[], []]
    np.testing.assert_array_equal(state.canvas.region_map, np.append(place, VOID)[before])


def test_affinities_beyond_the_memory_are_computed_anew(
    tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    segmenter = spreading_model(tiny_model, "fixed", "learned")
    features = features_of(segmenter)
    with torch.inference_mode():
        state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
        state.update(annotated(), {}, {})
        assert state.spread is not None
        kept = state.spread._affinities
        assert len(kept) == 6
        size = max(sum(step.nbytes for step in steps) for steps in kept.values())
        monkeypatch.setattr(spread_state, "AFFINITY_BYTES", 2 * size)
        small = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
        small.update(annotated(), {}, {})
        assert small.spread is not None
        assert sum(step.nbytes for steps in small.spread._affinities.values() for step in steps) <= 2 * size
        assert_same(small, state)


@pytest.mark.parametrize("bytes_", [10**8, 40 * 30 * 40 * 4, 1])
@pytest.mark.parametrize("learned", [False, True])
def test_rows_that_are_kept_give_what_kriging_gives(
    learned: bool, bytes_: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kernel_rows, "KERNEL_BYTES", bytes_)  # enough; too little at times; never enough
    torch.manual_seed(0)
    kriging, embedding = Kriging(6, stride=4, learned=learned), torch.randn(8, 30, 40)
    computed: list[int] = []
    rng = np.random.default_rng(0)
    points = torch.rand(30, 2) * 110
    with torch.inference_mode():
        rows = KernelRows(kriging, embedding, 4)
        original = rows._kernel
        monkeypatch.setattr(rows, "_kernel", lambda samples: [computed.append(len(samples)), original(samples)][1])
        for _ in range(8):
            residuals = torch.randn(3, len(points))
            expected = kriging(residuals, points, embedding, 4)
            torch.testing.assert_close(rows.spread(residuals, points), expected, rtol=1e-3, atol=1e-3)
            kept = points[torch.from_numpy(rng.random(len(points)) < 0.8)]
            points = torch.cat([kept[torch.from_numpy(rng.permutation(len(kept)))], torch.rand(9, 2) * 110, kept[:1]])
    if bytes_ == 10**8:
        assert computed == [30, *(7 * [9])]


@pytest.mark.parametrize("form", ["fixed", "learned"])
def test_an_image_of_few_pixels_is_segmented(form: str, tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, form, form)
    image = torch.randint(0, 256, (1, 3, 2, 3), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    corner = np.array([[[0, 0], [0, 0], [2, 1], [2, 1]]], np.float32)
    with torch.inference_mode():
        features = segmenter.features(image).of(0)
        state = ImageState(segmenter, features, (2, 3), hold_scribbles=True, batched=False)
        stroke = Scribble(1, np.array([[1, 1]], np.float32))
        state.update(Annotations(np.concatenate([corner, corner]), [stroke]), {}, {})
    assert state.canvas.region_map[1, 1] == 1
    assert (state.canvas.region_map != VOID).all()


def test_many_scribbles_in_tiles_equal_the_whole(tiny_model: dict[str, Any]) -> None:
    segmenter, rng = spreading_model(tiny_model, "fixed", "fixed"), np.random.default_rng(0)
    points, _ = annotated()
    scribbles = [random_scribble(int(rng.integers(5)), rng) for _ in range(60)]  # fewer samples each with every one
    with torch.inference_mode():
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        for count in (40, 50, 60, 58):
            annotations = Annotations(points, scribbles[:count])
            state.update(annotations, {}, {})
            assert_labels_of(state, held(canvas_of(segmenter, annotations), annotations, {}), background=False)


def test_in_half_precision_kriging_and_diffusion_stay_exact(tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, "learned", "fixed")
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
        state.update(annotated(), {}, {})
        assert state.spread is not None
        assert state.spread.cells is not None
        assert state.spread.cells.dtype == torch.float32
        strokes = Strokes.pack(annotated().scribbles)
        edges, quads = torch.from_numpy(state.states.boxes()).float(), torch.from_numpy(annotated().extreme_points)
    with torch.inference_mode():
        spreading, rows = segmenter.spreading, state.spread.rows
        assert spreading is not None
        assert rows is not None
        residuals, samples = spreading.residuals(
            torch.stack(state.states.logits()), edges, quads, strokes, background=False
        )
        torch.testing.assert_close(state.spread.cells, rows.spread(residuals, samples), rtol=1e-4, atol=1e-4)
