"""The models that have learnt from a folder's finished images, and which of them the annotator uses."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.errors import DataError
from fullseg.formats.atomic import write_json

FOLDER = "learning"  # in the annotator's output: run folders, data, and the list of models
LIST = "models.json"


class Learnt(NamedTuple):
    """A model that has learnt from finished images, and how it does on those that were held back."""

    name: str  # of its run
    checkpoint: str  # its file
    start: str  # the model that it went on from: a file or a name
    images: int  # finished images that it learnt from
    held_back: int  # finished images that it has not seen
    iou: tuple[float, float]  # mean IoU of the held-back images with extreme points alone, before and after
    strokes: tuple[float, float]  # mean number of a person's strokes that they need for equal quality
    remembered: tuple[float, float] | None  # mean IoU on the data that the start was made from; None: not at hand

    @property
    def better(self) -> bool:
        """Whether it is better on the held-back images: a higher IoU, and fewer strokes."""
        return self.iou[1] > self.iou[0] and self.strokes[1] < self.strokes[0]


class Chosen(NamedTuple):
    """A model that a person has chosen instead of the one that the annotator was started with."""

    name: str  # as the user calls it
    checkpoint: str  # its file
    instead_of: str  # name of the model that the annotator was started with


class Models(NamedTuple):
    """All models of a folder, oldest first."""

    learnt: tuple[Learnt, ...] = ()
    used: tuple[str, ...] = ()  # names of those that were taken into use, oldest first; the last one is in use
    since: float = 0.0  # Unix time at which the learnt one in use was taken into use; 0: none is, or it is not known
    chosen: Chosen | None = None  # in use while no learnt one is; None: the one that the annotator was started with

    @property
    def current(self) -> Learnt | None:
        """The learnt model in use; None: none is."""
        return next((one for one in self.learnt if self.used and one.name == self.used[-1]), None)

    @property
    def offered(self) -> Learnt | None:
        """The newest model, if it is better than the one that it started from and was never in use; else None."""
        newest = self.learnt[-1] if self.learnt else None
        return newest if newest is not None and newest.better and newest.name not in self.used else None

    def adding(self, one: Learnt) -> "Models":
        """Return the models with one more; an earlier one of this name is replaced."""
        return self._replace(learnt=(*(other for other in self.learnt if other.name != one.name), one))

    def using(self, name: str, now: float) -> "Models":
        """Return the models with one in use from now (Unix time) on; raise DataError if there is none of this name."""
        if name not in {one.name for one in self.learnt}:
            raise DataError(f"no model {name!r} has learnt from these images")
        return self._replace(used=(*(other for other in self.used if other != name), name), since=now)

    def choosing(self, chosen: Chosen | None) -> "Models":
        """Return the models with this one in use instead of all learnt ones; None: the one that was started with."""
        return self._replace(chosen=chosen, used=(), since=0.0)

    def back(self, now: float) -> "Models":
        """Return the models with the one in use that was before; raise DataError if none was taken into use."""
        if not self.used:
            raise DataError("no learnt model is in use, so there is none to go back from")
        return self._replace(used=self.used[:-1], since=now if len(self.used) > 1 else 0.0)


def read_models(out: Path) -> Models:
    """Read the models of an annotator's output folder; there may be none.

    Raises:
        DataError: if the file is damaged.
    """
    path = out / FOLDER / LIST
    if not path.is_file():
        return Models()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        chosen = Chosen(**content["chosen"]) if content.get("chosen") else None
        learnt = tuple(_read(entry) for entry in content["learnt"])
        return Models(learnt, tuple(content["used"]), float(content.get("since", 0)), chosen)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): remove it, the annotator then uses its first model") from error


def _read(entry: dict[str, Any]) -> Learnt:
    values: dict[str, Any] = {key: tuple(one) if isinstance(one, list) else one for key, one in entry.items()}
    return Learnt(**values)


def write_models(out: Path, models: Models) -> None:
    """Write the list of models."""
    (out / FOLDER).mkdir(parents=True, exist_ok=True)
    chosen = models.chosen._asdict() if models.chosen is not None else None
    learnt = [one._asdict() for one in models.learnt]
    content = {"learnt": learnt, "used": models.used, "since": models.since, "chosen": chosen}
    write_json(out / FOLDER / LIST, content)
