"""What an action does to single pixels, found with the labels at the time, so that the journal says it once for all."""

from collections.abc import Iterator
from contextlib import nullcontext

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from fullseg.annotator.actions import Action, Add, Box, Clean, Hole, Lock, Merge, Move, Patch, Scribbles, Stroke
from fullseg.annotator.boxes import extremes_within, middles
from fullseg.annotator.edits import keep_anything
from fullseg.annotator.labelling import Labeller, Open
from fullseg.annotator.layer import NOBODY, UNDECIDED
from fullseg.annotator.loose import cleaned, hole_at
from fullseg.annotator.masks import encode_mask, patch_of
from fullseg.annotator.shapes import brush_pixels
from fullseg.annotator.work import Work

NEAR = 6  # px of the seen image: so near to a stroke the model decides about kept pixels, even if the stroke is no news


def bare(action: Action) -> Action:
    """Return an action without anything that only the server may write into it."""
    if isinstance(action, Add | Move | Scribbles | Merge):
        return action.model_copy(update={"kept": ()})
    if isinstance(action, Lock):
        return action.model_copy(update={"mask": None, "full_mask": None})
    if isinstance(action, Hole):
        return action.model_copy(update={"patch": None})
    return action.model_copy(update={"patches": ()}) if isinstance(action, Clean) else action


def needs_labels(action: Action, work: Work) -> bool:
    """Return whether the labels decide what an action does to this state."""
    if isinstance(action, Add | Move | Scribbles):
        return keep_anything(work.edits)
    return isinstance(action, Box | Lock | Merge | Hole | Clean)


def complete(action: Action, opened: Open, labeller: Labeller) -> Action:
    """Return an action with the pixels that it changes.

    Args:
        action: of which ``needs_labels`` holds.
        opened: the image before the action.
        labeller: gives the labels.

    Raises:
        ActionError: if the action cannot be done.
    """
    if isinstance(action, Lock):
        return _lock(action, opened, labeller)
    if isinstance(action, Box):
        add = _boxed(action, opened, labeller)
        return complete(add, opened, labeller) if needs_labels(add, opened.work) else add
    if isinstance(action, Hole | Clean):
        full = labeller.full(opened, opened.work, labeller.labels(opened))
        layer = labeller.layer(opened, opened.work)
        if isinstance(action, Hole):
            return action.model_copy(update={"patch": hole_at(action.at, full, opened.work)})
        return action.model_copy(update={"patches": cleaned(full, opened.work, layer, action.below)[0]})
    after = opened.history.after(action).work  # raises if it cannot be done
    if isinstance(action, Merge):
        return action.model_copy(update={"kept": tuple(_lost(action, opened, after, labeller))})
    assert isinstance(action, Add | Move | Scribbles)
    return action.model_copy(update={"kept": tuple(_gained(action, opened, after, labeller))})


def _lock(action: Lock, opened: Open, labeller: Labeller) -> Lock:
    work = opened.work
    place = work.regions.index(work.open_region(action.region))  # raises with the reason
    found = labeller.labels(opened)
    mask, full_mask = encode_mask(found.region_map == place), None
    if opened.full_size != work.size and labeller.layer(opened, work) is not None:
        full_mask = encode_mask(labeller.exported(opened, nullcontext()) == place)
    return Lock(region=action.region, mask=mask, full_mask=full_mask)


def _boxed(action: Box, opened: Open, labeller: Labeller) -> Add:
    add = Add(points=middles(action.corners), name=action.name, category=action.category)
    after = opened.history.after(add).work  # raises if it cannot be done
    mask = labeller.labels_of(opened, after).region_map == len(after.regions) - 1
    return add.model_copy(update={"points": extremes_within(mask, action.corners)})


def _lost(action: Merge, opened: Open, after: Work, labeller: Labeller) -> Iterator[Patch]:
    """Yield the pixels of two regions, of the file, that the model would take from them when they become one."""
    work = opened.work
    parts = [place for place, region in enumerate(work.regions) if region.id in (action.region, action.other)]
    before = labeller.full(opened, work, labeller.labels(opened))
    place = [region.id for region in after.regions].index(action.region)
    now = labeller.full(opened, after, labeller.labels_of(opened, after))
    if (lost := np.isin(before, parts) & (now != place)).any():
        yield patch_of(action.region, lost)


def _gained(action: Add | Move | Scribbles, opened: Open, after: Work, labeller: Labeller) -> Iterator[Patch]:
    """Yield the kept pixels, of the seen image, that a new region or strokes take from other regions.

    A stroke takes pixels near it, and those around it that the model gives to its region, or to none if it has none,
    because of the stroke. A region that is marked, for the first time or anew, takes all that the model gives to it.
    """
    layer = labeller.layer(opened, opened.work)
    assert layer is not None
    rows, columns = layer.sizes.sampled()
    keepers = np.where(layer.painted == UNDECIDED, layer.kept, UNDECIDED)[rows[:, None], columns]
    before = _ids(labeller.by_model(opened, opened.work), opened.work)
    now = _ids(labeller.by_model(opened, after), after)
    if isinstance(action, Add | Move):
        region = after.regions[-1].id if isinstance(action, Add) else action.region
        gains: dict[int | None, NDArray[np.bool_]] = {region: now == region}
    else:
        gains = {}
        for stroke in action.strokes:
            line, near = (_brushed(stroke, width, after.size) for width in (1, 2 * NEAR))
            taken = around_line(before == (stroke.region or 0), now == (stroke.region or 0), line, near)
            gains[stroke.region] = gains.get(stroke.region, False) | taken
    for owner, mask in gains.items():
        if (taken := mask & (keepers != UNDECIDED) & (keepers != (NOBODY if owner is None else owner))).any():
            yield patch_of(owner, taken)


def around_line(
    before: NDArray[np.bool_], now: NDArray[np.bool_], line: NDArray[np.bool_], near: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that a stroke takes.

    Args:
        before: (H, W), the pixels of the stroke's region according to the model without the stroke.
        now: (H, W), according to the model with the stroke.
        line: (H, W), the pixels on the stroke, at least one.
        near: (H, W), the pixels near the stroke.

    Returns:
        The line, and the pixels connected to it that are the region's now, and either were not before or are near.
    """
    parts = label(line | (now & (near | ~before)), connectivity=1)  # type: ignore[no-untyped-call]
    return np.isin(parts, np.unique(parts[line]))


def _brushed(stroke: Stroke, width: float, size: tuple[int, int]) -> NDArray[np.bool_]:
    return brush_pixels(np.array(stroke.points, np.float64), width, size).of(size)


def _ids(region_map: NDArray[np.int64], work: Work) -> NDArray[np.int64]:
    """Return a map with the ids of the regions instead of their places, and 0 for VOID."""
    return np.array([*(region.id for region in work.regions), 0], np.int64)[region_map]  # VOID, -1, picks the last one
