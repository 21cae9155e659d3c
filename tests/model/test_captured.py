"""A captured predictor answers as any other predictor."""

from typing import Any

import numpy as np
import pytest
import torch

from fullseg.errors import DataError
from fullseg.model.captured import CapturedPredictor
from fullseg.model.factory import make_segmenter
from fullseg.model.interactive import graphs
from fullseg.model.predictor import Predictor
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import BACKGROUND, Annotations, Scribble
from tests.model.interactive.test_image_state import DEXTR, IMAGE, SIZE
from tests.model.test_spreading import annotated, spreading_model

EMPTY = Annotations(np.zeros((0, 4, 2), np.float32), [])


@pytest.fixture
def segmenter(tiny_model: dict[str, Any]) -> RegionSegmenter:
    segmenter = spreading_model(tiny_model, "learned", "learned", second_look=True)
    torch.nn.init.normal_(segmenter.convolutions[0].weight[:, -1], std=0.5)  # type: ignore[index]
    return segmenter


def pair(segmenter: Any) -> tuple[CapturedPredictor, Predictor]:
    found = [kind(segmenter, (), "cpu", hold_scribbles=True) for kind in (CapturedPredictor, Predictor)]
    for predictor in found:
        predictor.set_image(IMAGE)
    return found[0], found[1]  # type: ignore[return-value]


def same(ours: np.ndarray, theirs: np.ndarray) -> bool:
    return bool((ours == theirs).mean() > 0.999)  # close contests may end otherwise


@pytest.mark.parametrize("least_part", [0, 50])
def test_any_call_after_any_other_gives_the_same_labels(segmenter: RegionSegmenter, least_part: int) -> None:
    segmenter.least_part = least_part
    ours, theirs = pair(segmenter)
    mask = np.zeros(SIZE, bool)
    mask[20:50, 30:90] = True
    calls: list[tuple[Annotations, dict[str, Any]]] = [
        (annotated(1, scribbles=0), {}),
        (annotated(1, scribbles=9), {}),
        (annotated(1, scribbles=9), {"locked": {2: mask}}),
        (annotated(1, scribbles=4), {}),
        (annotated(1, scribbles=4), {"partly": True}),
        (annotated(1, scribbles=4)._replace(scribbles=[Scribble(BACKGROUND, np.array([[40, 30], [70, 60]]))]), {}),
        (EMPTY, {}),
        (annotated(2, regions=9), {}),
    ]
    for annotations, options in calls:
        found = ours.predict(annotations, **options)
        assert found.dtype == np.int64
        assert same(found, theirs.predict(annotations, **options))


def test_what_is_asked_of_a_prediction_is_computed_later(segmenter: RegionSegmenter) -> None:
    ours, theirs = pair(segmenter)
    for seed in (1, 2):
        for predictor in (ours, theirs):
            predictor.predict(annotated(seed))
        np.testing.assert_allclose(ours.probabilities(), theirs.probabilities(), atol=1e-4)
        np.testing.assert_allclose(ours.certainty(), theirs.certainty(), atol=1e-4)
        np.testing.assert_array_equal(ours.classes(), theirs.classes())
        assert same(ours.masks(), theirs.masks())
    ours.forget()
    with pytest.raises(RuntimeError, match="call predict before certainty"):
        ours.certainty()


def test_twins_and_images_do_not_disturb_each_other(segmenter: RegionSegmenter) -> None:
    ours, theirs = pair(segmenter)
    first = ours.predict(annotated(1))
    twin = ours.twin()
    assert same(twin.predict(annotated(2)), theirs.predict(annotated(2)))
    ours.set_image(255 - IMAGE)
    theirs.set_image(255 - IMAGE)
    assert same(ours.predict(annotated(1)), theirs.predict(annotated(1)))
    assert not same(ours.predict(annotated(1)), first)
    assert same(twin.predict(annotated(1)), first)


@pytest.mark.parametrize("reason", ["large", "dextr"])
def test_what_has_no_graph_is_predicted_as_ever(
    reason: str, segmenter: RegionSegmenter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graphs, "MOST_BYTES", 4 * 8 * SIZE[0] * SIZE[1])
    ours, theirs = pair(segmenter if reason == "large" else make_segmenter(DEXTR).eval())
    monkeypatch.setattr(graphs.Rounds, "region_map", None)
    np.testing.assert_array_equal(ours.predict(annotated(1)), theirs.predict(annotated(1)))


def test_asks_for_calls_in_order_and_checks_them(segmenter: RegionSegmenter) -> None:
    predictor = CapturedPredictor(segmenter, (), "cpu", hold_scribbles=True)
    with pytest.raises(RuntimeError, match="call set_image before predict"):
        predictor.predict(annotated(1))
    predictor.set_image(IMAGE)
    with pytest.raises(DataError):
        predictor.predict(Annotations(annotated(1).extreme_points, [Scribble(9, np.ones((2, 2), np.float32))]))
