"""RoIAlign (He et al., Mask R-CNN, 2017) as two matrix products.

A RoI cell is the mean of bilinear samples on a regular grid. The weights of these samples separate into rows and
columns, so RoI = A_y map A_x^T. Values equal torchvision's ``roi_align`` with ``aligned=True, sampling_ratio=0``;
forward and backward are several times faster, on CPU and GPU.
"""

import math

import torch
from torch import Tensor


def align_matrix(start: Tensor, end: Tensor, cells: int, length: int, stride: float) -> Tensor:
    """Return the weights A with which RoI cells average the cells of a map along one axis.

    Args:
        start: (N,) first edge of every box, in pixels of the image.
        end: (N,) last edge, exclusive, in pixels of the image.
        cells: number of RoI cells along this axis.
        length: number of cells of the map along this axis.
        stride: pixels per cell of the map.

    Returns:
        (N, cells, length) float; every row sums to 1.
    """
    cell = (end - start) / stride / cells  # (N,) size of a RoI cell, in cells of the map
    most = max(1, math.ceil(length / cells))  # samples per RoI cell, for the largest box on the map
    samples = torch.ceil(cell).clamp(1, most)  # (N,) samples per RoI cell
    step = torch.arange(most, device=start.device, dtype=start.dtype)  # (G,)
    within = (step + 0.5) / samples[:, None]  # (N, G) position inside a RoI cell, in [0, 1)
    position = torch.arange(cells, device=start.device, dtype=start.dtype)[None, :, None] + within[:, None]
    position = start[:, None, None] / stride - 0.5 + position * cell[:, None, None]  # (N, cells, G)
    weight = (step < samples[:, None]) / samples[:, None]  # (N, G)
    return _bilinear_weights(position, weight[:, None].expand_as(position), length)


def align_matrices(boxes: Tensor, cells: int, shape: tuple[int, int], stride: float) -> tuple[Tensor, Tensor]:
    """Return the weights of RoIAlign along both axes.

    Args:
        boxes: (N, 4), (x0, y0, x1, y1) in pixels of the image.
        cells: side of the RoI in cells.
        shape: (h, w) of the map.
        stride: pixels per cell of the map.

    Returns:
        A_y (N, cells, h) and A_x (N, cells, w) float; every row sums to 1.
    """
    rows = align_matrix(boxes[:, 1], boxes[:, 3], cells, shape[0], stride)
    columns = align_matrix(boxes[:, 0], boxes[:, 2], cells, shape[1], stride)
    return rows, columns


def _bilinear_weights(position: Tensor, weight: Tensor, length: int) -> Tensor:
    """Spread weights (N, cells, G) at positions (N, cells, G) over the two nearest cells: (N, cells, length)."""
    position = position.clamp(0, length - 1)
    low = position.floor().clamp(max=max(length - 2, 0))
    share = position - low
    low = low.long()
    high = (low + 1).clamp(max=length - 1)
    matrix = position.new_zeros(*position.shape[:2], length)
    return matrix.scatter_add_(2, low, weight * (1 - share)).scatter_add_(2, high, weight * share)


def roi_align(features: Tensor, boxes: Tensor, size: int, stride: float) -> Tensor:
    """Crop a map at every box to ``size`` x ``size`` cells.

    Args:
        features: (C, h, w) map of one image.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels of the image.
        size: side of the result in cells.
        stride: pixels per cell of ``features``.

    Returns:
        (N, C, size, size) of the features' dtype, channels last in memory.
    """
    channels, height, width = features.shape
    matrices = align_matrices(boxes, size, (height, width), stride)
    rows, columns = (matrix.to(features.dtype) for matrix in matrices)  # (N, s, h), (N, s, w)
    by_row = features.permute(1, 2, 0).reshape(height, width * channels)  # (h, w C)
    aligned = rows.reshape(-1, height) @ by_row  # (N s, w C)
    aligned = aligned.view(len(boxes), size, width, channels)
    return (columns[:, None] @ aligned).permute(0, 3, 1, 2)  # (N, s, s, C) in memory


def roi_align_each(maps: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop every region's own map at its own box, at stride 1.

    Args:
        maps: (N, H, W) at the resolution of the image, one map per region, or (1, H, W), one map for all.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels.
        size: side of the result in cells.

    Returns:
        (N, size, size) of the maps' dtype.
    """
    height, width = maps.shape[1:]
    rows, columns = (matrix.to(maps.dtype) for matrix in align_matrices(boxes, size, (height, width), 1))
    return rows @ maps @ columns.mT


def crop_each(maps: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop every region's own map at its own box, which may reach beyond the map; the result is 0 there.

    Args:
        maps: (N, H, W) at the resolution of the image, one map per region, or (1, H, W), one map for all.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels.
        size: side of the result in cells.

    Returns:
        (N, size, size) of the maps' dtype.
    """
    return roi_align_each(maps, boxes, size) * _on_map(boxes, size, maps.shape[1], maps.shape[2])


def crop(features: Tensor, boxes: Tensor, size: int) -> Tensor:
    """Crop a map at every box, which may reach beyond the map; the result is 0 there.

    It works channel by channel, for maps of few channels such as images: for crops of 512 x 512 ``roi_align`` would
    repeat its matrices, 671 MB per box.

    Args:
        features: (C, H, W) at the resolution of the image.
        boxes: (N, 4), (x0, y0, x1, y1) in pixels.
        size: side of the result in cells.

    Returns:
        (N, C, size, size) of the features' dtype.
    """
    height, width = features.shape[1:]
    rows, columns = (matrix.to(features.dtype) for matrix in align_matrices(boxes, size, (height, width), 1))
    return rows[:, None] @ features @ columns[:, None].mT * _on_map(boxes, size, height, width)[:, None]


def _on_map(boxes: Tensor, size: int, height: int, width: int) -> Tensor:
    """Return which cells (N, size, size) of boxes (N, 4) have their centre on the map of height x width pixels."""
    share = (torch.arange(size, device=boxes.device) + 0.5) / size
    centres = boxes[:, None, :2] + share[:, None] * (boxes[:, 2:] - boxes[:, :2])[:, None]  # (N, size, 2), x and y
    inside = (centres >= 0) & (centres < centres.new_tensor([width, height]))
    return inside[:, :, None, 1] & inside[:, None, :, 0]
