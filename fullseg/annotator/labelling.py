"""The labels of open images: keeps what the model has seen of the last ones, and the layers of decided pixels."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.categories import Categories
from fullseg.annotator.edits import Edits
from fullseg.annotator.evidence import Shown, evidence
from fullseg.annotator.full_size import AROUND, full_map, locked_pixels, with_exact
from fullseg.annotator.layer import Layer, Layers, Part, Sizes
from fullseg.annotator.segmentation import Segmentation, segment
from fullseg.annotator.work import History, Work
from fullseg.formats.image_file import read_image

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor


MOST_SEEN = 2  # a person also goes back to the image before
BAND = 2**20  # px of a file whose labels are computed at once for an export: half a second on a CPU core
TURN = 0.001  # s that an export leaves the model to others between two bands


class Open(NamedTuple):
    """One image in memory."""

    path: Path  # of the file
    key: str  # that changes when the file is replaced or modified
    pixels: NDArray[np.uint8]  # (h, w, 3), as the network sees it
    full_size: tuple[int, int]  # (H, W) of the file
    history: History
    revision: int  # number of actions in the journal

    @property
    def work(self) -> Work:
        """The current state."""
        return self.history.work


class Seen:
    """What is kept of an image that a model has seen.

    Args:
        model: that the labels are asked of.
        pixels: (h, w, 3) uint8 RGB.
    """

    def __init__(self, model: "Predictor", pixels: NDArray[np.uint8]) -> None:
        self.model = model
        self.predictor = model.twin()  # it holds the image's features and the last prediction
        self.predictor.set_image(pixels)
        self.labels: tuple[int, Segmentation] | None = None  # the last ones, of this revision
        self.asked: Work | None = None  # the state that the predictor was asked about last
        self.learnt: tuple[Edits, list[Shown]] | None = None  # decisions, and what the network learns from them

    @cached_property
    def twin(self) -> "Predictor":
        """For labels of this image without the decisions to keep pixels."""
        return self.predictor.twin()


class Labeller:
    """Asks the model for labels. Only one thread at a time may do so.

    Args:
        load: returns the model in use; it may wait until the model is loaded. It may return another one any time.
        categories: of the annotator.
        most_seen: number of images whose features and last prediction stay in memory, at least 1.
    """

    def __init__(self, load: Callable[[], "Predictor"], categories: Categories, most_seen: int = MOST_SEEN) -> None:
        self._load, self.categories, self.most_seen = load, categories, most_seen
        self._seen: OrderedDict[str, Seen] = OrderedDict()  # by the image's key; the last used comes last
        self._layers = Layers(most_seen)
        self._locked: tuple[tuple[str | None, ...], NDArray[np.int32] | None] | None = None

    def labels(self, opened: Open) -> Segmentation:
        """Return the model's answer for an image's current state. It is computed once."""
        return self._labels(self.seen(opened), opened)

    def _labels(self, seen: Seen, opened: Open) -> Segmentation:
        if seen.labels is None or seen.labels[0] != opened.revision:
            seen.labels = opened.revision, self._labels_of(seen, opened, opened.work)
        return seen.labels[1]

    def seen(self, opened: Open) -> Seen:
        """Return what is kept of an image; if the model has not seen it, show it the image."""
        model = self._load()
        self._seen = OrderedDict((key, one) for key, one in self._seen.items() if one.model is model)
        seen = self._seen.pop(opened.key, None)
        if seen is None:
            while len(self._seen) >= self.most_seen:  # before the next one needs memory
                self._seen.popitem(last=False)
            seen = Seen(model, opened.pixels)
        self._seen[opened.key] = seen
        return seen

    def at_hand(self, opened: Open) -> Segmentation | None:
        """Return the labels of an image's state if they are in memory; any thread may ask."""
        seen = self._seen.get(opened.key)
        labels = seen.labels if seen is not None else None
        return labels[1] if labels is not None and labels[0] == opened.revision else None

    def forget(self) -> None:
        """Forget all labels: classes may have changed."""
        for seen in self._seen.values():
            seen.labels = None

    def labels_of(self, opened: Open, work: Work) -> Segmentation:
        """Return the model's answer for any state of an image."""
        return self._labels_of(self.seen(opened), opened, work)

    def _labels_of(self, seen: Seen, opened: Open, work: Work) -> Segmentation:
        seen.asked = work
        return self._asked(seen, seen.predictor, opened, work)

    def by_model(self, opened: Open, work: Work) -> NDArray[np.int64]:
        """Return the labels (h, w) that a state would have if no pixel were kept."""
        seen = self.seen(opened)
        return self._asked(seen, seen.twin, opened, work._replace(filled=False), kept=False).region_map

    def layer(self, opened: Open, work: Work) -> Layer | None:
        """Return the decided pixels of any state of an image; None if there are none."""
        return self._layers.of(opened.key, work.edits, Sizes(opened.full_size, work.size))

    def full(self, opened: Open, work: Work, found: Segmentation) -> NDArray[np.int64]:
        """Return the labels (H, W) of any state of an image at the size of its file."""
        return full_map(found.region_map, work, self.layer(opened, work), opened.full_size)

    def exported(self, opened: Open, model: AbstractContextManager[object]) -> NDArray[np.int64]:
        """Return the labels (H, W) of an image's current state, along the borders that its file shows.

        Args:
            opened: the image.
            model: is held while this asks the model, which it does again and again for a large file: between two times
                others may ask.
        """
        full, work = opened.full_size, opened.work
        with model:
            seen = self.seen(opened)  # this one stays, whatever else the model is shown meanwhile
            if full == work.size:
                return self.full(opened, work, self._labels(seen, opened))
            layer = self.layer(opened, work)
        image, result = read_image(opened.path), np.empty(full, np.int64)
        for band in _bands(full):
            with model:
                result[band.slices] = seen.predictor.enlarged(image, self._current(seen, opened), band)
            time.sleep(TURN)  # a lock goes to whoever asks first, which would be this thread again
        return with_exact(result, work, layer, locked_pixels(work, full))

    def part(self, opened: Open, image: NDArray[np.uint8], part: Part) -> NDArray[np.int64]:
        """Return the labels (h, w) of a part of a file that was shrunk, as ``exported`` has them.

        They may differ where a person's decisions leave pixels whose nearest neighbours are ``AROUND`` px away.

        Args:
            opened: the image.
            image: (H, W, 3) uint8 RGB, its file.
            part: of the file.
        """
        work, seen = opened.work, self.seen(opened)
        layer, locked = self.layer(opened, work), self._locked_pixels(opened)
        around = part if layer is None and locked is None else part.grown(AROUND, opened.full_size)
        larger = seen.predictor.enlarged(image, self._current(seen, opened), around)
        exact = with_exact(larger, work, layer, locked, around)
        y, x = part.top - around.top, part.left - around.left
        return exact[y : y + part.bottom - part.top, x : x + part.right - part.left]

    def _current(self, seen: Seen, opened: Open) -> NDArray[np.int64]:
        """Return the labels (h, w) of the current state; the predictor's last prediction is of this state then."""
        again = seen.asked is not opened.work  # the predictor was asked about another state since
        return (self._labels_of(seen, opened, opened.work) if again else self._labels(seen, opened)).region_map

    def _locked_pixels(self, opened: Open) -> NDArray[np.int32] | None:
        """Return where the file's locked regions are. The last answer is kept: all parts of a file need it."""
        masks = (opened.key, *(region.full_mask for region in opened.work.regions))
        if self._locked is None or self._locked[0] != masks:
            self._locked = masks, locked_pixels(opened.work, opened.full_size)
        return self._locked[1]

    def _asked(
        self, seen: Seen, predictor: "Predictor", opened: Open, work: Work, *, kept: bool = True
    ) -> Segmentation:
        shown = self._shown(seen, opened, work)
        return segment(predictor, work, self.categories.classes(work), self.layer(opened, work), shown, kept=kept)

    def _shown(self, seen: Seen, opened: Open, work: Work) -> list[Shown]:
        """Return what the network learns from decisions: from those before the last stroke or marking."""
        if seen.learnt is None or seen.learnt[0] != work.learnt:
            layer = self._layers.of(opened.key, work.learnt, Sizes(opened.full_size, work.size))
            seen.learnt = work.learnt, evidence(work.learnt, layer) if layer is not None else []
        return seen.learnt[1]


def _bands(size: tuple[int, int]) -> Iterator[Part]:
    """Cut a file of H x W pixels into bands over its whole width, of about ``BAND`` pixels each."""
    height, width = size
    rows = max(1, BAND // width)
    for top in range(0, height, rows):
        yield Part(0, top, width, min(height, top + rows))
