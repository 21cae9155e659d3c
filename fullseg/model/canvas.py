"""The canvas (paper, Sec. 3.1 and Eq. 1): all regions compete for every pixel of the image."""

import torch
from torch import Tensor

from fullseg.model.base import Window
from fullseg.model.boxes import box_area, inside_boxes
from fullseg.types import VOID

OUTSIDE_LOGIT = -1e4  # finite, so softmax has no NaN; never wins against a region whose box covers the pixel


def project_to_canvas(region_logits: Tensor, boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Paste every region's logits into the image at its box (paper, Sec. 3.1).

    Bilinear resizing of the logits L separates into rows and columns. It is two matrix products per region,
    R_y L R_x^T, here for all regions at once.

    Args:
        region_logits: (N, h, w) float, before any softmax or sigmoid.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels of the canvas, x1 and y1 exclusive.
        size: (H, W) of the canvas in pixels.

    Returns:
        (N, H, W) logits of the same dtype, ``OUTSIDE_LOGIT`` outside the box. Softmax over dim 0 is Eq. 1.

    Raises:
        ValueError: if there is not exactly one box per region.
    """
    if len(region_logits) != len(boxes):
        raise ValueError(f"{len(region_logits)} regions but {len(boxes)} boxes")
    height, width = region_logits.shape[1:]
    centres = (torch.arange(length, device=boxes.device, dtype=boxes.dtype) + 0.5 for length in size)
    rows, columns = (
        _resize_matrix(boxes[:, axis], boxes[:, 2 + axis], cells, pixels).to(region_logits.dtype)
        for axis, cells, pixels in zip((1, 0), (height, width), centres, strict=True)
    )
    inside = [each.to(rows.dtype) for each in inside_boxes(boxes, size)]
    outside = OUTSIDE_LOGIT * (1 - inside[0][:, :, None] * inside[1][:, None, :])
    with torch.autocast(region_logits.device.type, enabled=False):  # a close contest needs all digits
        return (rows * inside[0][:, :, None]) @ region_logits @ (columns * inside[1][:, :, None]).mT + outside


def logits_at(region_logits: Tensor, boxes: Tensor, points: Tensor) -> Tensor:
    """Return the values of ``project_to_canvas`` at the pixels of some points.

    Args:
        region_logits: (N, h, w) float.
        boxes: (N, 4) in pixels.
        points: (S, 2) float, (x, y) in pixels.

    Returns:
        (N, S) logits of the same dtype, ``OUTSIDE_LOGIT`` outside the box.
    """
    height, width = region_logits.shape[1:]
    pixels = torch.floor(points + 0.5) + 0.5
    x, y = pixels.to(boxes.dtype).unbind(1)
    rows = _resize_matrix(boxes[:, 1], boxes[:, 3], height, y).to(region_logits.dtype)  # (N, S, h)
    columns = _resize_matrix(boxes[:, 0], boxes[:, 2], width, x).to(region_logits.dtype)
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    inside = (x > x0) & (x < x1) & (y > y0) & (y < y1)
    with torch.autocast(region_logits.device.type, enabled=False):
        return torch.where(inside, ((rows @ region_logits) * columns).sum(dim=2), OUTSIDE_LOGIT)


def _resize_matrix(start: Tensor, end: Tensor, cells: int, pixels: Tensor) -> Tensor:
    """Return the weights of bilinear resizing along one axis, which are those of ``interpolate(align_corners=False)``.

    Args:
        start: (N,) first edge of every box in pixels.
        end: (N,) last edge in pixels.
        cells: number of cells of the logits along this axis.
        pixels: (L,) float, the pixels' centres along this axis, as distances from the edge of the image.

    Returns:
        (N, L, cells) float; the cells are spread over the pixels [start, end), the edge cells beyond them.
    """
    source = (pixels - start[:, None]) * (cells / (end - start))[:, None] - 0.5  # (N, L), in cells
    source = source.clamp_(0, cells - 1)
    cell = torch.arange(cells, device=start.device, dtype=start.dtype)
    # The hat function 1 - |x|, not below 0, has the two bilinear weights.
    return (source[:, :, None] - cell).abs_().neg_().add_(1).clamp_(min=0)


def resize_to(values: Tensor, edges: tuple[float, float, float, float], window: Window) -> Tensor:
    """Resize maps bilinearly to the pixels of a window.

    Args:
        values: (N, h, w).
        edges: (x0, y0, x1, y1) in pixels, over which the h x w cells are spread; the outermost cells go on beyond.
        window: H x W pixels.

    Returns:
        (N, H, W).
    """
    rows, columns = (
        _resize_matrix(
            values.new_full((1,), edges[axis]),
            values.new_full((1,), edges[2 + axis]),
            values.shape[2 - axis],
            torch.arange(window[axis], window[2 + axis], device=values.device) + 0.5,
        )
        for axis in (1, 0)
    )
    return rows @ values @ columns.mT


def region_map_of(canvas: Tensor, *, background: bool = False) -> Tensor:
    """Give every pixel to the region with the largest logit.

    Args:
        canvas: (N, H, W) logits of ``project_to_canvas``.
        background: a pixel may be of no region. The background then competes as one more region whose logit is 0
            everywhere. If only one region covers a pixel, its probability is the sigmoid of its logit.

    Returns:
        (H, W) int64 in [0, N), VOID where no box covers the pixel or the background wins.
    """
    if len(canvas) == 0:
        return torch.full(canvas.shape[1:], VOID, dtype=torch.int64, device=canvas.device)
    best, region = canvas.max(dim=0)
    return torch.where(best > (0 if background else OUTSIDE_LOGIT), region, VOID)


def fill_boxes(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Give every pixel to the smallest box that covers it: what the boxes alone are worth, a baseline.

    Args:
        boxes: (N, 4), (x0, y0, x1, y1) in pixels.
        size: (H, W) of the canvas in pixels.

    Returns:
        (H, W) int64 in [0, N), VOID where no box covers the pixel.
    """
    return region_map_of(project_to_canvas(-box_area(boxes).log()[:, None, None], boxes, size))


def with_background(canvas: Tensor) -> Tensor:
    """Append the background, whose logit is 0 everywhere, to a canvas (N, H, W): (N + 1, H, W)."""
    return torch.cat([canvas, torch.zeros_like(canvas[:1])])


def probabilities_of(canvas: Tensor, *, background: bool = False) -> Tensor:
    """Return the probability of every region at every pixel (Eq. 1).

    Args:
        canvas: (N, H, W) logits of ``project_to_canvas``.
        background: a pixel may be of no region. The background then competes as one more region with logit 0.

    Returns:
        (N, H, W) in [0, 1]. Where a box covers the pixel they sum to 1 over the regions (and the background), elsewhere
        they are 0.
    """
    if background:
        return with_background(canvas).softmax(dim=0)[:-1]
    return canvas.softmax(dim=0) * inside_of(canvas)


def inside_of(canvas: Tensor) -> Tensor:
    """Return where the logits (N, H, W) of a canvas are those of a region: 1, and 0 outside its box, (N, H, W)."""
    return (canvas.detach() - canvas.new_full((), OUTSIDE_LOGIT)).clamp_(0, 1)  # rounded alike in every dtype


def first_best(values: Tensor) -> tuple[Tensor, Tensor]:
    """Return ``values.max(dim=0)`` of values (N, H, W), the first one of equals: on a CPU in a quarter of the time."""
    best = values.amax(dim=0)
    ranks = torch.arange(len(values), 0, -1, device=values.device, dtype=values.dtype)[:, None, None]
    score = (values - best).sign_().mul_(len(values)).add_(ranks)  # the rank where it is the best, else not above 0
    return best, len(values) - score.amax(dim=0).long()
