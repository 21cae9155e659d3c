"""Annotations as input of the network (paper, Sec. 3.2): one channel for this region, one for all others.

S_i is a binary H x W map of the extreme points (discs) and scribbles (lines) of region i.
F_i = (S_i, sum over j != i of S_j) (Eq. 2), cropped at the box of region i.
"""

import math

import torch
from torch import Tensor

from fullseg.model.boxes import region_boxes
from fullseg.model.roi_align import roi_align_each

POINT_RADIUS = 3.0  # px: discs 6 px across (Sec. 3.2)
SCRIBBLE_RADIUS = 1.5  # px: lines 3 px wide (Sec. 3.2)
HEATMAP_SIGMA = 10.0  # px: DEXTR's Gaussian heatmaps,
HEATMAP_CROP = 512  # in its crops of this side in px (Sec. 5.1)
SCRIBBLE_STEP = 0.5  # px between the discs that a line is made of: its edge is then exact to 0.02 px


def draw_points(extreme_points: Tensor, size: tuple[int, int], encoding: str) -> Tensor:
    """Draw every region's extreme points into a map of its own.

    Args:
        extreme_points: (N, K, 2) float, (x, y) in pixels.
        size: (H, W) in pixels.
        encoding: ``binary`` for discs of 6 px. ``gaussian`` for heatmaps with peak 1 and a sigma of 10 px.
            ``gaussian_box`` for the same heatmaps in the frame of the region's box: along each axis sigma is 10/512 of
            the side of the tight box of its extreme points, and the points are rounded to whole pixels, as the box is.

    Returns:
        (N, H, W) float32 in [0, 1].
    """
    if encoding == "gaussian":
        return _heatmaps(extreme_points, size, extreme_points.new_full((len(extreme_points), 2), HEATMAP_SIGMA))
    if encoding == "gaussian_box":
        boxes = _tight_boxes(extreme_points, size)
        sigma = HEATMAP_SIGMA / HEATMAP_CROP * (boxes[:, 2:] - boxes[:, :2])
        return _heatmaps(torch.floor(extreme_points + 0.5), size, sigma)
    regions = torch.arange(len(extreme_points), device=extreme_points.device)
    regions = regions.repeat_interleave(extreme_points.shape[1])
    blank = extreme_points.new_zeros((len(extreme_points), *size), dtype=torch.float32)
    return _stamp_discs(blank, extreme_points.reshape(-1, 2), regions, POINT_RADIUS)


def _tight_boxes(extreme_points: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the boxes (N, 4) of extreme points (N, K, 2) alone, without scribbles."""
    nothing = extreme_points.new_zeros((0, 2))
    return region_boxes(extreme_points, nothing, nothing[:, 0].long(), size)


def _heatmaps(points: Tensor, size: tuple[int, int], sigma: Tensor) -> Tensor:
    """Draw points (N, K, 2) as Gaussians with peak 1.

    Args:
        points: (N, K, 2) float, (x, y) in pixels.
        size: (H, W) of the maps in pixels.
        sigma: (N, 2) float, of x and of y, in pixels.

    Returns:
        (N, H, W) float32; where Gaussians of a region overlap, the largest value.
    """
    columns, rows = (
        torch.exp(
            -((torch.arange(length, device=points.device) - points[..., axis, None]) ** 2)
            / (2 * sigma[:, axis, None, None] ** 2)
        )
        for axis, length in enumerate((size[1], size[0]))
    )  # (N, K, W), (N, K, H)
    maps = [rows[:, k, :, None] * columns[:, k, None, :] for k in range(rows.shape[1])]
    return torch.stack(maps).amax(dim=0).float()


def draw_scribbles(maps: Tensor, points: Tensor, lengths: Tensor, regions: Tensor) -> Tensor:
    """Draw scribbles into their regions' maps, in place.

    Args:
        maps: (N, H, W) float32, changed in place.
        points: (P, 2) float, (x, y) in pixels, the points of all scribbles one after another.
        lengths: (S,) int64, number of points of every scribble, at least 1; their sum is P.
        regions: (S,) int64 in [0, N), region of every scribble.

    Returns:
        ``maps``, 1 at every pixel within 1.5 px of a scribble of the region.
    """
    if len(points) == 0:
        return maps
    centres, stroke = walk_scribbles(points, lengths)
    return _stamp_discs(maps, centres, regions[stroke], SCRIBBLE_RADIUS)


def walk_scribbles(points: Tensor, lengths: Tensor) -> tuple[Tensor, Tensor]:
    """Return points along all scribbles, at most ``SCRIBBLE_STEP`` px apart.

    Args:
        points: (P, 2) float, (x, y) in pixels, the points of all scribbles one after another, P at least 1.
        lengths: (S,) int64, number of points of every scribble, at least 1; their sum is P.

    Returns:
        (K, 2) float, (x, y) in pixels, and the scribble (K,) int64 in [0, S) of each point.
    """
    stroke = torch.arange(len(lengths), device=points.device).repeat_interleave(lengths)  # (P,)
    following = torch.cat([points[1:], points[-1:]])
    ends_here = torch.cat([stroke[1:] != stroke[:-1], stroke.new_ones(1, dtype=torch.bool)])
    vector = torch.where(ends_here[:, None], 0, following - points)  # (P, 2): the last point is a segment of length 0
    steps = torch.ceil(vector.norm(dim=1) / SCRIBBLE_STEP).long().clamp(min=1)  # (P,)
    segment = torch.arange(len(points), device=points.device).repeat_interleave(steps)
    first = torch.cumsum(steps, 0) - steps
    share = (torch.arange(len(segment), device=points.device) - first[segment]) / steps[segment]  # in [0, 1)
    along = share[:, None] * vector.index_select(0, segment)  # twice as fast as vector[segment]
    return points.index_select(0, segment) + along, stroke[segment]


def line_pixels(points: Tensor, lengths: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the pixels on the lines of scribbles, one pixel wide; they surely belong to the scribbles' regions.

    Args:
        points: (P, 2) float, (x, y) in pixels, the points of all scribbles one after another, P at least 1.
        lengths: (S,) int64, number of points of every scribble, at least 1; their sum is P.
        size: (H, W) in pixels.

    Returns:
        Pixels (K,) int64, y * W + x, in the order of the scribbles, some of them several times; and the scribble (K,)
        int64 in [0, S) of each.
    """
    along, stroke = walk_scribbles(points, lengths)
    x, y = torch.floor(along + 0.5).long().unbind(1)
    return y.clamp(0, size[0] - 1) * size[1] + x.clamp(0, size[1] - 1), stroke


def disc_pixels(centres: Tensor, regions: Tensor, radius: float, size: tuple[int, int]) -> Tensor:
    """Return the pixels of discs.

    Args:
        centres: (K, 2) float, (x, y) in pixels.
        regions: (K,) int64, the region in whose map each disc lies.
        radius: of the discs in pixels.
        size: (H, W) of a map in pixels.

    Returns:
        (P,) int64, region * H * W + y * W + x of every pixel whose centre is within ``radius`` px of a disc's centre.
        A pixel of several discs comes several times.
    """
    pixels, keep = disc_grid(centres, regions, radius, size)
    return pixels.masked_select(keep)


def disc_grid(centres: Tensor, regions: Tensor, radius: float, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return the D x D pixels around each of K centres, and which of them ``disc_pixels`` returns.

    The arguments are those of ``disc_pixels``. Unlike its result, these shapes depend on no value.

    Returns:
        (D, D, K) int64, region * H * W + y * W + x, and (D, D, K) bool.
    """
    # The pixel under a centre is less than 0.5 px to the left of it, or at most 0.5 px to the right.
    step = torch.arange(-math.floor(radius + 0.5), math.ceil(radius + 0.5), device=centres.device)
    height, width = size
    # The centres are on the last axis, which is long: inner loops over D values would take most of the time.
    pixels = torch.floor(centres.T + 0.5) + step[:, None, None]  # (D, 2, K) columns and rows around each centre
    squares = (pixels - centres.T).square()
    for axis, length in enumerate((width, height)):
        beyond = (pixels[:, axis] < 0) | (pixels[:, axis] >= length)
        squares[:, axis].masked_fill_(beyond, torch.inf)
    dx, dy = squares.unbind(1)  # (D, K) each
    x, y = pixels.long().unbind(1)
    rows = regions * height + y  # (D, K) of all maps, one below another
    return (rows * width)[:, None] + x, dx + dy[:, None] <= radius**2


def _stamp_discs(maps: Tensor, centres: Tensor, regions: Tensor, radius: float) -> Tensor:
    """Set the pixels of discs to 1, in place.

    Args:
        maps: (N, H, W) float32.
        centres: (K, 2) float, (x, y) in pixels.
        regions: (K,) int64 in [0, N), the region in whose map each disc lies.
        radius: of the discs in pixels.
    """
    pixels = disc_pixels(centres, regions, radius, (maps.shape[1], maps.shape[2]))
    maps.view(-1).index_fill_(0, pixels, 1)
    return maps


def annotation_maps(own: Tensor, shared: Tensor | None, boxes: Tensor, size: int) -> Tensor:
    """Return F_i (Eq. 2) of every region, cropped at its box.

    RoIAlign is linear. The second channel is therefore the crop of the sum of all maps minus the crop of the region's
    own map, and the sum over j != i is never made.

    Args:
        own: (N, H, W) float32, S_i.
        shared: (N, H, W) float32, the part of S_j that the other regions may see; None if they see nothing.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels.
        size: side of the RoI in cells.

    Returns:
        (N, 2, size, size) float32.
    """
    first = roi_align_each(own, boxes, size)
    if shared is None:
        return torch.stack([first, torch.zeros_like(first)], dim=1)
    of_all = roi_align_each(shared.sum(dim=0, keepdim=True), boxes, size)
    of_itself = first if shared is own else roi_align_each(shared, boxes, size)
    return torch.stack([first, of_all - of_itself], dim=1)
