"""A network as a model of the study: it takes annotations and returns a region map."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

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
) -> Model:
    """Return a network, or two, as a model of the study.

    Args:
        segmenter: predicts all rounds, or all but round 0 if there is a counterpart.
        counterpart: predicts round 0 if it is not None.
        device: torch device to run on.
        precision: returns a context manager in which the networks run, for example torch's autocast.
        hold_scribbles: give every pixel on a scribble's line to its region, whatever the network predicts.
    """

    def model(image: NDArray[np.uint8]) -> Predict:
        predictors: dict[bool, Predictor] = {}  # by whether it is the counterpart's

        def predict(annotations: Annotations, number: int) -> NDArray[np.int64]:
            network = counterpart if number == 0 and counterpart is not None else segmenter
            key = network is counterpart
            with precision():
                if key not in predictors:
                    predictors[key] = Predictor(network, (), device, hold_scribbles=hold_scribbles)
                    predictors[key].set_image(image)
                if number == 0:  # an earlier strategy's state would change the last bits of the result
                    for predictor in predictors.values():
                        predictor.forget()
                return predictors[key].predict(annotations)

        return predict

    return model
