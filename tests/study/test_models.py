"""The frozen model: scribbles that change only their own lines."""

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg import Predictor
from fullseg.config.strategies import FROZEN, INTERACTIVE
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.study.models import freeze, predict_functions
from fullseg.study.plan import Predict
from fullseg.types import Annotations, Scribble
from tests.study.conftest import PLAN, painter, sample

CROSS = [
    Scribble(0, np.array([[2.3, 10.6], [40, 14], [40, 30.5]], np.float32)),
    Scribble(1, np.array([[20, 2], [20, 35]], np.float32)),
    Scribble(2, np.array([[-0.5, 39.5]], np.float32)),  # a dot on the image's corner
]


@pytest.mark.parametrize("turned", [False, True])
def test_holds_the_pixels_that_a_predictor_holds_and_changes_no_other(tiny_model: dict[str, Any], turned: bool) -> None:
    one, scribbles = sample(0), CROSS[::-1] if turned else CROSS
    first = np.full(one.region_map.shape, 5)
    predict = freeze(lambda *_: first)
    np.testing.assert_array_equal(predict(Annotations(one.extreme_points, []), 0), first)
    frozen = predict(Annotations(one.extreme_points, scribbles), 1)

    predictor = Predictor(RegionSegmenter(**tiny_model), (), "cpu", hold_scribbles=True)
    predictor.set_image(one.image)
    held = predictor.predict(Annotations(one.extreme_points, scribbles))
    decided = predictor._last("a test").decided  # the pixels on lines, and their regions
    expected = first.copy()
    expected.ravel()[decided.pixels] = decided.owners
    np.testing.assert_array_equal(frozen, expected)
    np.testing.assert_array_equal(frozen[frozen != 5], held[frozen != 5])
    assert set(np.unique(frozen)) == {0, 1, 2, 5}
    assert (first == 5).all()  # the first prediction stays as it was


def test_scribbles_mend_their_own_pixels_only() -> None:
    one = sample(1)
    states = list(PLAN.annotate(one, freeze(painter(one)), "free"))
    for before, after in pairwise(states):
        changed = before.prediction != after.prediction
        points = np.concatenate([scribble.points for scribble in after.new_scribbles]).astype(int)
        on_lines = np.zeros_like(changed)
        on_lines[points[:, 1], points[:, 0]] = True
        assert changed.any()
        assert (changed <= on_lines).all()


def test_it_freezes_what_the_studied_model_predicts_and_asks_it_for_the_image_once() -> None:
    images: list[str] = []

    def model(name: str) -> Any:
        def prepare(image: NDArray[np.uint8]) -> Predict:
            images.append(name)
            return lambda _, number: np.full(image.shape[:2], number)

        return prepare

    models = {INTERACTIVE: model(INTERACTIVE), "other": model("other")}
    image, nothing = np.zeros((4, 4, 3), np.uint8), Annotations(np.zeros((1, 4, 2), np.float32), [])
    found = predict_functions(models, [FROZEN, INTERACTIVE, "other"], image)
    assert images == [INTERACTIVE, "other"]
    assert list(found) == [FROZEN, INTERACTIVE, "other"]
    assert [int(found[FROZEN](nothing, number).max()) for number in (0, 1, 2)] == [0, 0, 0]
    assert int(found[INTERACTIVE](nothing, 2).max()) == 2
    images.clear()
    assert list(predict_functions(models, [FROZEN], image)) == [FROZEN]
    assert images == [INTERACTIVE]
