"""A predictor for GPUs: a round of scribbles is one CUDA graph. Nothing uses it unless it is asked for."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.model.annotation_checks import check_annotations
from fullseg.model.base import Strokes
from fullseg.model.interactive.graphs import Rounds, can_run
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.predictor import Predictor
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import BACKGROUND, Annotations, Decisions


class CapturedPredictor(Predictor):
    """A ``Predictor`` that computes all regions anew and in half precision, but starts all kernels at once.

    This serves predictions from points and scribbles of regions alone. With scribbles of BACKGROUND, locks, given
    classes or decisions by hand, of DEXTR and of very large images it is a ``Predictor`` in half precision. The labels
    are the same, to rounding. The first prediction of each size and padded number of regions takes longer, because its
    graph is captured. On a CPU the same function runs in full precision and without a graph.

    Use it from one thread at a time. The arguments are those of ``Predictor``.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self.rounds = self._new_rounds()
        self._behind: Annotations | None = None  # of a captured prediction, which ``_state`` has not seen yet

    def set_image(self, image: NDArray[np.uint8]) -> None:
        """Compute the features of an image, see ``Predictor.set_image``."""
        self._behind = None
        with self._autocast():
            super().set_image(image)

    def twin(self) -> "CapturedPredictor":
        """Return a predictor of the same image, which shares its features, but has predictions of its own."""
        other = super().twin()
        assert isinstance(other, CapturedPredictor)
        other.rounds = other._new_rounds()
        return other

    @torch.inference_mode()
    def predict(
        self,
        annotations: Annotations,
        *,
        locked: Mapping[int, NDArray[np.bool_]] | None = None,
        classes: Mapping[int, int] | None = None,
        decisions: Decisions | None = None,
        partly: bool = False,
    ) -> NDArray[np.int64]:
        """Segment the image, see ``Predictor.predict``."""
        self._behind = None
        plain = not locked and not self._own_classes(classes or {}) and decisions is None and not partly
        plain = plain and all(scribble.region != BACKGROUND for scribble in annotations.scribbles)
        fits = can_run(self.segmenter, len(annotations.extreme_points), self._size)
        if self._features is None or self.rounds is None or not (plain and fits):
            with self._autocast():
                return super().predict(annotations, locked=locked, classes=classes, decisions=decisions, partly=partly)
        checked = check_annotations(annotations, self._size)
        if self.rounds.features is not self._features:
            self.rounds.set_image(self._features)
        labels = torch.from_numpy(self.rounds.region_map(checked))
        self._behind = checked
        points, strokes = torch.from_numpy(checked.extreme_points), Strokes.pack(checked.scribbles)
        return self.segmenter.without_islands(labels, points, strokes).numpy()

    def forget(self) -> None:
        """Forget all annotations, see ``Predictor.forget``."""
        self._behind = None
        super().forget()

    def _last(self, wanted: str) -> ImageState:
        """Return the state of the last prediction; after a captured one it is computed now."""
        if self._behind is not None:
            annotations, self._behind = self._behind, None
            with self._autocast():
                super().predict(annotations)
        return super()._last(wanted)

    def _new_rounds(self) -> Rounds | None:
        if not isinstance(self.segmenter, RegionSegmenter):
            return None
        return Rounds(self.segmenter, hold_scribbles=self.hold_scribbles)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.float16, enabled=self.device.type == "cuda")
