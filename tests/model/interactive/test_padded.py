"""A round as one function of padded tensors gives what an unpadded update gives, and a GPU can capture it."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from fullseg.model.base import Features, Strokes
from fullseg.model.factory import make_segmenter
from fullseg.model.interactive import graphs
from fullseg.model.interactive.graphs import Graph, Rounds
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.interactive.padded import Outcome, first_answers, run_round
from fullseg.model.interactive.round_inputs import (
    BEYOND,
    LINES,
    REGIONS,
    SAMPLES,
    ImageInputs,
    RoundInputs,
    image_inputs,
    pack,
)
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import VOID, Annotations
from tests.model.interactive.test_image_state import (
    SIZE,
    VARIANTS,
    changed,
    features_of,
    random_quad,
    random_scribble,
    tell_classes_apart,
)
from tests.model.test_spreading import FORMS, spreading_model

SPREADING = {f"kriging {kriging}, diffusion {diffusion}": (kriging, diffusion) for kriging, diffusion in FORMS}
MODELS = [*VARIANTS, *SPREADING, "spreads over a background"]


def model_of(name: str, tiny_model: dict[str, Any]) -> RegionSegmenter:
    torch.manual_seed(0)
    if name in VARIANTS:
        segmenter = make_segmenter({"name": "region", **tiny_model, **VARIANTS[name]}).eval()
        assert isinstance(segmenter, RegionSegmenter)
        tell_classes_apart(segmenter)
        return segmenter
    form = SPREADING.get(name, FORMS[-1])
    return spreading_model(tiny_model, *form, background=name not in SPREADING)


def annotated(regions: int, scribbles: int) -> Annotations:
    rng = np.random.default_rng(regions)
    quads = np.stack([random_quad(rng) for _ in range(regions)])
    return Annotations(quads, [random_scribble(number % regions, rng) for number in range(scribbles)])


def inputs_of(
    segmenter: RegionSegmenter, features: Features, annotations: Annotations
) -> tuple[ImageInputs, RoundInputs]:
    image, points = image_inputs(segmenter, features), torch.from_numpy(annotations.extreme_points)
    given = pack(segmenter, points, Strokes.pack(annotations.scribbles), SIZE)
    if segmenter.second_look:
        answers = first_answers(segmenter, image, pack(segmenter, points, Strokes.pack([]), SIZE))
        given = given._replace(answers=answers)
    return image, given


def padded_further(given: RoundInputs) -> Iterator[RoundInputs]:
    """Yield the same inputs with more padding of each kind, by hand."""
    more = torch.full((2 * REGIONS, 12), BEYOND)
    more[:, 10:] += 1
    answers = given.answers
    if answers is not None:
        answers = torch.cat([answers, torch.zeros(2 * REGIONS, *answers.shape[1:])])
    yield given._replace(regions=torch.cat([given.regions, more]), answers=answers)
    for field, count in (("lines", LINES), ("samples", SAMPLES if len(given.samples) else 0)):
        nothing = torch.tensor([[BEYOND, BEYOND, VOID]]).expand(count, -1)
        yield given._replace(**{field: torch.cat([getattr(given, field), nothing])})


def assert_same_as_state(outcome: Outcome, state: ImageState) -> None:
    count = len(state.regions)
    torch.testing.assert_close(outcome.logits[:count], torch.stack(state.states.logits()), rtol=1e-4, atol=1e-4)
    theirs = state.probabilities()
    best = np.sort(np.concatenate([theirs, 1 - theirs.sum(axis=0, keepdims=True)]), axis=0)
    sure = best[-1] - best[-2] > 1e-3
    assert sure.mean() > 0.98
    labels = outcome.labels.numpy()
    np.testing.assert_array_equal(labels[sure], state.canvas.region_map[sure])
    assert len(np.unique(labels)) > 1


@pytest.mark.parametrize("name", MODELS)
def test_equals_an_unpadded_update_for_any_annotations(name: str, tiny_model: dict[str, Any]) -> None:
    segmenter, rng = model_of(name, tiny_model), np.random.default_rng(MODELS.index(name))
    features, annotations = features_of(segmenter), annotated(3, scribbles=0)
    with torch.inference_mode():
        for number in range(5):
            hold = number != 3
            state = ImageState(segmenter, features, SIZE, hold_scribbles=hold, batched=True)
            state.update(annotations, {}, {})
            outcome = run_round(segmenter, *inputs_of(segmenter, features, annotations), hold_scribbles=hold)
            assert_same_as_state(outcome, state)
            annotations = changed(annotations, rng)
            scribbles = [random_scribble(int(rng.integers(len(annotations.extreme_points))), rng) for _ in range(2)]
            annotations = annotations._replace(scribbles=[*annotations.scribbles, *scribbles])


@pytest.mark.parametrize("count", [1, 7, 8, 9, 20])
@pytest.mark.parametrize("name", ["as trained by default", "two looks", "spreads over a background"])
def test_padding_changes_nothing(name: str, count: int, tiny_model: dict[str, Any]) -> None:
    segmenter = model_of(name, tiny_model)
    features, annotations = features_of(segmenter), annotated(count, scribbles=count + 1)
    with torch.inference_mode():
        image, given = inputs_of(segmenter, features, annotations)
        assert len(given.regions) == {1: 8, 7: 8, 8: 8, 9: 16, 20: 24}[count]
        ours = run_round(segmenter, image, given, hold_scribbles=True)
        for further in padded_further(given):
            theirs = run_round(segmenter, image, further, hold_scribbles=True)
            torch.testing.assert_close(theirs.logits[:count], ours.logits[:count], rtol=1e-5, atol=1e-5)
            assert (theirs.labels != ours.labels).float().mean() < 1e-3
            assert theirs.labels.max() < count


def test_scribbles_are_padded_to_few_numbers(tiny_model: dict[str, Any]) -> None:
    segmenter = model_of("one class", tiny_model)
    points = torch.from_numpy(annotated(2, scribbles=0).extreme_points)
    for length, padded in ((0, 1024), (511, 1024), (512, 2048), (1024, 4096)):  # there is a point at every half pixel
        path = torch.tensor([[0.0, 5.0], [float(length), 5.0]])
        strokes = Strokes(path, torch.tensor([2]), torch.tensor([1])) if length else Strokes.pack([])
        assert len(pack(segmenter, points, strokes, (10, 2000)).lines) == padded


class NamesCopies(TorchDispatchMode):
    """Notes operations that move values between devices."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        tensors = [value for value in (*args, result) if isinstance(value, torch.Tensor)]
        devices = {value.device.type for value in tensors if "prim" not in str(func)}
        if len(devices) > 1:
            self.found.append(str(func))
        return result


def on_gpu(segmenter: RegionSegmenter, mode: FakeTensorMode) -> None:
    """Move a network to a GPU that need not be there: its tensors have shapes and a device, but no values."""
    for module in segmenter.modules():
        for name, weight in list(module._parameters.items()):
            if weight is not None:
                module._parameters[name] = torch.nn.Parameter(mode.from_tensor(weight).to("cuda"), False)
        for name, buffer in list(module._buffers.items()):
            module._buffers[name] = None if buffer is None else mode.from_tensor(buffer).to("cuda")


@pytest.mark.parametrize("name", MODELS)
def test_a_gpu_can_capture_it(name: str, tiny_model: dict[str, Any]) -> None:
    segmenter = model_of(name, tiny_model)
    with torch.no_grad():
        image, given = inputs_of(segmenter, features_of(segmenter), annotated(3, scribbles=4))
    with FakeTensorMode() as mode, torch.no_grad():  # it refuses shapes that depend on values, and reading a value

        def moved(part: torch.Tensor | None) -> torch.Tensor | None:
            return None if part is None else mode.from_tensor(part).to("cuda")

        on_gpu(segmenter, mode)
        features = Features(*map(moved, image.features))  # type: ignore[arg-type]
        image = ImageInputs(features, moved(image.cells), tuple(map(moved, image.affinities)))  # type: ignore[arg-type]
        given = RoundInputs(*map(moved, given))  # type: ignore[arg-type]
        with NamesCopies() as copies:
            outcome = run_round(segmenter, image, given, hold_scribbles=True)
            assert copies.found == []
            outcome.logits.new_tensor([1.0])
            assert copies.found == ["aten._to_copy.default"]  # what the test looks for
    assert (outcome.labels.device.type, outcome.labels.shape, outcome.labels.dtype) == ("cuda", SIZE, torch.int16)


@pytest.mark.parametrize("name", MODELS)
def test_runs_in_half_precision(name: str, tiny_model: dict[str, Any]) -> None:
    segmenter, annotations = model_of(name, tiny_model), annotated(3, scribbles=4)
    with torch.inference_mode():
        full = run_round(segmenter, *inputs_of(segmenter, features_of(segmenter), annotations), hold_scribbles=True)
        with torch.autocast("cpu", torch.bfloat16, cache_enabled=False):
            features = features_of(segmenter)
            if segmenter.second_stage is None:  # it has no layer after the backbone's body
                assert features.coarse.dtype == torch.bfloat16
            half = run_round(segmenter, *inputs_of(segmenter, features, annotations), hold_scribbles=True)
    assert half.logits.dtype == torch.float32
    torch.testing.assert_close(half.logits, full.logits, rtol=0.05, atol=0.05 * float(full.logits.abs().max()))
    assert (half.labels == full.labels).float().mean() > 0.9


class Replayed(Rounds):
    """Replays as a GPU does: nothing is read but the memory that was there when a round was captured."""

    def __init__(self, segmenter: RegionSegmenter) -> None:
        super().__init__(segmenter, hold_scribbles=True)
        self.captures, self.captured = True, 0

    def _capture(self, image: ImageInputs, given: RoundInputs) -> Graph:
        self.captured += 1
        outcome = self._body(image, given)

        def replay() -> None:
            for target, value in zip(outcome, self._body(image, given), strict=True):
                target.copy_(value)

        return Graph(replay, given, outcome)


@pytest.mark.parametrize("name", ["two looks", "spreads over a background"])
def test_replays_read_the_annotations_and_the_image_of_now(name: str, tiny_model: dict[str, Any]) -> None:
    segmenter = model_of(name, tiny_model)
    replayed, direct = Replayed(segmenter), Rounds(segmenter, hold_scribbles=True)
    first = features_of(segmenter)
    images = [first, first._replace(coarse=first.coarse.flip(2), images=first.images.flip(2)), first]
    kept = first.coarse.clone()
    with torch.inference_mode():
        for features in images:
            for rounds in (replayed, direct):
                rounds.set_image(features)
            for annotations in (annotated(4, 0), annotated(4, 3), annotated(9, 5), annotated(6, 3)):
                ours, theirs = (rounds.region_map(annotations) for rounds in (replayed, direct))
                np.testing.assert_array_equal(ours, theirs)
    assert replayed.captured == 2  # of 8 and of 16 regions
    assert torch.equal(first.coarse, kept)  # the features of an image that others may still read


def test_few_graphs_are_kept(tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graphs, "MOST_GRAPHS", 2)
    rounds = Replayed(model_of("one class", tiny_model))
    with torch.inference_mode():
        rounds.set_image(features_of(rounds.segmenter))
        for regions, captured in ((3, 1), (9, 2), (4, 2), (17, 3), (5, 3), (10, 4)):
            rounds.region_map(annotated(regions, 0))
            assert rounds.captured == captured


def test_what_cannot_be_captured_runs_anyway(tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    segmenter, annotations = model_of("one class", tiny_model), annotated(3, 4)
    rounds = Replayed(segmenter)

    def fail(*_: Any) -> Graph:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(rounds, "_capture", fail)
    direct = Rounds(segmenter, hold_scribbles=True)
    with torch.inference_mode():
        for each in (rounds, direct):
            each.set_image(features_of(segmenter))
        np.testing.assert_array_equal(rounds.region_map(annotations), direct.region_map(annotations))
    assert rounds.failure == "operation not permitted when stream is capturing"
    assert direct.failure is None
