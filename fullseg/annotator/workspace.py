"""All state of the server: a folder of images, the histories of their annotation, the journal, and the model."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fullseg.annotator.actions import Action, ActionError, Add, Box, Describe, Import, read_action
from fullseg.annotator.categories import Categories
from fullseg.annotator.consequences import bare, complete, needs_labels
from fullseg.annotator.export import EXPORT, PARTS, TIMES, Exported, Exports, export_image, write_times
from fullseg.annotator.images import file_key, list_images
from fullseg.annotator.importing import read_panoptic
from fullseg.annotator.labelling import MOST_SEEN, Labeller, Open
from fullseg.annotator.notes import Note, changed
from fullseg.annotator.progress import Progress
from fullseg.annotator.segmentation import Segmentation
from fullseg.annotator.store import JOURNAL, ConflictError, Journal
from fullseg.errors import DataError
from fullseg.formats.image_file import read_image, shrink
from fullseg.types import Category

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor

MOST_OPEN = 8  # images whose pixels and histories are in memory; the journal has the work on all images


class StaleError(ValueError):
    """A request for the labels of a state that is no longer the newest."""


class Workspace:
    """Opens images, does actions on them, asks the model, and exports. Any thread may call its methods.

    Args:
        folder: folder of the images.
        out: folder of the journal and the exports.
        predictor: returns the model; it may wait until the model is loaded.
        categories: the categories that a person may choose; None: those of ``first``.
        first: returns the model that the annotator was started with; None: ``predictor`` always returns that one.
        most_seen: number of images whose features and last prediction stay in memory.

    Raises:
        DataError: if the folder holds no image, or the journal in ``out`` cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        out: Path,
        predictor: Callable[[], "Predictor"],
        categories: Sequence[Category] | None,
        first: Callable[[], "Predictor"] | None = None,
        most_seen: int = MOST_SEEN,
    ) -> None:
        self.folder, self.out = folder, out
        exports = out / EXPORT if folder.is_relative_to(out) else out
        self.names = [name for name in list_images(folder) if not (folder / name).is_relative_to(exports)]
        if not self.names:
            raise DataError(f"{folder} holds no image but those in {exports}")
        self._known = frozenset(self.names)
        self.journal = Journal(out / JOURNAL)
        of_model, of_first = (lambda: predictor().categories), (lambda: (first or predictor)().categories)
        self.categories = Categories(categories, of_model, self.journal, of_first)
        self._open: OrderedDict[str, Open] = OrderedDict()
        self._progress = Progress(self.journal, self.categories)
        self._work = threading.RLock()  # guards the histories
        self._exported = Exports(out / EXPORT)
        self._exports = threading.Lock()  # guards the exported files. Histories may change while files are written
        self._model = threading.Lock()  # guards the labeller
        self._labeller = Labeller(predictor, self.categories, most_seen)

    def path(self, name: str) -> Path:
        """Return the file of an image; raise KeyError if the name is not in the list."""
        if name not in self._known:
            raise KeyError(name)
        return self.folder / name

    def key(self, name: str) -> str:
        """Return a key that changes when an image's file is replaced or modified."""
        return file_key(self.path(name))

    def progress(self, *, gone: bool = False) -> list[tuple[str, int, bool]]:
        """Return of each image its name, number of regions, and whether it is done; ``gone``: also of missing files."""
        with self._work:
            return self._progress.of(sorted({*self.names, *self.journal.sizes()}) if gone else self.names)

    def open(self, name: str) -> Open:
        """Return the newest state of an image.

        Raises:
            KeyError: if there is no such image.
            ImageError: if it cannot be read.
            JournalError: if it had another size when it was annotated before.
        """
        path = self.path(name)
        with self._work:
            key, known = self.key(name), self._open.get(name)
            if known is not None and (known.key, known.revision) == (key, self.journal.revision(name)):
                self._open.move_to_end(name)
                return known
            image = read_image(path)
            pixels = shrink(image)
            size = pixels.shape[0], pixels.shape[1]
            history, revision = self._progress.history(name, size)
            return self._keep(name, Open(path, key, pixels, (image.shape[0], image.shape[1]), history, revision))

    def act(self, name: str, revision: int, content: object, seconds: float) -> Open:
        """Do one action. When this returns, the action is in the journal.

        Args:
            name: the image's name.
            revision: the revision that the person saw.
            content: the action as plain values.
            seconds: time that the person took for it.

        Raises:
            ActionError: if the action is malformed or cannot be done.
            ConflictError: if the image has a newer revision.
        """
        (action,) = self.categories.resolve([bare(read_action(content))])
        if isinstance(action, Add | Box | Describe) and action.category is not None:
            self.categories.check(action.category)
        if isinstance(action, Import):
            raise ActionError("import: send the files instead")
        if needs_labels(action, self.open(name).work):
            with self._model:
                action = complete(action, self._newest(name, revision), self._labeller)
        return self._do(name, revision, action, seconds)

    def images_with(self, category: int) -> list[str]:
        """Return the names of all images that have a region of a category now."""
        with self._work:
            works = list(self._progress.works())
        return [name for name, work in works if category in {region.category for region in work.regions}]

    def take_categories(self) -> None:
        """Read all work again with the categories as they are now, and write the common files of exports with them."""
        with self._model, self._work:
            self._open.clear()
            self._progress.forget()
            self._labeller.forget()
        with self._exports:
            if (self.out / EXPORT / PARTS).is_dir():
                self._exported.collect(self.categories.exported(), self.folder)

    def _do(self, name: str, revision: int, action: Action, seconds: float) -> Open:
        with self._work:
            opened = self._newest(name, revision)  # first: the action may not fit the newer state
            history = opened.history.after(action)
            revision = self.journal.append(name, revision, action, seconds)
            return self._keep(name, opened._replace(history=history, revision=revision))

    def _newest(self, name: str, revision: int, error: type[ConflictError | StaleError] = ConflictError) -> Open:
        """Return the newest state of an image; raise this error if it has another revision."""
        opened = self.open(name)
        if opened.revision != revision:
            what = "the action was done on" if error is ConflictError else "labels were asked for"
            raise error(f"{name} is at revision {opened.revision}, {what} {revision}")
        return opened

    def _keep(self, name: str, opened: Open) -> Open:
        self._open[name] = opened
        self._open.move_to_end(name)
        while len(self._open) > max(MOST_OPEN, self._labeller.most_seen):
            self._open.popitem(last=False)
        return opened

    @contextmanager
    def asking(self, name: str, revision: int) -> Iterator[tuple[Open, Labeller]]:
        """Yield one state, and what asks the model; nobody else asks it meanwhile.

        Raises:
            StaleError: if there is a newer state when the model is free: nobody needs the labels of this one then.
        """
        with self._model:
            yield self._newest(name, revision, StaleError), self._labeller

    def labels(self, name: str, revision: int) -> tuple[Open, Segmentation]:
        """Return one state and the model's answer for it, which is computed once; raise StaleError as ``asking``."""
        with self.asking(name, revision) as (opened, labeller):
            return opened, labeller.labels(opened)

    def labels_at_hand(self, name: str, revision: int) -> tuple[Open, Segmentation] | None:
        """Return one state and its labels if the model was asked for them last; it is not asked again."""
        opened = self._open.get(name)
        found = self._labeller.at_hand(opened) if opened is not None and opened.revision == revision else None
        return (opened, found) if opened is not None and found is not None else None

    def replace(self, name: str, revision: int, png: bytes, described: object) -> tuple[Open, list[str]]:
        """Replace an image's regions by those of a COCO panoptic file. They are locked. Undo restores the old regions.

        Args:
            name: the image's name.
            revision: the revision that the person saw.
            png: the panoptic png.
            described: content of the panoptic json, or only its annotation of this image.

        Returns:
            The new state, and one text for each thing that was left out.

        Raises:
            ImportedError: if the files cannot be used.
            ConflictError: if the image has a newer revision.
        """
        opened = self.open(name)
        sizes = opened.full_size, opened.work.size
        action, left_out = read_panoptic(png, described, name, *sizes, self.categories.known())
        return self._do(name, revision, action, 0.0), left_out

    def export(self, name: str, revision: int) -> Exported:
        """Write one image's files, and the json files of all images that were exported so far, into ``out/export``.

        Raises:
            StaleError: if the image has a newer revision.
            JournalError: if ``out`` was moved or deleted. Files in a new folder would miss all earlier exports.
            DataError: if the files cannot be written.
        """
        self.journal.check_place()
        opened, found = self.labels(name, revision)
        work = opened.work
        ids = self.categories.ids(work, found.classes)
        categories = self.categories.exported()
        things = {category.id for category in categories if category.isthing}
        full = self._labeller.exported(opened, self._model)
        with self._exports:
            exported = export_image(self.out / EXPORT, name, work, full, ids, things, opened.revision)
            together = self._exported.collect(categories, self.folder)
            files = [*exported.files, *together, self._write_times()]
            return exported._replace(files=files, unreadable=self._exported.unreadable)

    def note(self, name: str, content: dict[str, Any]) -> Note:
        """Skip, flag or comment an image, also in exports; return the note, or raise ActionError if it is wrong."""
        with self._exports:
            note = changed(self.journal.notes()[name], content)
            self.journal.add_note(name, note)
            if (self.out / EXPORT / TIMES).is_file():
                self._write_times()
        return note

    def _write_times(self) -> Path:
        journal, progress = self.journal, self.progress(gone=True)
        return write_times(self.out / EXPORT, progress, journal.seconds(), journal.notes())
