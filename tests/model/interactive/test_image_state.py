"""Updates against the straightforward model that computes everything anew: the same logits, the same labels."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fullseg.model.base import PREDICTED, Features, Regions, Strokes
from fullseg.model.canvas import OUTSIDE_LOGIT, project_to_canvas, region_map_of
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.factory import make_segmenter
from fullseg.model.interactive import region_cache, windows
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter
from fullseg.types import BACKGROUND, VOID, Annotations, Decisions, Scribble

SIZE = (150, 290)  # (H, W): more than one tile either way
IMAGE = np.random.default_rng(0).integers(0, 256, (*SIZE, 3)).astype(np.uint8)
VARIANTS: dict[str, dict[str, Any]] = {
    "as trained by default": {},
    "a picked map": {"mix_classes": False},
    "one class": {"num_classes": 1},
    "paper's head, c4": {
        "num_classes": 1,
        "features": "c4",
        "stride": 16,
        "roi_size": 21,
        "mask_size": 21,
        "head_dilations": [1, 1, 1, 1],
        "box_maps": False,
    },
    "Table 1": {"roi_size": 14, "mask_size": 33, "annotation_encoding": "gaussian_box", "share": "none"},
    "single objects": {"share": "none", "background": True},
    "two stages": {
        "features": "c4",
        "stride": 8,
        "roi_size": 7,
        "mask_size": 15,
        "head": "two_stage",
        "num_classes": 2,
    },
    "heatmaps are shared": {"annotation_encoding": "gaussian"},
    "points are shared": {"share": "points", "head_dilations": [1]},
    "two looks": {"second_look": True},
    "two looks, one class": {"second_look": True, "num_classes": 1, "share": "points", "box_maps": False},
    "two looks, heatmaps": {"second_look": True, "annotation_encoding": "gaussian", "background": True},
    "one layer, larger masks": {"roi_size": 9, "mask_size": 15, "head_dilations": [1]},
}


DEXTR: dict[str, Any] = {
    "name": "dextr",
    "backbone": "tf_efficientnet_lite0",
    "pretrained": False,
    "input_size": 32,
    "relax": 20,
    "weights": None,
    "published": False,
    "annotation_encoding": "gaussian",
    "background": True,
}


def tell_classes_apart(segmenter: RegionSegmenter) -> None:
    """Give each class a map of its own, and let the first look count; before training neither is so."""
    if segmenter.second_look:
        torch.nn.init.normal_(segmenter.convolutions[0].weight[:, -1], std=0.5)  # type: ignore[index]
    if segmenter.maps.own is not None:
        torch.nn.init.normal_(segmenter.maps.own.weight)
        torch.nn.init.normal_(segmenter.maps.own.bias)


def features_of(segmenter: Segmenter) -> Features:
    with torch.inference_mode():
        return segmenter.features(torch.from_numpy(IMAGE).permute(2, 0, 1)[None]).of(0)


def straightforward(
    segmenter: Segmenter, features: Features, annotations: Annotations, given: dict[int, int] | None = None
) -> Regions:
    quads = torch.from_numpy(annotations.extreme_points)
    rois, boxes = segmenter.region_inputs(features, quads, Strokes.pack(annotations.scribbles), SIZE)
    classes = torch.tensor([(given or {}).get(region, PREDICTED) for region in range(len(quads))], dtype=torch.int64)
    return segmenter.head(rois, boxes, classes)


def random_quad(rng: np.random.Generator) -> NDArray[np.float32]:
    low = rng.integers(0, (SIZE[1] - 40, SIZE[0] - 40))
    high = np.minimum(low + rng.integers(1, (180, 120)), (SIZE[1] - 1, SIZE[0] - 1))
    x, y = rng.integers(low, high + 1, (2, 2))[:, 0].tolist(), rng.integers(low, high + 1, (2, 2))[:, 1].tolist()
    return np.array([[low[0], y[0]], [x[0], low[1]], [high[0], y[1]], [x[1], high[1]]], np.float32)


def random_scribble(region: int, rng: np.random.Generator) -> Scribble:
    path = rng.integers(0, (SIZE[1], SIZE[0])) + np.cumsum(rng.integers(-4, 5, (rng.integers(1, 12), 2)), axis=0)
    return Scribble(region, path.clip(0, (SIZE[1] - 1, SIZE[0] - 1)).astype(np.float32))


def changed(annotations: Annotations, rng: np.random.Generator) -> Annotations:
    """Return the annotations after a random action: scribble, undo, add, delete, reorder or move a region."""
    points, scribbles = annotations.extreme_points, list(annotations.scribbles)
    count = len(points)
    action = rng.choice(["scribble", "scribbles", "undo", "middle", "add", "delete", "reorder", "move"])
    if count < 2 or action == "add":
        return Annotations(np.concatenate([points, random_quad(rng)[None]]), scribbles)
    if action == "scribble":
        return Annotations(points, [*scribbles, random_scribble(int(rng.integers(count)), rng)])
    if action == "scribbles":
        return Annotations(points, scribbles + [random_scribble(region, rng) for region in range(count)])
    if action in ("undo", "middle") and scribbles:
        scribbles.pop(-1 if action == "undo" else len(scribbles) // 2)
    if action == "delete":
        gone = int(rng.integers(count))
        kept = [s for s in scribbles if s.region != gone]
        kept = [s._replace(region=s.region - (s.region > gone)) for s in kept]
        return Annotations(np.delete(points, gone, axis=0), kept)
    if action == "reorder":
        order = rng.permutation(count)
        place = np.argsort(order)
        return Annotations(points[order], [s._replace(region=int(place[s.region])) for s in scribbles])
    if action == "move":
        points = points.copy()
        points[rng.integers(count)] = random_quad(rng)
    return Annotations(points, scribbles)


def random_decisions(annotations: Annotations, rng: np.random.Generator) -> Decisions | None:
    """Return decisions about random pixels in a window; None: none."""
    count = len(annotations.extreme_points)
    owners, part = np.full(SIZE, VOID), (slice(20, 90), slice(100, 180))
    owners[part] = np.where(rng.random((70, 80)) < 0.2, rng.integers(BACKGROUND, count, (70, 80)), VOID)
    barred = {region: rng.random(SIZE) < 0.2 for region in range(count) if rng.random() < 0.3}
    return Decisions(owners, barred, min(2, len(annotations.scribbles))) if rng.random() < 0.8 else None


def held(
    canvas: torch.Tensor,
    annotations: Annotations,
    locked: dict[int, NDArray[np.bool_]],
    by_hand: Decisions | None = None,
) -> torch.Tensor:
    """Apply all decisions: scribbles, whose points are whole pixels here, pixels one by one, and locked regions."""
    barred = {} if by_hand is None else by_hand.barred
    for region, mask in barred.items():
        canvas[region, mask] = OUTSIDE_LOGIT
    for scribble in annotations.scribbles[: len(annotations.scribbles) - (by_hand.evidence if by_hand else 0)]:
        for start, end in zip(scribble.points, [*scribble.points[1:], scribble.points[-1]], strict=True):
            steps = max(1, int(np.ceil(2 * np.linalg.norm(end - start))))
            for step in range(steps):
                x, y = np.floor(start + np.float32(step) / np.float32(steps) * (end - start) + 0.5).astype(int)
                if scribble.region not in locked and not (scribble.region in barred and barred[scribble.region][y, x]):
                    canvas[:, y, x], canvas[scribble.region, y, x] = OUTSIDE_LOGIT, 1e4
    for region in range(BACKGROUND, len(canvas)) if by_hand is not None else ():
        here = by_hand.owners == region
        if region != VOID and region not in locked:
            canvas[:, here] = OUTSIDE_LOGIT
        if region >= 0:
            canvas[region, here] = 1e4
    for region, mask in locked.items():
        canvas[region] = OUTSIDE_LOGIT
        canvas[:, mask] = OUTSIDE_LOGIT
        canvas[region, mask] = 1e4
    return canvas


def assert_same(state: ImageState, regions: Regions, canvas: torch.Tensor) -> None:
    if state.regions:
        torch.testing.assert_close(torch.stack(state.states.logits()), regions.logits, rtol=1e-4, atol=1e-4)
        np.testing.assert_array_equal(state.states.boxes(), regions.boxes.numpy())
    expected = region_map_of(canvas)
    probabilities = torch.where(canvas > OUTSIDE_LOGIT, canvas.softmax(dim=0), 0)
    if state.segmenter.background:
        canvas = torch.cat([canvas, torch.zeros(1, *SIZE)])
        winner = canvas.argmax(dim=0)
        expected = torch.where(winner == len(canvas) - 1, VOID, winner)
        probabilities = canvas.softmax(dim=0)[:-1]
    certainty = np.where(state.canvas.region_map == VOID, 0, probabilities.amax(dim=0))
    np.testing.assert_allclose(state.probabilities(), probabilities, atol=1e-4)
    np.testing.assert_allclose(state.canvas.certainty, certainty, atol=1e-4)
    np.testing.assert_allclose(state.canvas.areas.sum(axis=(0, 1)), probabilities.sum(dim=(1, 2)), rtol=1e-4, atol=0.1)
    best = canvas.topk(min(2, len(canvas)), dim=0).values
    close = (best[0] - best[-1] < 1e-4) & (best[0] > OUTSIDE_LOGIT) if len(best) > 1 else torch.zeros(SIZE, dtype=bool)
    assert close.float().mean() < 0.01
    differs = torch.from_numpy(state.canvas.region_map) != expected
    assert not (differs & ~close).any()


@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize("variant", [*VARIANTS, "dextr"])
def test_any_change_gives_what_computing_everything_anew_gives(
    variant: str, batched: bool, tiny_model: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    options = {"name": "region", **tiny_model, **VARIANTS[variant]} if variant != "dextr" else DEXTR
    segmenter = make_segmenter(options).eval()
    if isinstance(segmenter, RegionSegmenter):
        tell_classes_apart(segmenter)
    if isinstance(segmenter, Dextr):
        segmenter.backbone.pyramid.last.weight.data *= 100  # otherwise many pixels would have nearly equal logits
    rng = np.random.default_rng([*VARIANTS, "dextr"].index(variant))
    annotations = Annotations(np.stack([random_quad(rng) for _ in range(5)]), [])
    features = features_of(segmenter)
    with torch.inference_mode():
        state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=batched)
        locked: dict[int, NDArray[np.bool_]] = {}
        given: dict[int, int] = {}
        by_hand: Decisions | None = None
        for _ in range(10):
            state.update(annotations, locked, given, by_hand)
            regions = straightforward(segmenter, features, annotations, given)
            canvas = held(project_to_canvas(regions.logits, regions.boxes, SIZE), annotations, locked, by_hand)
            assert_same(state, regions, canvas)
            before, annotations = annotations, changed(annotations, rng)
            if rng.random() < 0.7 or [len(part) for part in before] != [len(part) for part in annotations]:
                by_hand = random_decisions(annotations, rng)
            locked = {
                region: rng.random(SIZE) < 0.1
                for region in range(len(annotations.extreme_points))
                if rng.random() < 0.1
            }
            if segmenter.knows_classes:
                classes = rng.integers(-2, 2, len(annotations.extreme_points)).tolist()
                given = {region: number for region, number in enumerate(classes) if number >= 0}


@pytest.fixture
def state(tiny_model: dict[str, Any]) -> ImageState:
    torch.manual_seed(0)
    segmenter = RegionSegmenter(**{**tiny_model, "roi_size": 21, "mask_size": 21, "num_classes": 1}).eval()
    return ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)


FAR_APART = np.array(
    [[[x, 70], [x + 30, 5], [x + 60, 70], [x + 30, 140]] for x in (5, 100, 200)], np.float32
)  # three boxes that do not touch
STROKE = Scribble(0, np.array([[30, 60], [34, 66]], np.float32))


def record_convolutions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    cells: list[int] = []
    original = windows._convolve_window

    def recorded(source: torch.Tensor, window: windows.Window, *rest: Any) -> torch.Tensor:
        cells.append((window[1] - window[0]) * (window[3] - window[2]))
        return original(source, window, *rest)

    monkeypatch.setattr(windows, "_convolve_window", recorded)
    return cells


def test_a_scribble_costs_the_regions_and_cells_that_it_touches(
    state: ImageState, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = record_convolutions(monkeypatch)
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, []), {}, {})
        assert len(cells) == 3 * 2  # three regions of two layers
        cells.clear()
        state.update(Annotations(FAR_APART, []), {}, {})
        assert not cells
        state.update(Annotations(FAR_APART, [STROKE]), {}, {})
        assert len(cells) == 2
        assert max(cells) < 21 * 21 / 2
        cells.clear()
        state.update(Annotations(FAR_APART[::-1].copy(), [STROKE._replace(region=2)]), {}, {})
        state.update(Annotations(FAR_APART[:2], [STROKE]), {}, {})
        assert not cells  # regions had other numbers, and the one that is gone was out of the others' sight


class Verdict(torch.nn.Module):
    """A classifier that returns the class it is told to."""

    said = 0

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.eye(2)[self.said].expand(len(hidden), 2)


def test_another_class_changes_all_of_the_logits(tiny_model: dict[str, Any]) -> None:
    segmenter = RegionSegmenter(**{**tiny_model, "roi_size": 21, "mask_size": 21, "mix_classes": False}).eval()
    tell_classes_apart(segmenter)
    segmenter.maps.classifier = verdict = Verdict()  # type: ignore[assignment]
    features = features_of(segmenter)
    state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, []), {}, {})
        verdict.said = 1
        state.update(Annotations(FAR_APART, [STROKE]), {}, {})
        anew = straightforward(segmenter, features, Annotations(FAR_APART, [STROKE]))
    assert state.classes().tolist() == [1, 0, 0]
    torch.testing.assert_close(state.states.logits()[0], anew.logits[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("batched", [False, True])
def test_a_given_class_picks_the_map_until_it_is_taken_back(tiny_model: dict[str, Any], *, batched: bool) -> None:
    segmenter = RegionSegmenter(**tiny_model).eval()
    tell_classes_apart(segmenter)
    segmenter.maps.classifier = Verdict()  # type: ignore[assignment]
    features, annotations = features_of(segmenter), Annotations(FAR_APART, [])
    state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=batched)
    with torch.inference_mode():
        for given in ({}, {1: 1}, {}):
            state.update(annotations, {}, given)
            assert state.classes().tolist() == [0, given.get(1, 0), 0]
            anew = straightforward(segmenter, features, annotations, given)
            torch.testing.assert_close(torch.stack(state.states.logits()), anew.logits, rtol=1e-4, atol=1e-4)
            expected = region_map_of(project_to_canvas(anew.logits, anew.boxes, SIZE))
            np.testing.assert_array_equal(state.canvas.region_map, expected)


def test_of_crossing_scribbles_the_later_one_holds(state: ImageState) -> None:
    wide = np.array([[[0, 70], [30, 0], [289, 70], [30, 149]]] * 2, np.float32)
    across = Scribble(0, np.array([[10, 50], [60, 50]], np.float32))
    down = Scribble(1, np.array([[30, 20], [30, 90]], np.float32))
    with torch.inference_mode():
        state.update(Annotations(wide, [across, down]), {}, {})
        assert state.canvas.region_map[50, 30] == 1
        state.update(Annotations(wide, [down, across]), {}, {})  # the same drawings
        assert state.canvas.region_map[50, 30] == 0


def test_only_changed_tiles_are_computed(state: ImageState, monkeypatch: pytest.MonkeyPatch) -> None:
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, []), {}, {})
        tiles: list[int] = []
        contests = state.canvas.contests
        monkeypatch.setattr(
            state.canvas, "contests", lambda found, *rest: [tiles.append(len(found)), *contests(found, *rest)][1:]
        )
        state.update(Annotations(FAR_APART, [STROKE]), {}, {})
        state.update(Annotations(FAR_APART, [STROKE]), {0: np.zeros(SIZE, np.bool_)}, {})
    assert tiles == [1, 6]  # the tile around the stroke; then all tiles, two rows of three


def test_regions_beyond_the_memory_are_computed_anew(state: ImageState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(region_cache, "CACHE_BYTES", 2 * (2 * 8 * 21 * 21 * 4) + 1)  # two regions' hidden layers
    cells = record_convolutions(monkeypatch)
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, []), {}, {})
        assert [bool(region.hidden) for region in state.regions] == [False, True, True]
        cells.clear()
        state.update(Annotations(FAR_APART, [STROKE]), {}, {})
        assert min(cells) == 21 * 21
        assert [bool(region.hidden) for region in state.regions] == [True, False, True]
        regions = straightforward(state.segmenter, state.states.cache.features, Annotations(FAR_APART, [STROKE]))
        torch.testing.assert_close(torch.stack(state.states.logits()), regions.logits, rtol=1e-4, atol=1e-4)


def test_a_batch_is_of_the_touched_regions_and_may_be_larger_than_the_memory(
    state: ImageState, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_cache, "CACHE_BYTES", 8 * 21 * 21 * 4)  # one region's
    counts: list[int] = []
    last = state.segmenter.convolutions[-1]
    last.register_forward_hook(lambda _, inputs, __: counts.append(len(inputs[0])))
    batched = ImageState(state.segmenter, state.states.cache.features, SIZE, hold_scribbles=True, batched=True)
    with torch.inference_mode():
        for annotations in (Annotations(FAR_APART, []), Annotations(FAR_APART, [STROKE]), Annotations(FAR_APART, [])):
            batched.update(annotations, {}, {})
        assert [bool(region.hidden) for region in batched.regions] == [True, False, False]
        assert counts == [3, 1, 1]
        regions = straightforward(state.segmenter, state.states.cache.features, Annotations(FAR_APART, []))
        torch.testing.assert_close(torch.stack(batched.states.logits()), regions.logits, rtol=1e-4, atol=1e-4)


def test_the_network_may_overrule_scribbles_that_are_not_held(state: ImageState) -> None:
    everywhere = [Scribble(region, np.array([[20, 30], [50, 120]], np.float32)) for region in (1, 0)]
    wide = np.array([[[0, 70], [30, 0], [289, 70], [30, 149]]] * 2, np.float32)
    with torch.inference_mode():
        state.update(Annotations(wide, everywhere), {}, {})
        assert state.canvas.region_map[30, 20] == state.canvas.region_map[120, 50] == 0
        free = ImageState(state.segmenter, state.states.cache.features, SIZE, hold_scribbles=False, batched=False)
        free.update(Annotations(wide, everywhere), {}, {})
        regions = straightforward(state.segmenter, state.states.cache.features, Annotations(wide, everywhere))
        plain = region_map_of(project_to_canvas(regions.logits, regions.boxes, SIZE))
    np.testing.assert_array_equal(free.canvas.region_map, plain)


def test_half_precision_is_the_networks_alone(state: ImageState) -> None:
    annotations = Annotations(FAR_APART, [STROKE])
    with torch.inference_mode():
        state.update(annotations, {}, {})
        exact = torch.stack(state.states.logits())
        maps = state.regions[0].maps
        assert maps is not None
        with torch.autocast("cpu", torch.bfloat16):
            half = ImageState(state.segmenter, state.states.cache.features, SIZE, hold_scribbles=True, batched=False)
            half.update(Annotations(FAR_APART, []), {}, {})
            half.update(annotations, {}, {})
    logits = torch.stack(half.states.logits())
    assert 0 < (logits - exact).abs().max() < 0.05 * exact.abs().max()
    torch.testing.assert_close(half.regions[0].maps, maps)
    canvas = project_to_canvas(logits, torch.from_numpy(half.states.boxes()).float(), SIZE)
    np.testing.assert_array_equal(half.canvas.region_map, region_map_of(held(canvas, annotations, {})))


@pytest.mark.parametrize("edge", [(SIZE[1] - 0.6, SIZE[0] - 0.6), (-0.5, -0.5), (SIZE[1] - 0.5, SIZE[0] - 0.5)])
def test_a_dot_at_the_edge_holds_one_pixel(state: ImageState, edge: tuple[float, float]) -> None:
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, [Scribble(0, np.array([edge], np.float32))]), {}, {})
    assert state.decided.pixels.tolist() == [0 if edge[0] < 0 else SIZE[0] * SIZE[1] - 1]


def test_each_pixel_of_a_simulated_path_is_held_and_no_other(state: ImageState) -> None:
    steps = np.random.default_rng(0).integers(-1, 2, (60, 2))
    path = (30 + np.cumsum(steps, axis=0)).clip(0, 59).astype(np.float32)
    with torch.inference_mode():
        state.update(Annotations(FAR_APART, [Scribble(1, path)]), {}, {})
    assert {(int(p % SIZE[1]), int(p // SIZE[1])) for p in state.decided.pixels} == {(int(x), int(y)) for x, y in path}
    assert set(state.decided.owners) == {1}
