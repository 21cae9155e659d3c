"""The first look: the head's answer to the extreme points alone, which it sees again once there are scribbles.

A scribble says that this answer is wrong somewhere. So it also says that the answer is right elsewhere, and the head
can keep what was right. The first look is not in the paper.
"""

import torch
from torch import Tensor

from fullseg.model.annotation_maps import line_pixels
from fullseg.model.base import Strokes
from fullseg.model.canvas import probabilities_of, project_to_canvas
from fullseg.model.roi_align import roi_align_each

FINEST = 2  # px per cell of the first look's canvas, in images of up to LARGEST
LARGEST = 1024  # px along the longer side; in larger ones the cells are larger, so that the canvas stays small


def cell_size(size: tuple[int, int]) -> int:
    """Return the pixels per cell of the first look's canvas, for an image of ``size`` (H, W)."""
    return FINEST * -(-max(size) // LARGEST)


def compete(logits: Tensor, tight: Tensor, size: tuple[int, int]) -> Tensor:
    """Let the regions compete from extreme points alone.

    Args:
        logits: (N, s, s) float32 of the head, from extreme points alone.
        tight: (N, 4), the boxes of the extreme points, in pixels.
        size: (H, W) of the image in pixels.

    Returns:
        (N, h, w) probabilities, in cells of ``cell_size``; 0 outside of ``tight``.
    """
    cell = cell_size(size)
    return probabilities_of(project_to_canvas(logits, tight / cell, (-(-size[0] // cell), -(-size[1] // cell))))


def crop(probabilities: Tensor, boxes: Tensor, size: tuple[int, int], side: int) -> Tensor:
    """Crop each region's own probability.

    Args:
        probabilities: (N, h, w) of ``compete``.
        boxes: (N, 4), where to crop, in pixels; scribbles may have made them larger than the extreme points' boxes.
        size: (H, W) of the image in pixels.
        side: of the RoI in cells.

    Returns:
        (N, side, side) in [0, 1].
    """
    return roi_align_each(probabilities, boxes / cell_size(size), side)


def boxes_with_scribbles(boxes: Tensor, strokes: Strokes, size: tuple[int, int]) -> Tensor:
    """Return in which boxes (N, 4) the line of any scribble has a pixel: (N,) bool.

    Args:
        boxes: in pixels.
        strokes: the scribbles of the image, of all regions.
        size: (H, W) of the image in pixels.
    """
    if not len(strokes.lengths):
        return torch.zeros(len(boxes), dtype=torch.bool, device=boxes.device)
    pixels, _ = line_pixels(strokes.points, strokes.lengths, size)
    return boxes_with_pixels(boxes, pixels, size[1])


def boxes_with_pixels(boxes: Tensor, pixels: Tensor, width: int) -> Tensor:
    """Return in which boxes (N, 4) any of the pixels y * width + x, (K,), lies: (N,) bool."""
    x, y = pixels % width, pixels // width
    x0, y0, x1, y1 = boxes[:, :, None].unbind(1)
    return ((x >= x0) & (x < x1) & (y >= y0) & (y < y1)).any(dim=1)
