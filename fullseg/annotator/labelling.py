"""The labels of open images: holds the model, which has one image at a time, and the layers of decided pixels."""

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.categories import Categories
from fullseg.annotator.edits import Edits
from fullseg.annotator.evidence import Shown, evidence
from fullseg.annotator.full_size import full_map
from fullseg.annotator.layer import Layer, Layers, Sizes
from fullseg.annotator.segmentation import Segmentation, segment
from fullseg.annotator.work import History, Work

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor


class Open(NamedTuple):
    """One image in memory."""

    key: str  # of the file, see ``Workspace.key``
    pixels: NDArray[np.uint8]  # (h, w, 3), as the network sees it
    full_size: tuple[int, int]  # (H, W) of the file
    history: History
    revision: int  # number of actions in the journal

    @property
    def work(self) -> Work:
        """The current state."""
        return self.history.work


class Labeller:
    """Asks the model for labels. Only one thread at a time may do so.

    Args:
        load: returns the model in use; it may wait until the model is loaded. It may return another one any time.
        categories: of the annotator.
    """

    def __init__(self, load: Callable[[], "Predictor"], categories: Categories) -> None:
        self._load, self.categories = load, categories
        self._seen: tuple[str, Predictor] | None = None  # key of the image whose features the predictor holds, and it
        self._twin: Predictor | None = None  # of the same image, for labels without the decisions to keep pixels
        self._layers = Layers()
        self._learnt: tuple[str, Edits, list[Shown]] | None = None  # key, decisions, what the network learns from them
        self._labels: tuple[tuple[str, int, Predictor], Segmentation] | None = None  # of key, revision and model

    @property
    def predictor(self) -> "Predictor":
        """The model."""
        return self._load()

    def labels(self, opened: Open) -> Segmentation:
        """Return the model's answer for an image's current state. It is computed once."""
        state = opened.key, opened.revision, self.predictor
        if self._labels is None or self._labels[0] != state:
            self._labels = state, self.labels_of(opened, opened.work)
        return self._labels[1]

    def at_hand(self, opened: Open) -> Segmentation | None:
        """Return the labels of an image's state if they were the last ones; any thread may ask."""
        last = self._labels
        return last[1] if last is not None and last[0][:2] == (opened.key, opened.revision) else None

    def forget(self) -> None:
        """Forget the last labels: classes may have changed."""
        self._labels = None

    def labels_of(self, opened: Open, work: Work) -> Segmentation:
        """Return the model's answer for any state of an image."""
        self._look_at(opened)
        given = work, self.categories.classes(work), self.layer(opened, work), self._shown(opened, work)
        return segment(self.predictor, *given)

    def layer(self, opened: Open, work: Work) -> Layer | None:
        """Return the decided pixels of any state of an image; None if there are none."""
        return self._layers.of(opened.key, work.edits, Sizes(opened.full_size, work.size))

    def full(self, opened: Open, work: Work, found: Segmentation) -> NDArray[np.int64]:
        """Return the labels (H, W) of any state of an image at the size of its file."""
        return full_map(found.region_map, work, self.layer(opened, work), opened.full_size)

    def by_model(self, opened: Open, work: Work) -> NDArray[np.int64]:
        """Return the labels (h, w) that a state would have if no pixel were kept."""
        self._look_at(opened)
        self._twin = self._twin or self.predictor.twin()
        work = work._replace(filled=False)
        given = work, self.categories.classes(work), self.layer(opened, work), self._shown(opened, work)
        return segment(self._twin, *given, kept=False).region_map

    def _shown(self, opened: Open, work: Work) -> list[Shown]:
        """Return what the network learns from decisions: from those before the last stroke or marking."""
        if self._learnt is None or self._learnt[:2] != (opened.key, work.learnt):
            layer = self._layers.of(opened.key, work.learnt, Sizes(opened.full_size, work.size))
            self._learnt = (opened.key, work.learnt, evidence(work.learnt, layer) if layer is not None else [])
        return self._learnt[2]

    def _look_at(self, opened: Open) -> None:
        """Show the model an image, if it has not seen it last."""
        if self._seen != (opened.key, self.predictor):
            self._seen = self._twin = None
            self.predictor.set_image(opened.pixels)
            self._seen = opened.key, self.predictor
