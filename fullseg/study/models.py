"""A network as a model of the study: it takes annotations and returns a region map."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullseg.config.strategies import FROZEN, INTERACTIVE
from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Strokes
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.study.plan import Model, Predict
from fullseg.types import Annotations


def network_model(
    segmenter: Segmenter,
    counterpart: Segmenter | None,
    device: str,
    precision: Callable[[], AbstractContextManager[Any]],
    *,
    hold_scribbles: bool,
    alone: bool = False,
) -> Model:
    """Return a network, or two, as a model of the study.

    Args:
        segmenter: predicts all rounds, or all but round 0 if there is a counterpart.
        counterpart: predicts round 0 if it is not None.
        device: torch device to run on.
        precision: returns a context manager in which the networks run, for example torch's autocast.
        hold_scribbles: give every pixel on a scribble's line to its region, whatever the network predicts.
        alone: predict the mask of every region by itself, (N, H, W) bool, and not the region map.
    """

    def model(image: NDArray[np.uint8]) -> Predict:
        predictors: dict[bool, Predictor] = {}  # by whether it is the counterpart's

        def predict(annotations: Annotations, number: int) -> NDArray[Any]:
            network = counterpart if number == 0 and counterpart is not None else segmenter
            key = network is counterpart
            with precision():
                if key not in predictors:
                    predictors[key] = Predictor(network, (), device, hold_scribbles=hold_scribbles)
                    predictors[key].set_image(image)
                if number == 0:  # an earlier strategy's state would change the last bits of the result
                    for predictor in predictors.values():
                        predictor.forget()
                region_map = predictors[key].predict(annotations)
                return predictors[key].masks() if alone else region_map

        return predict

    return model


def freeze(predict: Predict) -> Predict:
    """Return a model whose scribbles change only the pixels on their own lines.

    Round 0 is the given model's. Later rounds are round 0 with the lines of all scribbles drawn into it, one pixel
    wide. Where scribbles cross, the later one has the pixel. So it says what scribbles are worth that do not spread.

    Args:
        predict: of the model that predicts round 0 of one image.
    """
    first: NDArray[np.int64] = np.zeros((0, 0), np.int64)

    def hold(annotations: Annotations, number: int) -> NDArray[np.int64]:
        nonlocal first
        if number == 0:
            first = predict(annotations, 0)
        region_map = first.copy()
        if annotations.scribbles:
            strokes = Strokes.pack(annotations.scribbles)
            pixels, stroke = line_pixels(strokes.points, strokes.lengths, region_map.shape)
            region_map.ravel()[pixels.numpy()] = strokes.regions[stroke].numpy()  # the last one at a pixel stays
        return region_map

    return hold


def predict_functions(
    models: Mapping[str, Model], names: Iterable[str], image: NDArray[np.uint8]
) -> dict[str, Predict]:
    """Return what segments one image, by the name of the model.

    Args:
        models: by name; ``FROZEN`` is made of ``INTERACTIVE``, with which it shares the backbone's pass.
        names: of the models that are needed.
        image: (H, W, 3) RGB.
    """
    needed = dict.fromkeys(INTERACTIVE if name == FROZEN else name for name in names)
    found = {name: models[name](image) for name in needed}
    return {name: freeze(found[INTERACTIVE]) if name == FROZEN else found[name] for name in names}
