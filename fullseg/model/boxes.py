"""Boxes of the regions (paper, Sec. 3.1): the frame in which the model sees a region and in which the region competes.

The paper's box holds the extreme points alone. Here it grows to hold the region's scribbles, too: a region has no say
outside its box, so a scribble there could otherwise never win its pixels. With exact extreme points nothing differs,
because scribbles lie within the region, and the region within its box. Imprecise points may leave a part of the region
outside.

Boxes are (x0, y0, x1, y1), x1 and y1 exclusive. Their edges are pixel corners, while points are pixel centres: the box
of one point (x, y) on a pixel's centre is (x, y, x + 1, y + 1).
"""

import torch
from torch import Tensor


def region_boxes(
    extreme_points: Tensor, scribble_points: Tensor, scribble_regions: Tensor, size: tuple[int, int]
) -> Tensor:
    """Return the tight box of every region's extreme points, grown to hold its scribbles.

    Args:
        extreme_points: (N, 4, 2) float, (x, y) in pixels. They are rounded to whole pixels and clipped to the image.
        scribble_points: (P, 2) float, (x, y) in pixels, the points of all scribbles.
        scribble_regions: (P,) int64 in [0, N), the region of every scribble point.
        size: (H, W) of the image in pixels.

    Returns:
        (N, 4) boxes inside the image, whole numbers in the dtype of the points, at least 1 x 1 px each.
    """
    low, high = extreme_points.amin(dim=1), extreme_points.amax(dim=1)  # (N, 2)
    target = scribble_regions[:, None].expand(-1, 2)
    low = low.scatter_reduce(0, target, scribble_points, "amin")
    high = high.scatter_reduce(0, target, scribble_points, "amax")
    x0, y0, x1, y1 = torch.floor(torch.cat([low, high], dim=1) + 0.5).unbind(1)
    last_x, last_y = size[1] - 1, size[0] - 1
    return torch.stack([x0.clamp(0, last_x), y0.clamp(0, last_y), x1.clamp(0, last_x) + 1, y1.clamp(0, last_y) + 1], 1)


def inside_boxes(boxes: Tensor, size: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Return which rows and columns of the canvas every box covers.

    Args:
        boxes: (N, 4) in pixels.
        size: (H, W) of the canvas in pixels.

    Returns:
        (N, H) and (N, W) bool; their outer product is the box.
    """
    rows = torch.arange(size[0], device=boxes.device)
    columns = torch.arange(size[1], device=boxes.device)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)  # (N, 1) each
    return (rows >= y0) & (rows < y1), (columns >= x0) & (columns < x1)


def box_area(boxes: Tensor) -> Tensor:
    """Return the areas (N,) of boxes (N, 4) in square pixels."""
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def smallest_box_area(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Return the area of the smallest box that covers each pixel; Eq. 3 weighs the pixel by 1 / area (Sec. 3.3).

    Args:
        boxes: (N, 4) in pixels, N at least 1.
        size: (H, W) of the canvas in pixels.

    Returns:
        (H, W) in square pixels, infinite where no box covers the pixel.
    """
    rows, columns = inside_boxes(boxes, size)
    column_area = torch.where(columns, box_area(boxes)[:, None], torch.inf)  # (N, W)
    areas = torch.where(rows[:, :, None], column_area[:, None, :], torch.inf)  # (N, H, W)
    return areas.amin(dim=0)


def geometry_maps(boxes: Tensor, size: int) -> Tensor:
    """Return maps that tell the head where in its box each RoI cell lies and how large the box is (not in the paper).

    Args:
        boxes: (N, 4) float, in pixels.
        size: side of the RoI in cells.

    Returns:
        (N, 4, size, size) in the dtype of the boxes. Channels 0 and 1: x and y of the cell's centre, from -1 to 1
        across the box. Channels 2 and 3: natural logarithm of the box's width and height in units of 100 px.
    """
    across = (torch.arange(size, device=boxes.device, dtype=boxes.dtype) + 0.5) * (2 / size) - 1
    y, x = torch.meshgrid(across, across, indexing="ij")
    position = torch.stack([x, y]).expand(len(boxes), -1, -1, -1)
    sides = ((boxes[:, 2:] - boxes[:, :2]) / 100).log()[:, :, None, None].expand(-1, -1, size, size)
    return torch.cat([position, sides], dim=1)
