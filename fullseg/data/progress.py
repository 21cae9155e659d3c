"""Progress bars of long passes over the data."""

from collections.abc import Iterable
from typing import TypeVar

from rich.console import Console
from rich.progress import track

Item = TypeVar("Item")


def with_progress(items: Iterable[Item], description: str, total: int, *, at_least: int = 0) -> Iterable[Item]:
    """Return an iterable that shows a progress bar on stderr while it is consumed.

    Args:
        items: to pass on.
        description: shown beside the bar.
        total: number of items.
        at_least: show no bar for fewer items.
    """
    return track(items, description, total=total, console=Console(stderr=True), disable=total < at_least)
