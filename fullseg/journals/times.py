"""How long a person took: per region, per stroke, for the review, and per image."""

from collections.abc import Sequence
from typing import NamedTuple

from fullseg.annotator.actions import Add, Delete, Describe, Finish, Merge, Move, Scribbles
from fullseg.journals.courses import Course

MARKING = (Add, Move, Delete, Merge)
NAMING = (Describe,)
DRAWING = (Scribbles,)
REVIEW = (Finish,)


class Times(NamedTuple):
    """The times of a person over some finished images, in seconds."""

    images: int
    regions: int
    strokes: int  # those that were undone, too
    marking: float  # to mark all regions; also to move, merge and delete them
    drawing: float  # to draw all strokes
    naming: float  # to give regions names and classes
    other: float  # brush, polygon, locks, undo, ...
    review: float  # before an image was marked as done

    @property
    def whole(self) -> float:
        """The time of all images."""
        return self.marking + self.drawing + self.naming + self.other + self.review

    @property
    def per_region(self) -> float:
        """The time to mark a region by its four extreme points."""
        return self.marking / max(1, self.regions)

    @property
    def per_stroke(self) -> float:
        """The time for a stroke."""
        return self.drawing / max(1, self.strokes)


def times(courses: Sequence[Course]) -> Times:
    """Add up the times of some finished images."""
    parts = {"marking": MARKING, "drawing": DRAWING, "naming": NAMING, "review": REVIEW}
    sums = {name: sum(course.seconds_of(*kinds) for course in courses) for name, kinds in parts.items()}
    entries = [entry for course in courses for entry in course.entries]
    strokes = [len(entry.action.strokes) for entry in entries if isinstance(entry.action, Scribbles)]
    whole = sum(course.seconds() for course in courses)
    return Times(
        images=len(courses),
        regions=sum(len(course.work.regions) for course in courses),
        strokes=sum(strokes),
        other=max(0.0, whole - sum(sums.values())),
        **sums,
    )
