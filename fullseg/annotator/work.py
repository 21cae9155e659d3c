"""The state of one image's annotation: a pure function of the actions in the journal."""

from collections.abc import Iterable
from functools import singledispatch
from typing import NamedTuple

import numpy as np

from fullseg.annotator.actions import (
    MOST_REGIONS,
    Action,
    ActionError,
    Add,
    Brush,
    Clean,
    Delete,
    Describe,
    Fill,
    Finish,
    Hole,
    Import,
    Lock,
    Merge,
    Move,
    Patch,
    Point,
    Polygon,
    Redo,
    Reorder,
    Scribbles,
    Stroke,
    Undo,
    Unlock,
)
from fullseg.annotator.edits import Edit, Edits, as_imported, keep_anything, kept, renamed, without
from fullseg.annotator.points import check_inside, check_length, extremes, outermost
from fullseg.types import BACKGROUND, Annotations, Scribble


class Region(NamedTuple):
    """One region as the person made it."""

    id: int  # no later region gets it again, even if this region is deleted
    name: str
    category: int | None  # id of the category that the person chose; None: no choice yet
    points: tuple[Point, ...]  # left, top, right, bottom
    mask: str | None  # pixels of a locked region, encoded by ``segmentation.encode_mask``; None: not locked
    full_mask: str | None = None  # the same at the size of the image file; None: it follows from ``mask``


class Work(NamedTuple):
    """The state of one image."""

    size: tuple[int, int]  # (H, W) of the image in pixels
    regions: tuple[Region, ...] = ()
    next_id: int = 1
    strokes: tuple[Stroke, ...] = ()  # of all regions, in drawing order
    edits: Edits = ()  # decisions about single pixels, in the order in which they were made
    learnt: Edits = ()  # those that the network is shown: of these, all before the last stroke or marking
    filled: bool = False  # whether pixels without a region go to the nearest one
    done: bool = False

    def region(self, region_id: int) -> Region:
        """Return the region of this id; raise ActionError if there is none."""
        for region in self.regions:
            if region.id == region_id:
                return region
        raise ActionError(f"region {region_id}: there is no such region, or it was deleted")

    def open_region(self, region_id: int) -> Region:
        """Return a region that is not locked; raise ActionError if it is locked, or if there is none."""
        region = self.region(region_id)
        if region.mask is not None:
            raise ActionError(f"region {region_id} is locked: unlock it first")
        return region

    def with_region(self, region: Region) -> "Work":
        """Return the work with one region replaced."""
        return self._replace(regions=tuple(region if other.id == region.id else other for other in self.regions))

    def with_edits(self, *edits: Edit) -> "Work":
        """Return the work with more decisions about single pixels."""
        return self._replace(edits=(*self.edits, *edits)) if edits else self

    def taught(self, patches: Iterable[Patch]) -> "Work":
        """Return the work after a stroke or marking: the network learns from the decisions, and kept pixels change."""
        return self._replace(learnt=self.edits).with_edits(*kept(patches))

    def annotations(self) -> Annotations:
        """Return the annotations for the model. Region i is ``regions[i]``; scribbles are in drawing order."""
        place: dict[int | None, int] = {None: BACKGROUND, **{one.id: index for index, one in enumerate(self.regions)}}
        points = np.array([region.points for region in self.regions], np.float32).reshape(-1, 4, 2)
        scribbles = [Scribble(place[stroke.region], np.array(stroke.points, np.float32)) for stroke in self.strokes]
        return Annotations(points, scribbles)


class History(NamedTuple):
    """All states of the work that undo and redo can reach."""

    states: tuple[Work, ...]  # the first is the untouched image
    now: int = 0

    @property
    def work(self) -> Work:
        """The current state."""
        return self.states[self.now]

    def after(self, action: Action) -> "History":
        """Return the history after one more action.

        Raises:
            ActionError: if the action cannot be done. Nothing has changed then.
        """
        if isinstance(action, Undo):
            if self.now == 0:
                raise ActionError("there is nothing to undo")
            return self._replace(now=self.now - 1)
        if isinstance(action, Redo):
            if self.now == len(self.states) - 1:
                raise ActionError("there is nothing to redo")
            return self._replace(now=self.now + 1)
        # After an undo, too, a new region gets a new id: strokes for the old region may still be on their way.
        work = apply(action, self.work._replace(next_id=self.states[-1].next_id))
        if not isinstance(action, Finish):
            work = work._replace(done=False)  # the image has changed since its export
        return History((*self.states[: self.now + 1], work), self.now + 1)


@singledispatch
def apply(action: Action, work: Work) -> Work:  # noqa: ARG001
    """Return the work after an action other than undo and redo; raise ActionError if it cannot be done."""
    raise ActionError(f"{action.kind}: this action does not change the work")


@apply.register
def _(action: Add, work: Work) -> Work:
    if len(work.regions) >= MOST_REGIONS:
        raise ActionError(f"there are {MOST_REGIONS} regions already, the most an image may have")
    region = Region(work.next_id, action.name.strip(), action.category, extremes(action.points, work.size), None)
    return work._replace(regions=(*work.regions, region), next_id=work.next_id + 1).taught(action.kept)


@apply.register
def _(action: Move, work: Work) -> Work:
    work = work.with_region(work.open_region(action.region)._replace(points=extremes(action.points, work.size)))
    again = (Edit(action.region, None),) if keep_anything(work.edits) else ()  # the model segments this region anew
    return work.with_edits(*again).taught(action.kept)


@apply.register
def _(action: Scribbles, work: Work) -> Work:
    for stroke in action.strokes:
        if stroke.region is not None:
            work.open_region(stroke.region)
        check_inside(stroke.points, work.size)
    check_length([stroke.points for stroke in action.strokes])
    lines = [Edit(stroke.region, stroke) for stroke in action.strokes] if work.edits else []
    return work._replace(strokes=(*work.strokes, *action.strokes)).with_edits(*lines).taught(action.kept)


@apply.register
def _(action: Brush | Polygon, work: Work) -> Work:
    work.open_region(action.region)
    check_inside(action.points, work.size)
    check_length([action.points])
    return work.with_edits(Edit(action.region, action))


@apply.register
def _(action: Hole, work: Work) -> Work:
    if action.patch is None:
        raise ActionError("patch: filling a hole needs its pixels")
    return work.with_edits(Edit(action.patch.region, action, kept=True))


@apply.register
def _(action: Clean, work: Work) -> Work:
    return work.with_edits(*kept(action.patches))


@apply.register
def _(action: Delete, work: Work) -> Work:
    gone = work.region(action.region).id
    return work._replace(
        regions=tuple(region for region in work.regions if region.id != gone),
        strokes=tuple(stroke for stroke in work.strokes if stroke.region != gone),
        edits=without(work.edits, gone),
        learnt=without(work.learnt, gone),
    )


@apply.register
def _(action: Merge, work: Work) -> Work:
    """Keep the outer one of the two extreme points on each side. The other four become dots: strokes of one point."""
    if action.region == action.other:
        raise ActionError(f"region {action.region} cannot be merged with itself")
    first, second = work.open_region(action.region), work.open_region(action.other)
    outer, inner = outermost(first.points, second.points)
    dots = [Stroke(region=first.id, points=(point,)) for point in inner]
    work = work.with_region(first._replace(points=outer))
    others = tuple(region for region in work.regions if region.id != second.id)
    strokes = [s.model_copy(update={"region": first.id}) if s.region == second.id else s for s in work.strokes]
    edits = renamed(work.edits, second.id, first.id)
    return work._replace(regions=others, strokes=(*strokes, *dots), edits=edits).taught(action.kept)


@apply.register
def _(action: Describe, work: Work) -> Work:
    region = work.region(action.region)
    return work.with_region(region._replace(name=action.name.strip(), category=action.category))


@apply.register
def _(action: Reorder, work: Work) -> Work:
    if sorted(action.order) != sorted(region.id for region in work.regions):
        raise ActionError("order: name every region once")
    return work._replace(regions=tuple(work.region(region_id) for region_id in action.order))


@apply.register
def _(action: Lock, work: Work) -> Work:
    if action.mask is None:
        raise ActionError("mask: a lock needs the region's pixels")
    region = work.open_region(action.region)
    return work.with_region(region._replace(mask=action.mask, full_mask=action.full_mask))


@apply.register
def _(action: Unlock, work: Work) -> Work:
    return work.with_region(work.region(action.region)._replace(mask=None, full_mask=None))


@apply.register
def _(action: Fill, work: Work) -> Work:
    return work._replace(filled=action.filled)


@apply.register
def _(action: Finish, work: Work) -> Work:
    return work._replace(done=action.done)


@apply.register
def _(action: Import, work: Work) -> Work:
    ids = range(work.next_id, work.next_id + len(action.regions))
    regions = tuple(
        Region(number, one.name.strip(), one.category, extremes(one.points, work.size), one.mask, one.full_mask)
        for number, one in zip(ids, action.regions, strict=True)
    )
    return Work(work.size, regions=regions, next_id=ids.stop).with_edits(*as_imported(ids, action))
