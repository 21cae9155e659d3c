"""Annotation maps kept as the few pixels that are not 0: one region is drawn anew when its annotations change.

Values are those of ``annotation_maps`` (Sec. 3.2); nothing here is as large as N x H x W.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from fullseg.model.annotation_maps import HEATMAP_SIGMA, POINT_RADIUS, draw_points, draw_scribbles
from fullseg.model.roi_align import align_matrix

# How far a point's drawing reaches, in px. A heatmap goes on for ever; cut where it is less than float32 tells from 0
# beside its peak of 1.
REACH = {"binary": math.ceil(POINT_RADIUS) + 1, "gaussian": math.ceil(HEATMAP_SIGMA * math.sqrt(-2 * math.log(1e-8)))}


class Drawing(NamedTuple):
    """A map (H, W) as its pixels that are not 0."""

    pixels: Tensor  # (K,) int64, y * W + x, each once, rising
    values: Tensor  # (K,) float32


class RegionDrawing(NamedTuple):
    """What is drawn of one region."""

    own: Drawing  # S_i: extreme points and scribbles
    shared: Drawing  # the part of S_i that the other regions see


Box = tuple[int, int, int, int]  # (x0, y0, x1, y1) in pixels, x1 and y1 exclusive
Window = tuple[int, int, int, int]  # (top, bottom, left, right) in cells or pixels, bottom and right exclusive


def draw_region(
    extreme_points: Tensor, points: Tensor, lengths: Tensor, size: tuple[int, int], *, encoding: str, share: str
) -> RegionDrawing:
    """Draw one region.

    Args:
        extreme_points: (4, 2) float, (x, y) in pixels.
        points: (P, 2) float, the points of the region's scribbles one after another.
        lengths: (S,) int64, number of points of every scribble.
        size: (H, W) of the image in pixels.
        encoding: of ``draw_points``.
        share: ``none``, ``points`` or ``all``.
    """
    low = torch.cat([extreme_points, points]).amin(dim=0).floor() - REACH[encoding]
    high = torch.cat([extreme_points, points]).amax(dim=0).ceil() + REACH[encoding] + 1
    left, top = low.clamp(min=0).long().tolist()
    right, bottom = torch.minimum(high, high.new_tensor([size[1], size[0]])).long().tolist()
    corner = extreme_points.new_tensor([left, top])
    points_only = draw_points((extreme_points - corner)[None], (bottom - top, right - left), encoding)
    both = points_only
    if len(lengths):
        both = draw_scribbles(points_only.clone(), points - corner, lengths, torch.zeros_like(lengths))
    own = _nonzero(both[0], left, top, size[1])
    if share == "points":
        return RegionDrawing(own, _nonzero(points_only[0], left, top, size[1]))
    return RegionDrawing(own, own if share == "all" else nothing_of(own))


def _nonzero(part: Tensor, left: int, top: int, width: int) -> Drawing:
    y, x = part.nonzero(as_tuple=True)
    return Drawing((y + top) * width + x + left, part[y, x])


def nothing_of(drawing: Drawing) -> Drawing:
    """Return a blank drawing on the same device."""
    return Drawing(drawing.pixels[:0], drawing.values[:0])


def difference(old: Drawing, new: Drawing) -> Drawing:
    """Return new - old."""
    pixels = torch.cat([old.pixels, new.pixels])
    values = torch.cat([-old.values, new.values])
    unique, place = torch.unique(pixels, return_inverse=True)
    change = values.new_zeros(len(unique)).index_add_(0, place, values)
    differs = change != 0
    return Drawing(unique[differs], change[differs])


def bounding_box(drawing: Drawing, width: int) -> Box | None:
    """Return the box (x0, y0, x1, y1) of a drawing in an image of that width, None if nothing is drawn."""
    if len(drawing.pixels) == 0:
        return None
    x = drawing.pixels % width
    y0, y1 = int(drawing.pixels[0]) // width, int(drawing.pixels[-1]) // width
    return int(x.min()), y0, int(x.max()) + 1, y1 + 1


def align_window(drawing: RegionDrawing, total: Tensor, box: Box, roi_size: int, cells: Window) -> Tensor:
    """Return F_i (Eq. 2) through the region's box, in a window of its RoI.

    Args:
        drawing: of region i.
        total: (H, W) float32, the sum of what all regions share, region i included.
        box: (x0, y0, x1, y1) in pixels.
        roi_size: side of the RoI in cells.
        cells: the window.

    Returns:
        (2, bottom - top, right - left) float32, equal to that part of ``annotation_maps``.
    """
    height, width = total.shape
    (top, bottom), (left, right) = (
        _pixels_under(box[1], box[3], roi_size, cells[:2], height),
        _pixels_under(box[0], box[2], roi_size, cells[2:], width),
    )
    edges = total.new_tensor(box)
    rows = align_matrix(edges[1:2], edges[3:4], roi_size, height, 1)[0, cells[0] : cells[1], top:bottom]
    columns = align_matrix(edges[0:1], edges[2:3], roi_size, width, 1)[0, cells[2] : cells[3], left:right]
    own, shared = (_paste(part, (top, bottom, left, right), width) for part in drawing)
    maps = torch.stack([own, total[top:bottom, left:right] - shared])
    return rows @ maps @ columns.T


def _pixels_under(start: int, end: int, roi_size: int, cells: tuple[int, int], length: int) -> tuple[int, int]:
    """Return the range of pixels along one axis that RoI cells [first, last) of a box see; a few more do no harm."""
    cell = (end - start) / roi_size
    return max(0, math.floor(start + cells[0] * cell) - 2), min(length, math.ceil(start + cells[1] * cell) + 2)


def _paste(drawing: Drawing, window: Window, width: int) -> Tensor:
    """Return the window (in pixels) of a drawing in an image of that width."""
    top, bottom, left, right = window
    first, last = torch.searchsorted(drawing.pixels, drawing.pixels.new_tensor([top * width, bottom * width])).tolist()
    pixels, values = drawing.pixels[first:last], drawing.values[first:last]
    x, y = pixels % width, pixels // width
    inside = (x >= left) & (x < right)
    part = values.new_zeros(bottom - top, right - left)
    part[y[inside] - top, x[inside] - left] = values[inside]
    return part
