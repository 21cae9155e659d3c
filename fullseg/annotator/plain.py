"""What the page gets to know of an image's state and of the categories, as plain values."""

from collections.abc import Iterable
from typing import Any

from fullseg.annotator.labelling import Open
from fullseg.annotator.work import Region
from fullseg.types import Category


def categories_as_plain(categories: Iterable[Category]) -> list[dict[str, Any]]:
    """Return categories for the page; ``isthing`` is 0 or 1, as in COCO's JSON."""
    return [{"id": one.id, "name": one.name, "isthing": int(one.isthing)} for one in categories]


def state_as_plain(name: str, opened: Open) -> dict[str, Any]:
    """Return the state of one image for the page. Points are in pixels of the image as the network sees it."""
    history, work = opened.history, opened.history.work
    height, width = work.size
    return {
        "name": name,
        "width": width,
        "height": height,
        "full_width": opened.full_size[1],
        "full_height": opened.full_size[0],
        "revision": opened.revision,
        "can_undo": history.now > 0,
        "can_redo": history.now < len(history.states) - 1,
        "filled": work.filled,
        "done": work.done,
        "regions": [_region_as_plain(region) for region in work.regions],
        "strokes": [stroke.model_dump() for stroke in work.strokes],
    }


def _region_as_plain(region: Region) -> dict[str, Any]:
    fields = region._asdict()
    locked = fields.pop("mask") is not None
    del fields["full_mask"]
    return {**fields, "locked": locked}
