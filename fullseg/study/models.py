"""A network as the study asks it: annotations in, region map out."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.study.plan import Predict
from fullseg.types import Annotations


def model_of(
    segmenter: Segmenter,
    counterpart: Segmenter | None,
    device: str,
    precision: Callable[[], AbstractContextManager[Any]],
    *,
    hold_scribbles: bool,
) -> Callable[[NDArray[np.uint8]], Predict]:
    """Return what makes a ``Predict`` for an image: the counterpart, where there is one, answers in round 0."""

    def on_image(image: NDArray[np.uint8]) -> Predict:
        ready: dict[bool, Predictor] = {}

        def predict(annotations: Annotations, number: int) -> NDArray[np.int64]:
            first = number == 0 and counterpart is not None
            with precision():
                if first not in ready:
                    model = counterpart if first and counterpart else segmenter
                    ready[first] = Predictor(model, (), device, hold_scribbles=hold_scribbles)
                    ready[first].set_image(image)
                if number == 0:  # the same bits whatever was annotated before
                    for predictor in ready.values():
                        predictor.forget()
                return ready[first].predict(annotations)

        return predict

    return on_image
