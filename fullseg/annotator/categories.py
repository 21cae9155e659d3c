"""The classes of regions: those of the checkpoint or of a file, and those that a person typed in."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import LONGEST_NAME, Action, ActionError, Add, Box, Describe, Import, is_text
from fullseg.annotator.store import Journal
from fullseg.annotator.work import Work
from fullseg.errors import DataError
from fullseg.types import Category

UNNAMED = "region"  # category of regions without a class, if the model does not guess one
UNNAMED_ID = 10_000  # its id, above the ids of common lists; typed-in categories get larger ids


class Categories:
    """All categories that the regions of a folder's images may have. The journal keeps those that a person typed in.

    Args:
        given: categories from a file; None: the model's are used.
        of_model: returns the model's categories; it may wait until the model is loaded. The model guesses a class as an
            index into them.
        journal: the folder's journal.
        of_first: returns the categories of the model that the annotator was started with. They stay, whichever model is
            in use; None: the model in use is always that one.
    """

    def __init__(
        self,
        given: Sequence[Category] | None,
        of_model: Callable[[], Sequence[Category]],
        journal: Journal,
        of_first: Callable[[], Sequence[Category]] | None = None,
    ) -> None:
        self._given, self._of_model = given, of_model
        self._of_first = of_first or of_model
        self._guesses = given is None
        self._journal = journal

    def own(self) -> list[Category]:
        """Return the categories that a person typed in, oldest first."""
        replaced = self._journal.replaced_categories()
        return [category for category in self._journal.categories() if category.id not in replaced]

    def known(self) -> list[Category]:
        """Return all categories in the order of the page's list."""
        return [*self._listed(), *self.own()]

    def _listed(self) -> Sequence[Category]:
        """Return the categories that nobody typed in."""
        return self._of_first() if self._given is None else self._given

    def check(self, category: int) -> None:
        """Raise ActionError if no category has this id."""
        if category not in {known.id for known in self.known()}:
            raise ActionError(f"category {category}: there is no such category")

    def add(self, name: str, *, isthing: bool) -> Category:
        """Add a category.

        Raises:
            ActionError: if the name is empty, too long, or taken.
        """
        name = self._free(name)
        ids = [category.id for category in (*self._listed(), *self._journal.categories())]
        added = Category(max([UNNAMED_ID, *ids]) + 1, name, isthing)
        self._journal.add_category(added)
        return added

    def rename(self, number: int, name: str) -> None:
        """Give a typed-in category another name.

        Raises:
            ActionError: if no category with this id was typed in, or if the name is empty, too long, or taken.
        """
        if self._typed_in(number).name != name.strip():
            self._journal.rename_category(number, self._free(name, but=number))

    def merge(self, number: int, into: int) -> None:
        """Let another category take the place of a typed-in one in all images.

        Raises:
            ActionError: if no category with this id was typed in, if there is no other one, or if one of them is of
                things and the other of stuff.
        """
        category = self._typed_in(number)
        self.check(into)
        other = next(known for known in self.known() if known.id == into)
        if category.id == other.id:
            raise ActionError(f"category {category.name!r} cannot be merged with itself")
        if category.isthing != other.isthing:
            raise ActionError(f"categories {category.name!r}, {other.name!r}: one is of things, the other of stuff")
        self._journal.replace_category(number, into)

    def remove(self, number: int) -> None:
        """Remove a typed-in category; raise ActionError if none has this id. Regions that had it have none then."""
        self._journal.replace_category(self._typed_in(number).id, None)

    def resolve(self, actions: Iterable[Action]) -> list[Action]:
        """Return actions with the categories that took the places of merged and removed ones."""
        replaced = self._journal.replaced_categories()
        return [_resolved(action, replaced) for action in actions] if replaced else list(actions)

    def _typed_in(self, number: int) -> Category:
        self.check(number)
        for category in self.own():
            if category.id == number:
                return category
        raise ActionError(f"category {number} is of the list that the annotator was started with: it stays as it is")

    def _free(self, name: str, but: int | None = None) -> str:
        """Return a name without blanks around it; raise ActionError if another category cannot have it."""
        name = name.strip()
        if not is_text(name):
            raise ActionError("category: its name is not valid Unicode text")
        if not 0 < len(name) <= LONGEST_NAME:
            raise ActionError(f"category: its name needs 1 to {LONGEST_NAME} characters, not {len(name)}")
        if name.casefold() in {category.name.casefold() for category in self.known() if category.id != but}:
            raise ActionError(f"category {name!r}: this name is taken already")
        return name

    def _of_classes(self) -> list[int]:
        """Return for each class of the model the id of the category that has its name, else ``UNNAMED_ID``."""
        listed = {(one.name, one.isthing): one.id for one in self._of_first()} if self._guesses else {}
        return [listed.get((one.name, one.isthing), UNNAMED_ID) for one in self._of_model()]

    def ids(self, work: Work, classes: NDArray[np.int64]) -> list[int]:
        """Return a category id per region: the person's choice, else the model's guess, else ``UNNAMED_ID``."""
        of_classes = self._of_classes()
        chosen = [region.category for region in work.regions]
        return [of_classes[index] if own is None else own for own, index in zip(chosen, classes, strict=True)]

    def classes(self, work: Work) -> dict[int, int]:
        """Return the classes of the model that the person chose, by the region's index in the work."""
        of_model = {number: index for index, number in enumerate(self._of_classes()) if number != UNNAMED_ID}
        chosen = {place: region.category for place, region in enumerate(work.regions)}
        return {place: of_model[own] for place, own in chosen.items() if own is not None and own in of_model}

    def exported(self) -> list[Category]:
        """Return all categories for an export. If the model guesses classes that are not listed, one is for these."""
        unnamed = [Category(UNNAMED_ID, UNNAMED, isthing=True)] if UNNAMED_ID in self._of_classes() else []
        return [*self.known(), *unnamed]


def _resolved(action: Action, replaced: Mapping[int, int | None]) -> Action:
    if isinstance(action, Import):
        regions = tuple(one.model_copy(update={"category": _newest(one.category, replaced)}) for one in action.regions)
        return action.model_copy(update={"regions": regions})
    if isinstance(action, Add | Box | Describe):
        return action.model_copy(update={"category": _newest(action.category, replaced)})
    return action


def _newest(category: int | None, replaced: Mapping[int, int | None]) -> int | None:
    while category is not None and category in replaced:
        category = replaced[category]
    return category


def read_categories(path: Path) -> list[Category]:
    """Read the ``categories`` of a COCO json (panoptic or instances), or a json list of categories.

    Raises:
        DataError: if the file is missing or holds no usable categories.
    """
    if not path.is_file():
        raise DataError(f"--categories {path}: no such file")
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"--categories {path} is not JSON: {error}") from error
    listed = content.get("categories") if isinstance(content, dict) else content
    if not isinstance(listed, list) or not listed:
        raise DataError(f'--categories {path}: expected {{"categories": [{{"id": 1, "name": "dog", "isthing": 1}}]}}')
    categories = [_category(path, entry) for entry in listed]
    for key in ("id", "name"):
        values = [getattr(category, key) for category in categories]
        if len(set(values)) < len(values):
            twice = next(value for value in values if values.count(value) > 1)
            raise DataError(f"--categories {path}: two categories have the {key} {twice!r}")
    return categories


def _category(path: Path, entry: object) -> Category:
    fields = entry if isinstance(entry, dict) else {}
    number, name, isthing = fields.get("id"), fields.get("name"), fields.get("isthing", 1)
    named = isinstance(name, str) and name != ""
    if type(number) is not int or not 0 <= number < 1 << 31 or not named or isthing not in (0, 1):
        raise DataError(
            f"--categories {path}: {json.dumps(entry)[:100]}: a category needs a whole number as id, a name, and "
            "isthing 0 or 1 (1 if it is missing)"
        )
    return Category(number, str(name), bool(isthing))
