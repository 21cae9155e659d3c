"""How people annotated images: the courses of finished images, read from the annotator's journal and its exports."""

import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Import, Redo, Scribbles, Undo
from fullseg.annotator.export import EXPORT, PARTS
from fullseg.annotator.layer import Sizes
from fullseg.annotator.store import JOURNAL, Entry, Journal
from fullseg.annotator.work import History, Work
from fullseg.errors import DataError
from fullseg.formats.panoptic_png import read_ids


class Course(NamedTuple):
    """How a person annotated one image, until it was done."""

    name: str  # of the image, relative to its folder
    path: Path  # of the image
    work: Work  # the finished annotation of N regions, without what was undone
    truth: NDArray[np.int64]  # (h, w), the finished labels as the network sees the image: region in [0, N), or VOID
    entries: tuple[Entry, ...]  # all actions, oldest first; those that were undone, too
    stroke_seconds: NDArray[np.float64]  # (S,), time that the person took for each of the strokes of ``work``

    def seconds_of(self, *kinds: type) -> float:
        """Return the time that the person took for all actions of some kinds."""
        return sum(entry.seconds for entry in self.entries if isinstance(entry.action, kinds))

    def seconds(self) -> float:
        """Return the time that the person took for the whole image."""
        return sum(entry.seconds for entry in self.entries)


class Finished(NamedTuple):
    """One image that is marked as done, and its exported labels."""

    name: str
    path: Path  # of the image
    part: dict[str, Any]  # content of the export's part of this image
    png: Path  # the exported panoptic png
    entries: tuple[Entry, ...]  # all actions, oldest first
    work: Work  # what they have led to


def read_courses(images: Path, out: Path) -> tuple[list[Course], list[str]]:
    """Read the courses of all finished images of a folder.

    Args:
        images: folder of the images.
        out: folder of the annotator's journal and exports.

    Returns:
        The courses by name, and one message for each finished image that is left out.

    Raises:
        DataError: if there is no journal, or no finished image in it.
        JournalError: if the journal cannot be read.
    """
    finished, left_out = finished_images(images, out)
    courses: list[Course] = []
    for one in finished:
        course = _course(one)
        if isinstance(course, str):
            left_out.append(course)
        else:
            courses.append(course)
    _check_any(courses, out, left_out)
    return courses, left_out


def finished_images(images: Path, out: Path) -> tuple[list[Finished], list[str]]:
    """Return the finished images of a folder by name, and one message for each that is left out; arguments as above."""
    with closing(_open(out)) as journal:
        finished, left_out = _finished(journal, images, out)
    _check_any(finished, out, left_out)
    return finished, left_out


def _open(out: Path) -> Journal:
    path = out / JOURNAL
    if not path.is_file():
        raise DataError(f"there is no {path}: annotate images first (fullseg annotate), or name the folder with --out")
    return Journal(path)


def _check_any(found: Sequence[object], out: Path, left_out: list[str]) -> None:
    if not found:
        reasons = "".join(f"\n  {message}" for message in left_out)
        raise DataError(f"no image in {out / JOURNAL} is finished: mark images as done in the annotator{reasons}")


def _finished(journal: Journal, images: Path, out: Path) -> tuple[list[Finished], list[str]]:
    parts = dict(_parts(out / EXPORT / PARTS))
    found, left_out = [], []
    for name, size in sorted(journal.sizes().items()):
        entries = tuple(journal.open_image(name, size))
        work = reduce(History.after, (entry.action for entry in entries), History((Work(size),))).work
        if not work.done:
            continue
        part = parts.get(name)
        if part is None or part.get("revision", len(entries)) != len(entries):
            left_out.append(f"{name}: its last export is not of its last state; open it in the annotator and export it")
        elif not (images / name).is_file():
            left_out.append(f"{name}: the image is not in {images} any more")
        else:
            png = out / EXPORT / "panoptic" / part.get("png", f"{name}.png")  # exports of version 0.1.0 do not say it
            found.append(Finished(name, images / name, part, png, entries, work))
    return found, left_out


def _parts(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for path in sorted(folder.rglob("*.json")):
        try:
            part = json.loads(path.read_text(encoding="utf-8"))
            yield part["file_name"], part
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise DataError(f"{path} cannot be read ({error!r}): export its image again in the annotator") from error


def _course(one: Finished) -> Course | str:
    """Return the course of an image, or why there is none."""
    if any(isinstance(action, Import) for action in _actions_that_count(one.entries)):
        return f"{one.name}: its regions were imported, not marked"
    truth = labels_of(one, one.work.size)
    if truth.max(initial=-1) >= len(one.work.regions):
        return f"{one.name}: {one.png} has regions that the journal does not know; export it again in the annotator"
    return Course(one.name, one.path, one.work, truth, one.entries, _stroke_seconds(one.entries, one.work))


def labels_of(one: Finished, size: tuple[int, int]) -> NDArray[np.int64]:
    """Return the finished labels (h, w) of an image as the network sees it: region in [0, N), or VOID.

    Args:
        one: the image.
        size: (h, w), as the network sees it.

    Raises:
        DataError: if the exported png is missing or damaged.
    """
    ids = read_ids(one.png)
    rows, columns = Sizes((ids.shape[0], ids.shape[1]), size).sampled()
    return ids[rows[:, None], columns].astype(np.int64) - 1


def _actions_that_count(entries: tuple[Entry, ...]) -> list[Any]:
    """Return the actions that were not undone in the end, in their order."""
    done: list[Any] = []
    undone: list[Any] = []
    for entry in entries:
        if isinstance(entry.action, Undo):
            undone.append(done.pop())
        elif isinstance(entry.action, Redo):
            done.append(undone.pop())
        else:
            done.append(entry.action)
            undone = []
    return done


def _stroke_seconds(entries: tuple[Entry, ...], work: Work) -> NDArray[np.float64]:
    """Return the time (S,) of each stroke of the finished work. Strokes that were drawn as one action share its time.

    A stroke that no person drew, such as the dots of a merged region, takes no time.
    """
    seconds: dict[Any, list[float]] = {}
    for entry in entries:
        if isinstance(entry.action, Scribbles):
            for stroke in entry.action.strokes:
                seconds.setdefault(stroke.points, []).append(entry.seconds / len(entry.action.strokes))
    return np.array([seconds[stroke.points].pop(0) if seconds.get(stroke.points) else 0.0 for stroke in work.strokes])
