"""What a person decided pixel by pixel, in the order in which it was done. Its pixels follow from it: see ``layer``."""

from collections.abc import Iterable
from typing import NamedTuple

from fullseg.annotator.actions import Brush, Hole, Import, Patch, Polygon, Stroke


class Edit(NamedTuple):
    """One decision."""

    region: int | None  # id of the region that gets or loses the pixels; None: they are of no region
    shape: Brush | Polygon | Hole | Patch | Stroke | None  # which pixels; None: all that the region has kept
    kept: bool = False  # the pixels are kept as they were: strokes nearby may change them


Edits = tuple[Edit, ...]


def without(edits: Edits, region: int) -> Edits:
    """Return the decisions that are left if a region is deleted."""
    return tuple(edit for edit in edits if edit.region != region)


def renamed(edits: Edits, old: int, new: int) -> Edits:
    """Return the decisions after one region became part of another one."""
    return tuple(edit._replace(region=new) if edit.region == old else edit for edit in edits)


def kept(patches: Iterable[Patch]) -> Edits:
    """Return patches as decisions to keep these pixels."""
    return tuple(Edit(patch.region, patch, kept=True) for patch in patches)


def as_imported(ids: Iterable[int], action: Import) -> Edits:
    """Return the decisions to keep all pixels of the image as they are in an imported partition.

    Args:
        ids: of the regions that were made of the action's.
        action: the import. Those of version 0.1.0 keep nothing.
    """
    if action.void is None:
        return ()
    masks = [(number, one.full_mask or one.mask) for number, one in zip(ids, action.regions, strict=True)]
    every = [*masks, (None, action.void)]
    return kept(Patch(region=number, size=None, box=None, mask=mask) for number, mask in every)


def imported(edits: Edits) -> set[int]:
    """Return the regions whose extreme points no person marked: they follow from the pixels of an import."""
    found: set[int] = set()
    for edit in edits:
        if edit.region is not None and isinstance(edit.shape, Patch) and edit.shape.box is None:
            found.add(edit.region)
        elif edit.shape is None:
            found.discard(edit.region or 0)
    return found


def keep_anything(edits: Edits) -> bool:
    """Return whether there are pixels that only strokes nearby may change."""
    return any(edit.kept for edit in edits)
