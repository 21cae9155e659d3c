"""Annotation maps (paper, Sec. 3.2) kept as their few pixels that are not 0, so that nothing has N x H x W values.

The values equal those of ``fullseg.model.annotation_maps``.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fullseg.model.annotation_maps import POINT_RADIUS, SCRIBBLE_RADIUS, disc_pixels, draw_points, walk_scribbles
from fullseg.model.roi_align import align_matrices

LEAST = 1e-8  # smaller values of a heatmap are dropped: beside its peak of 1 float32 cannot tell them from 0

Box = tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels, x1 and y1 exclusive
Window = tuple[int, int, int, int]  # (top, bottom, left, right) in cells or pixels, bottom and right exclusive


class Drawing(NamedTuple):
    """The pixels of a map (H, W) that are not 0."""

    pixels: NDArray[np.int64]  # (K,), y * W + x, each once, in rising order
    values: NDArray[np.float32]  # (K,), in (0, 1]; differences of maps in [-1, 1]


class RegionDrawing(NamedTuple):
    """What is drawn of one region."""

    own: Drawing  # S_i: extreme points and scribbles
    shared: Drawing  # the part of S_i that the other regions see


NOTHING = Drawing(np.zeros(0, np.int64), np.zeros(0, np.float32))
BLANK = RegionDrawing(NOTHING, NOTHING)


def draw_regions(
    extreme_points: NDArray[np.float32],
    scribbles: list[list[NDArray[np.float32]]],
    size: tuple[int, int],
    *,
    encoding: str,
    share: str,
) -> list[RegionDrawing]:
    """Draw some regions.

    Args:
        extreme_points: (N, 4, 2), (x, y) in pixels.
        scribbles: N lists with the points (K, 2) of every scribble of a region, (x, y) in pixels.
        size: (H, W) of the image in pixels.
        encoding: ``binary`` for discs, ``gaussian`` or ``gaussian_box`` for heatmaps.
        share: ``none``, ``points`` or ``all``: what the other regions see.

    Returns:
        N drawings.
    """
    if not scribbles:
        return []
    points, heights = _draw_points(torch.from_numpy(extreme_points), size, encoding)
    lines = _draw_lines(scribbles, size)
    pixels = np.concatenate([lines, points])
    values = np.concatenate([np.ones(len(lines), np.float32), heights])
    order = np.argsort(pixels, kind="stable")  # a pixel of a line, whose value is 1, comes before a point's there
    first = order[np.diff(pixels[order], prepend=-1) > 0]
    own = _by_region(pixels[first], values[first], len(scribbles), size)
    if share == "none":
        shared = len(own) * [NOTHING]
    else:
        shared = own if share == "all" else _by_region(points, heights, len(scribbles), size)
    return [RegionDrawing(*pair) for pair in zip(own, shared, strict=True)]


def _draw_points(
    extreme_points: Tensor, size: tuple[int, int], encoding: str
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Draw the points of N regions into N maps (H, W), one below another.

    Args:
        extreme_points: (N, 4, 2) float32, (x, y) in pixels.
        size: (H, W) of the image in pixels.
        encoding: ``binary``, ``gaussian`` or ``gaussian_box``.

    Returns:
        Pixels (K,), region * H * W + y * W + x, each once, in rising order; and their values (K,).
    """
    if encoding == "binary":
        regions = torch.arange(len(extreme_points)).repeat_interleave(4)
        pixels = _once(disc_pixels(extreme_points.reshape(-1, 2), regions, POINT_RADIUS, size))
        return pixels, np.ones(len(pixels), np.float32)
    maps = [draw_points(quad[None], size, encoding).numpy().ravel() for quad in extreme_points]
    pixels_of = [np.flatnonzero(values > LEAST) for values in maps]
    values = [values[mine] for values, mine in zip(maps, pixels_of, strict=True)]
    pixels_of = [region * size[0] * size[1] + mine for region, mine in enumerate(pixels_of)]
    return np.concatenate(pixels_of), np.concatenate(values)


def _draw_lines(scribbles: list[list[NDArray[np.float32]]], size: tuple[int, int]) -> NDArray[np.int64]:
    """Draw the scribbles of N regions into N maps (H, W), one below another.

    Returns:
        Pixels (K,), region * H * W + y * W + x, each once, in rising order.
    """
    paths = [path for mine in scribbles for path in mine]
    if not paths:
        return NOTHING.pixels
    lengths = torch.tensor([len(path) for path in paths])
    centres, stroke = walk_scribbles(torch.from_numpy(np.concatenate(paths)), lengths)
    regions = torch.arange(len(scribbles)).repeat_interleave(torch.tensor([len(mine) for mine in scribbles]))
    return _once(disc_pixels(centres, regions[stroke], SCRIBBLE_RADIUS, size))


def _once(pixels: Tensor) -> NDArray[np.int64]:
    """Return the pixels (P,) of ``disc_pixels``, each once, in rising order."""
    # Neighbouring discs share most of their pixels, which come in ordered pieces: np.unique takes four times as long.
    different = pixels.unique_consecutive()  # type: ignore[no-untyped-call]
    rising: NDArray[np.int64] = np.sort(different.numpy(), kind="stable")
    return rising[np.diff(rising, prepend=-1) > 0]


def _by_region(
    pixels: NDArray[np.int64], values: NDArray[np.float32], count: int, size: tuple[int, int]
) -> list[Drawing]:
    """Split pixels (K,) in rising order, of ``count`` maps (H, W) one below another, and their values (K,) by map."""
    area = size[0] * size[1]
    edges = np.searchsorted(pixels, area * np.arange(count + 1)).tolist()
    return [
        Drawing(pixels[start:stop] - area * region, values[start:stop].copy())
        for region, (start, stop) in enumerate(pairwise(edges))
    ]


def difference(old: Drawing, new: Drawing) -> Drawing:
    """Return where a map has changed, and by how much: new - old."""
    pixels = np.concatenate([old.pixels, new.pixels])
    if len(pixels) == 0:
        return NOTHING
    order = np.argsort(pixels, kind="stable")
    pixels = pixels[order]
    first = np.flatnonzero(np.diff(pixels, prepend=-1))
    change = np.add.reduceat(np.concatenate([-old.values, new.values])[order], first)
    differs = change != 0
    return Drawing(pixels[first][differs], change[differs])


def bounding_box(drawing: Drawing, width: int) -> Box | None:
    """Return the tight box of a drawing in an image of this width; None if nothing is drawn."""
    if len(drawing.pixels) == 0:
        return None
    x = drawing.pixels % width
    y0, y1 = int(drawing.pixels[0]) // width, int(drawing.pixels[-1]) // width
    return int(x.min()), y0, int(x.max()) + 1, y1 + 1


def bounding_window(windows: Sequence[Window]) -> Window:
    """Return the bounding window; an arbitrary cell if there are none."""
    top, bottom, left, right = zip(*windows, strict=True) if windows else ((0,), (1,), (0,), (1,))
    return min(top), max(bottom), min(left), max(right)


def align_window(drawing: RegionDrawing, total: NDArray[np.float32], box: Box, roi_size: int, cells: Window) -> Tensor:
    """Return a window of F_i (Eq. 2) of one region, which is cropped at the region's box.

    Args:
        drawing: of region i.
        total: (H, W), sum over all regions, region i included, of what the others see of them.
        box: of the region.
        roi_size: side of the RoI in cells.
        cells: the window, in cells of the RoI.

    Returns:
        (2, bottom - top, right - left) float32, equal to this window of ``annotation_maps``.
    """
    height, width = total.shape
    (top, bottom), (left, right) = (
        _pixels_under(box[1], box[3], roi_size, cells[:2], height),
        _pixels_under(box[0], box[2], roi_size, cells[2:], width),
    )
    edges = torch.tensor([box], dtype=torch.float32)
    rows, columns = align_matrices(edges, roi_size, (height, width), 1)
    rows, columns = rows[0, cells[0] : cells[1], top:bottom], columns[0, cells[2] : cells[3], left:right]
    own, shared = (_paste(part, (top, bottom, left, right), width) for part in drawing)
    maps = np.stack([own, total[top:bottom, left:right] - shared])
    with torch.autocast("cpu", enabled=False):  # as in RegionSegmenter.region_inputs
        return rows @ torch.from_numpy(maps) @ columns.T


def _pixels_under(start: int, end: int, roi_size: int, cells: tuple[int, int], length: int) -> tuple[int, int]:
    """Return a range of pixels along one axis that holds all pixels which RoI cells [first, last) of a box see."""
    cell = (end - start) / roi_size
    return max(0, math.floor(start + cells[0] * cell) - 2), min(length, math.ceil(start + cells[1] * cell) + 2)


def _paste(drawing: Drawing, window: Window, width: int) -> NDArray[np.float32]:
    """Return a window, in pixels, of a drawing in an image of this width: (bottom - top, right - left)."""
    top, bottom, left, right = window
    first, last = np.searchsorted(drawing.pixels, (top * width, bottom * width))
    y, x = np.divmod(drawing.pixels[first:last], width)
    inside = (x >= left) & (x < right)
    part = np.zeros((bottom - top, right - left), np.float32)
    part[y[inside] - top, x[inside] - left] = drawing.values[first:last][inside]
    return part
