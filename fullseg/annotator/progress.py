"""What the journal knows of all images without opening one: their work, and how far each of them is."""

from collections.abc import Iterator, Sequence
from functools import reduce

from fullseg.annotator.categories import Categories
from fullseg.annotator.store import Journal
from fullseg.annotator.work import History, Work


class Progress:
    """Reads the journal. An image's actions are read again only if there are more. Only one thread at a time may ask.

    Args:
        journal: the folder's journal.
        categories: of the annotator.
    """

    def __init__(self, journal: Journal, categories: Categories) -> None:
        self._journal, self._categories = journal, categories
        self._known: dict[str, tuple[int, int, bool]] = {}  # by image: revision, number of regions, done

    def history(self, name: str, size: tuple[int, int]) -> tuple[History, int]:
        """Return the history of an image of this size (H, W), and the number of actions in the journal."""
        actions = self._categories.resolve(entry.action for entry in self._journal.open_image(name, size))
        return reduce(History.after, actions, History((Work(size),))), len(actions)

    def works(self) -> Iterator[tuple[str, Work]]:
        """Return the name of each image that was opened at least once, and its work."""
        return ((name, self.history(name, size)[0].work) for name, size in self._journal.sizes().items())

    def of(self, names: Sequence[str]) -> list[tuple[str, int, bool]]:
        """Return the name of each image, its number of regions, and whether it is done."""
        sizes = self._journal.sizes()
        for name in sizes.keys() & set(names):
            revision = self._journal.revision(name)
            if self._known.get(name, (-1,))[0] != revision:
                work = self.history(name, sizes[name])[0].work
                self._known[name] = (revision, len(work.regions), work.done)
        return [(name, *self._known.get(name, (0, 0, False))[1:]) for name in names]

    def forget(self) -> None:
        """Read everything again: classes may have changed."""
        self._known = {}
