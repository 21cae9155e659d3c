"""Extreme points of a region that a person marks with a box: those of the model's own mask within the box."""

import numpy as np
from numpy.typing import NDArray
from skimage.measure import label

from fullseg.annotator.actions import ActionError, ExtremePoints, Point

Corners = tuple[Point, Point]


def middles(corners: Corners) -> ExtremePoints:
    """Return the middles of a box's sides: left, top, right and bottom.

    Raises:
        ActionError: if the box is narrower or lower than 2 px.
    """
    (x0, y0), (x1, y1) = (tuple(ends(axis) for axis in zip(*corners, strict=True)) for ends in (min, max))
    if x1 - x0 < 1 or y1 - y0 < 1:
        raise ActionError(f"box: it spans {x1 - x0 + 1:g} x {y1 - y0 + 1:g} px, and needs 2 x 2")
    x, y = (x0 + x1) / 2, (y0 + y1) / 2
    return (x0, y), (x, y0), (x1, y), (x, y1)


def extremes_within(mask: NDArray[np.bool_], corners: Corners) -> ExtremePoints:
    """Return the extreme points of the largest part of a mask within a box.

    Of several pixels on one side the middle one is taken.

    Args:
        mask: (H, W), the model's mask of the region that ``middles(corners)`` mark.
        corners: of the box, in pixels of the mask.

    Returns:
        Left, top, right and bottom, or ``middles(corners)`` if the mask has less than 2 x 2 px there.
    """
    left, top, right, bottom = middles(corners)
    x0, y0, x1, y1 = (round(value) for value in (left[0], top[1], right[0], bottom[1]))
    parts = label(mask[y0 : y1 + 1, x0 : x1 + 1], connectivity=1)  # type: ignore[no-untyped-call]
    sizes = np.bincount(parts.ravel())[1:]
    if not len(sizes):
        return left, top, right, bottom
    ys, xs = np.nonzero(parts == sizes.argmax() + 1)
    if np.ptp(xs) < 1 or np.ptp(ys) < 1:
        return left, top, right, bottom

    def outermost(along: NDArray[np.intp], end: np.intp) -> Point:
        places = np.flatnonzero(along == end)
        place = places[len(places) // 2]
        return float(xs[place] + x0), float(ys[place] + y0)

    return outermost(xs, xs.min()), outermost(ys, ys.min()), outermost(xs, xs.max()), outermost(ys, ys.max())
