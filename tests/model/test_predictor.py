import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from fullseg import VOID, Annotations, Predictor, Scribble
from fullseg.data.dataset import Item, collate
from fullseg.errors import CheckpointError, DataError
from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Strokes
from fullseg.model.canvas import project_to_canvas, region_map_of
from fullseg.model.factory import change_spreading, make_segmenter
from fullseg.model.islands import without_islands
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import Category, Sample, SampleKey
from tests.model.interactive.test_image_state import DEXTR

CATEGORIES = tuple(Category(number, f"class {number}", isthing=True) for number in (1, 2, 3))
IMAGE = np.random.default_rng(0).integers(0, 256, (49, 67, 3)).astype(np.uint8)
POINTS = np.array(
    [[[0, 20], [10, 0], [30, 20], [10, 48]], [[20, 30], [40, 10], [60, 30], [40, 47]], [[5, 5]] * 4], np.float32
)


@pytest.fixture
def options(tiny_model: dict[str, Any]) -> dict[str, Any]:
    return {**tiny_model, "num_classes": 3}


@pytest.fixture
def segmenter(options: dict[str, Any]) -> RegionSegmenter:
    torch.manual_seed(0)
    segmenter = RegionSegmenter(**options)
    assert segmenter.maps.own is not None
    torch.nn.init.normal_(segmenter.maps.own.weight)  # 0 before training: all classes have the same map
    return segmenter


@pytest.fixture
def predictor(segmenter: RegionSegmenter) -> Predictor:
    return Predictor(segmenter, CATEGORIES, "cpu", hold_scribbles=True)


@pytest.mark.parametrize("least_part", [0, 30])
def test_equals_the_segmenter_that_was_trained(
    predictor: Predictor, segmenter: RegionSegmenter, least_part: int
) -> None:
    segmenter.least_part = least_part
    scribble = Scribble(1, np.array([[30.0, 30.0], [45.0, 25.0]], np.float32))
    annotations = Annotations(POINTS, [scribble])
    sample = Sample(SampleKey(0, 0), "", IMAGE, np.full(IMAGE.shape[:2], VOID), np.zeros(3, np.int64), POINTS)
    points, lengths, of_regions = Strokes.pack([scribble])
    batch = collate([Item(sample, ())])
    batch = batch._replace(scribble_points=points, scribble_lengths=lengths, scribble_regions=of_regions)
    with torch.no_grad():
        regions = segmenter.eval()(batch, None)
        canvas = project_to_canvas(regions.logits, regions.boxes, (49, 67))

    predictor.set_image(IMAGE)
    region_map = predictor.predict(annotations)

    assert region_map.dtype == np.int64
    expected = region_map_of(canvas).numpy()
    if least_part:
        raw, lines = expected, line_pixels(points, lengths, (49, 67))
        pixels, owners = lines[0].numpy(), of_regions[lines[1]].numpy()
        expected = without_islands(raw, POINTS, (pixels, owners), least_part)
        assert (expected != raw).any()
    np.testing.assert_array_equal(region_map, expected)
    with torch.no_grad():
        np.testing.assert_array_equal(segmenter.region_maps(batch)[0].numpy(), expected)
    certainty = predictor.certainty()
    assert (certainty[expected == VOID] == 0).all()
    assert ((certainty > 0) & (certainty <= 1))[expected != VOID].all()
    np.testing.assert_array_equal(predictor.classes(), regions.class_logits.argmax(dim=1).numpy())
    covered = region_map != VOID
    probabilities = predictor.probabilities()
    assert probabilities.shape == (3, 49, 67)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities[:, covered].sum(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(probabilities[:, ~covered], 0)
    if not least_part:
        np.testing.assert_array_equal(probabilities.argmax(axis=0)[covered], region_map[covered])


def test_a_given_class_picks_the_map(predictor: Predictor) -> None:
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, []))
    guess = predictor.classes()
    other = (int(guess[1]) + 1) % 3
    before = predictor.probabilities()
    predictor.predict(Annotations(POINTS, []), classes={1: other})
    assert predictor.classes().tolist() == [guess[0], other, guess[2]]
    assert np.abs(predictor.probabilities() - before).max() > 1e-4
    with pytest.raises(ValueError, match=r"class 3 of region 0: there are 3 classes"):
        predictor.predict(Annotations(POINTS, []), classes={0: 3})


def test_with_one_map_for_all_a_given_class_changes_nothing(options: dict[str, Any]) -> None:
    predictor = Predictor(RegionSegmenter(**{**options, "num_classes": 1}), CATEGORIES, "cpu", hold_scribbles=True)
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, []))
    before = predictor.probabilities()
    predictor.predict(Annotations(POINTS, []), classes={1: 2})
    np.testing.assert_array_equal(predictor.probabilities(), before)


def test_certainty_and_areas_are_those_of_the_probabilities(predictor: Predictor) -> None:
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, []))
    probabilities = predictor.probabilities()
    np.testing.assert_allclose(predictor.certainty(), probabilities.max(axis=0), atol=1e-6)
    np.testing.assert_allclose(predictor.expected_areas(), probabilities.sum(axis=(1, 2)), rtol=1e-4)


def test_a_result_does_not_change_when_the_next_one_is_asked_for(predictor: Predictor) -> None:
    predictor.set_image(IMAGE)
    first = predictor.predict(Annotations(POINTS, []))
    kept = first.copy()
    second = predictor.predict(Annotations(POINTS[1:], []))
    np.testing.assert_array_equal(first, kept)
    assert (first != second).any()


def test_another_image_starts_anew(predictor: Predictor, segmenter: RegionSegmenter) -> None:
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, []))
    predictor.set_image(IMAGE[::-1])
    predictor.predict(Annotations(POINTS, []))
    fresh = Predictor(segmenter, CATEGORIES, "cpu", hold_scribbles=True)
    fresh.set_image(IMAGE[::-1])
    fresh.predict(Annotations(POINTS, []))
    np.testing.assert_array_equal(predictor.probabilities(), fresh.probabilities())


def test_an_update_that_breaks_off_leaves_nothing_half_done(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, []))
    fresh = predictor.probabilities()
    predictor.predict(Annotations(POINTS[1:], []))
    with monkeypatch.context() as broken:
        broken.setattr(predictor._state.states.cache, "update", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            predictor.predict(Annotations(POINTS, []))
    predictor.predict(Annotations(POINTS, []))
    np.testing.assert_array_equal(predictor.probabilities(), fresh)


def test_forgets_to_the_last_bit(predictor: Predictor) -> None:
    scribble = Scribble(1, np.array([[30.0, 30.0], [45.0, 25.0]], np.float32))
    predictor.set_image(IMAGE)
    predictor.predict(Annotations(POINTS, [scribble]))
    fresh = predictor.probabilities()
    predictor.predict(Annotations(POINTS, []))
    predictor.forget()
    predictor.predict(Annotations(POINTS, [scribble]))
    np.testing.assert_array_equal(predictor.probabilities(), fresh)


def test_each_pixel_of_many_regions_has_one_whose_box_covers_it(predictor: Predictor) -> None:
    rng = np.random.default_rng(1)
    points = rng.integers(0, 49, (70, 4, 2)).astype(np.float32)
    predictor.set_image(IMAGE)
    together = predictor.predict(Annotations(points, []))

    assert set(np.unique(together)) <= set(range(-1, 70))
    boxes = [(q[:, 0].min(), q[:, 1].min(), q[:, 0].max(), q[:, 1].max()) for q in points]
    for y, x in rng.integers(0, 49, (200, 2)):
        region = together[y, x]
        covering = [i for i, (x0, y0, x1, y1) in enumerate(boxes) if x0 <= x <= x1 and y0 <= y <= y1]
        assert (region in covering) if covering else (region == VOID)


def test_no_region_leaves_everything_void(predictor: Predictor) -> None:
    predictor.set_image(IMAGE)
    region_map = predictor.predict(Annotations(np.zeros((0, 4, 2), np.float32), []))
    assert (region_map == VOID).all()
    assert predictor.probabilities().shape == (0, 49, 67)


def test_a_one_pixel_image_works(predictor: Predictor) -> None:
    predictor.set_image(np.zeros((1, 1, 3), np.uint8))
    region_map = predictor.predict(Annotations(np.zeros((1, 4, 2), np.float32), []))
    np.testing.assert_array_equal(region_map, [[0]])


@pytest.mark.parametrize(
    ("points", "scribbles", "message"),
    [
        (POINTS[:, :3], [], "expected (N, 4, 2)"),
        (POINTS + 60, [], "lies outside the image of 67 x 49"),
        (POINTS * np.nan, [], "region 0: extreme point (x=nan, y=nan) lies outside"),
        (POINTS, [Scribble(3, POINTS[0])], "scribble of region 3, but there are 3 regions"),
        (POINTS, [Scribble(0, np.zeros((0, 2), np.float32))], "expected (K, 2), K >= 1"),
        (POINTS, [Scribble(2, np.array([[5.0, 90.0]], np.float32))], "scribble of region 2: point (x=5, y=90)"),
    ],
)
def test_names_wrong_annotations(
    predictor: Predictor, points: np.ndarray, scribbles: list[Scribble], message: str
) -> None:
    predictor.set_image(IMAGE)
    with pytest.raises(ValueError, match=re.escape(message)) as error:
        predictor.predict(Annotations(points, scribbles))
    assert isinstance(error.value, DataError) != ("expected" in message)  # a wrong shape is the caller's mistake


def test_the_image_stays_the_callers(predictor: Predictor) -> None:
    """It may be written to afterwards, and one that cannot be written to, as PIL's, causes no warning."""
    change_spreading(predictor.segmenter, kriging="fixed", diffusion="fixed")
    results = []
    for late in (False, True):
        image = IMAGE.copy()
        image.flags.writeable = late
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            predictor.set_image(image)
        if late:
            image[:] = 0
        results.append(predictor.predict(Annotations(POINTS, [])))
    np.testing.assert_array_equal(*results)


@pytest.mark.parametrize("image", [IMAGE[..., 0], IMAGE.astype(np.float32), IMAGE[:0], np.zeros((4, 4, 4), np.uint8)])
def test_names_a_wrong_image(predictor: Predictor, image: np.ndarray) -> None:
    with pytest.raises(ValueError, match="expected \\(H, W, 3\\) uint8 RGB"):
        predictor.set_image(image)


def test_asks_for_calls_in_order(predictor: Predictor) -> None:
    with pytest.raises(RuntimeError, match="call set_image before predict"):
        predictor.predict(Annotations(POINTS, []))
    predictor.set_image(IMAGE)
    for name in ("probabilities", "certainty", "expected_areas", "classes"):
        with pytest.raises(RuntimeError, match=f"call predict before {name}"):
            getattr(predictor, name)()


def test_reads_a_checkpoint_and_refuses_other_files(
    tmp_path: Path, segmenter: RegionSegmenter, options: dict[str, Any]
) -> None:
    state = {f"segmenter.{key}": value for key, value in segmenter.state_dict().items()}
    categories = [category._asdict() for category in CATEGORIES]
    hyperparameters = {"model": {"name": "region", **options, "pretrained": True}, "categories": categories}
    torch.save({"hyper_parameters": hyperparameters, "state_dict": state}, tmp_path / "whole.ckpt")
    (tmp_path / "half.ckpt").write_bytes((tmp_path / "whole.ckpt").read_bytes()[:20000])
    torch.save({"weights": 1}, tmp_path / "foreign.ckpt")
    for name, other in (("nameless", {"categories": None}), ("odd", {"config": None})):
        torch.save({"hyper_parameters": hyperparameters | other, "state_dict": state}, tmp_path / f"{name}.ckpt")

    loaded = Predictor.from_checkpoint(tmp_path / "whole.ckpt")
    for key, value in loaded.segmenter.state_dict().items():
        torch.testing.assert_close(value, segmenter.state_dict()[key])
    assert loaded.categories == CATEGORIES
    for name in ("half", "foreign", "nameless", "odd"):
        with pytest.raises(ValueError, match=f"{name}.ckpt is no whole checkpoint of fullseg train"):
            Predictor.from_checkpoint(tmp_path / f"{name}.ckpt")
    with pytest.raises(FileNotFoundError, match=r"missing\.ckpt"):
        Predictor.from_checkpoint(tmp_path / "missing.ckpt")


def save(segmenter: RegionSegmenter, options: dict[str, Any], path: Path) -> Path:
    state = {f"segmenter.{key}": value for key, value in segmenter.state_dict().items()}
    categories = [category._asdict() for category in CATEGORIES]
    hyperparameters = {"model": {"name": "region", **options}, "categories": categories}
    torch.save({"hyper_parameters": hyperparameters, "state_dict": state}, path)
    return path


LEARNED = {"sharp_channels": 4, "kriging": "learned", "diffusion": "learned", "diffusion_dilations": [2, 1]}


@pytest.mark.parametrize("kriging", [None, "none", "fixed"])
@pytest.mark.parametrize("diffusion", [None, "none", "fixed"])
@pytest.mark.parametrize("trained", ["none", "learned"])
def test_a_checkpoint_spreads_annotations_in_another_way(
    tmp_path: Path, options: dict[str, Any], trained: str, kriging: str | None, diffusion: str | None
) -> None:
    torch.manual_seed(0)
    own = options | (LEARNED if trained == "learned" else {})
    segmenter = RegionSegmenter(**own)
    for parameter in segmenter.spreading.parameters() if segmenter.spreading else ():
        parameter.data.add_(0.1)  # trained: not what a new part would have

    loaded = Predictor.from_checkpoint(save(segmenter, own, tmp_path / "a.ckpt"), kriging=kriging, diffusion=diffusion)

    forms = {"kriging": kriging or trained, "diffusion": diffusion or trained}
    state, before = loaded.segmenter.state_dict(), segmenter.state_dict()
    fresh = RegionSegmenter(**own | forms).state_dict()
    assert state.keys() == fresh.keys()
    for key, value in state.items():
        part = key.split(".")[1] if key.startswith("spreading.") else ""
        replaced = part and forms[part] != trained
        torch.testing.assert_close(value, fresh[key] if replaced else before[key])
    loaded.set_image(IMAGE)
    assert loaded.predict(Annotations(POINTS, [])).shape == IMAGE.shape[:2]


def test_what_was_not_learned_can_not_be_had(
    tmp_path: Path, segmenter: RegionSegmenter, options: dict[str, Any]
) -> None:
    path = save(segmenter, options, tmp_path / "plain.ckpt")
    with pytest.raises(CheckpointError, match=r"plain.ckpt: diffusion=learned: .* trained with model.diffusion=none"):
        Predictor.from_checkpoint(path, diffusion="learned")
    with pytest.raises(ValueError, match="kriging='often': choose none, fixed or learned"):
        Predictor.from_checkpoint(path, kriging="often")


def test_dextr_spreads_nothing() -> None:
    dextr = make_segmenter(DEXTR)
    change_spreading(dextr, kriging="none", diffusion=None)
    with pytest.raises(CheckpointError, match="kriging=fixed: DEXTR computes no features"):
        change_spreading(dextr, kriging="fixed", diffusion=None)
