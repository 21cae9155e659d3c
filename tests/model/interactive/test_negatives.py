"""Scribbles of no region: their lines and what resembles them are of none of the regions."""

from typing import Any

import numpy as np
import pytest
import torch

from fullseg import VOID, Annotations, Predictor, Scribble
from fullseg.model.factory import change_spreading
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.interactive.negatives import with_helpers
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import BACKGROUND, Category
from tests.model.interactive.test_image_state import SIZE, features_of

IMAGE = np.random.default_rng(0).integers(0, 256, (120, 170, 3)).astype(np.uint8)
QUADS = np.array([[[5, 60], [60, 5], [120, 60], [60, 110]], [[70, 60], [110, 20], [165, 60], [110, 115]]], np.float32)
LINE = np.array([[40, 50], [60, 60], [90, 55]], np.float32)
OF_NONE = Scribble(BACKGROUND, LINE)


@pytest.fixture
def predictor(tiny_model: dict[str, Any]) -> Predictor:
    torch.manual_seed(0)
    segmenter = RegionSegmenter(**{**tiny_model, "num_classes": 1, "least_part": 20})
    predictor = Predictor(segmenter, [Category(1, "one", isthing=True)], "cpu", hold_scribbles=True)
    change_spreading(predictor.segmenter, kriging="fixed", diffusion="fixed")
    predictor.set_image(IMAGE)
    return predictor


def test_a_helper_has_the_extreme_points_of_its_scribble() -> None:
    given = Annotations(QUADS, [OF_NONE, Scribble(1, LINE), Scribble(BACKGROUND, LINE[:1] * 0)])
    found = with_helpers(given, IMAGE.shape[:2])
    assert [one.region for one in found.scribbles] == [2, 1, 3]
    np.testing.assert_array_equal(found.extreme_points[:2], QUADS)
    np.testing.assert_array_equal(found.extreme_points[2], [[37, 50], [40, 47], [93, 55], [60, 63]])
    np.testing.assert_array_equal(found.extreme_points[3], [[0, 0], [0, 0], [3, 0], [0, 3]])  # inside of the image


@pytest.mark.parametrize("partly", [False, True])
def test_its_line_is_of_no_region_and_all_answers_are_about_the_regions_alone(
    predictor: Predictor, partly: bool
) -> None:
    before = predictor.predict(Annotations(QUADS, []), partly=partly)
    found = predictor.predict(Annotations(QUADS, [OF_NONE]), partly=partly)
    x, y = np.linspace(LINE[0], LINE[1], 200).round().astype(int).T
    assert (found[y, x] == VOID).all()
    assert set(np.unique(found)) <= {VOID, 0, 1}
    assert (before != found).any()
    void = found == VOID
    assert (predictor.certainty()[void] == 0).all()
    assert (predictor.certainty()[~void] > 0).any()
    assert predictor.probabilities().shape == (2, *IMAGE.shape[:2])
    assert predictor.masks().shape == (2, *IMAGE.shape[:2])
    assert (len(predictor.expected_areas()), len(predictor.classes())) == (2, 2)
    assert predictor.expected_areas() == pytest.approx(predictor.probabilities().sum(axis=(1, 2)), rel=1e-4)


def test_the_network_does_not_see_it(tiny_model: dict[str, Any]) -> None:
    """It would take the scribble as a sign that all regions are annotated, and extend a lone region."""
    segmenter = RegionSegmenter(**{**tiny_model, "num_classes": 1, "second_look": True}).eval()
    quads = with_helpers(Annotations(QUADS, [OF_NONE]), SIZE).extreme_points  # the last one is a helper's
    state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
    before, with_helper, with_another = [], [], []
    with torch.inference_mode():
        for annotations, logits in (
            (Annotations(quads, []), before),
            (Annotations(QUADS, [OF_NONE]), with_helper),
            (Annotations(QUADS, [OF_NONE, Scribble(1, LINE + 10)]), with_another),
        ):
            state.update(annotations, {}, {})
            logits += [one.clone() for one in state.states.logits()]
    assert all(torch.equal(*pair) for pair in zip(before, with_helper, strict=True))
    assert not torch.equal(before[0], with_another[0])  # region 0 sees the scribble of region 1


def test_updates_equal_computing_everything_anew_and_taking_it_back(predictor: Predictor) -> None:
    plain = predictor.predict(Annotations(QUADS, []), partly=True)
    steps = [
        Annotations(QUADS, [OF_NONE]),
        Annotations(QUADS, [OF_NONE, Scribble(0, LINE + 20), Scribble(BACKGROUND, LINE + 30)]),
        Annotations(QUADS[:1], [Scribble(0, LINE + 20), Scribble(BACKGROUND, LINE + 30)]),
        Annotations(np.concatenate([QUADS, QUADS[:1] * 0.5]), [Scribble(2, LINE), Scribble(BACKGROUND, LINE + 30)]),
    ]
    for annotations in steps:
        found = predictor.predict(annotations, partly=True)
        anew = predictor.twin().predict(annotations, partly=True)
        np.testing.assert_array_equal(found, anew)
    np.testing.assert_array_equal(predictor.predict(Annotations(QUADS, []), partly=True), plain)


def test_the_labels_of_a_larger_image_have_no_helpers(predictor: Predictor) -> None:
    found = predictor.predict(Annotations(QUADS, [OF_NONE]), partly=True)
    large = IMAGE.repeat(3, axis=0).repeat(3, axis=1)
    enlarged = predictor.enlarged(large, found)
    assert set(np.unique(enlarged)) <= {VOID, 0, 1}
    x, y = np.linspace(LINE[0], LINE[1], 200).round().astype(int).T
    assert (enlarged[3 * y + 1, 3 * x + 1] == VOID).all()
    assert np.mean(enlarged[1::3, 1::3] == found) > 0.9
