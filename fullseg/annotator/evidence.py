"""What the network learns from decisions about pixels: scribbles along brushes, inside polygons and in holes."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Brush, Hole, Polygon
from fullseg.annotator.edits import Edit, Edits
from fullseg.annotator.layer import UNDECIDED, Layer, Sizes
from fullseg.annotator.shapes import polygon_pixels

ROWS = (1 / 6, 1 / 2, 5 / 6)  # of a polygon's height: there its scribbles are


class Shown(NamedTuple):
    """A scribble that shows the network what was painted."""

    region: int  # its id
    points: NDArray[np.float32]  # (K, 2), (x, y) in pixels of the seen image


def evidence(edits: Edits, layer: Layer) -> list[Shown]:
    """Return what the network learns from decisions. Where a later one of them says otherwise, it is nothing.

    Args:
        edits: the decisions.
        layer: made of them.
    """
    found = []
    for edit in edits:
        if edit.region is not None:
            parts = (part for path in _paths(edit, layer.sizes) for part in _still_owned(path, edit.region, layer))
            found += [Shown(edit.region, part.astype(np.float32)) for part in parts]
    return found


def _paths(edit: Edit, sizes: Sizes) -> list[NDArray[np.float64]]:
    """Return the paths (K, 2) of a decision, in pixels of the seen image."""
    if isinstance(edit.shape, Brush) and not edit.shape.erase:
        return [np.array(edit.shape.points, np.float64)]
    if isinstance(edit.shape, Polygon):
        return list(_inside(np.array(edit.shape.points, np.float64), sizes))
    if isinstance(edit.shape, Hole):
        return [np.array([edit.shape.at], np.float64)]
    return []


def _inside(corners: NDArray[np.float64], sizes: Sizes) -> Iterator[NDArray[np.float64]]:
    """Yield lines (2, 2) inside a polygon: of some rows the longest run of pixels, less a fifth at either end."""
    pixels = polygon_pixels(corners, sizes.seen)
    rows = np.flatnonzero(pixels.mask.any(axis=1))
    for row in sorted({int(rows[int(part * len(rows))]) for part in ROWS if len(rows)}):
        runs = np.flatnonzero(np.diff(pixels.mask[row].astype(np.int8), prepend=0, append=0)).reshape(-1, 2)
        first, behind = runs[(runs[:, 1] - runs[:, 0]).argmax()]
        less = (behind - first) // 5
        ends = np.array([[first + less, row], [behind - 1 - less, row]], np.float64)
        yield ends + np.array([pixels.x0, pixels.y0])


def _still_owned(path: NDArray[np.float64], region: int, layer: Layer) -> Iterator[NDArray[np.float64]]:
    """Yield the parts of a path, one after another, about whose pixels no later decision says otherwise."""
    dense = densified(path)
    x, y = np.floor(layer.sizes.to_full(dense) + 0.5).astype(np.int64).T
    height, width = layer.sizes.full
    at = y.clip(0, height - 1), x.clip(0, width - 1)
    owners = np.where(layer.painted[at] == UNDECIDED, layer.kept[at], layer.painted[at])
    mine = (owners == region) | (owners == UNDECIDED)  # between the pixels of a thin brush some are undecided
    mine &= ~np.isin(at[0] * width + at[1], layer.barred.get(region, ()))
    if mine.all():
        yield path
        return
    for first, behind in np.flatnonzero(np.diff(mine.astype(np.int8), prepend=0, append=0)).reshape(-1, 2):
        yield dense[first:behind]


def densified(path: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a path with points at most a pixel apart."""
    steps = np.ceil(np.linalg.norm(np.diff(path, axis=0), axis=1)).astype(np.int64).clip(min=1)
    at = np.append(0, steps.cumsum())
    return np.stack([np.interp(np.arange(at[-1] + 1), at, path[:, axis]) for axis in (0, 1)], axis=1)
