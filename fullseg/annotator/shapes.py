"""Which pixels a brush or a polygon covers, exactly: a pixel counts if its centre is inside."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]  # (K, 2), (x, y) in pixels, of which a thousandth counts


class Pixels(NamedTuple):
    """Some pixels of an image: a mask, and where it lies."""

    x0: int
    y0: int
    mask: NDArray[np.bool_]  # (h, w), of the pixels from (x0, y0) on

    @property
    def window(self) -> tuple[slice, slice]:
        """Rows and columns of the image in which the mask lies."""
        return slice(self.y0, self.y0 + self.mask.shape[0]), slice(self.x0, self.x0 + self.mask.shape[1])

    def of(self, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Return the mask (H, W) of an image of this size."""
        whole = np.zeros(size, bool)
        whole[self.window] = self.mask
        return whole


def brush_pixels(path: Points, width: float, size: tuple[int, int]) -> Pixels:
    """Return the pixels that a round brush covers on its way.

    Args:
        path: of the brush's centre, at least one point.
        width: of the brush in pixels.
        size: (H, W) of the image in pixels.

    Returns:
        The pixels whose centres are at most ``width / 2`` away from the path, and those under its points.
    """
    radius, path = width / 2, path.round(3)  # without tiny differences, by which nobody can divide
    pixels = _empty(path, radius + 1, size)
    rows, columns = np.arange(pixels.mask.shape[0], dtype=np.float64) + pixels.y0, pixels.mask.shape[1]
    for start in range(0, max(1, len(path) - 1), 256):  # a part of the path at a time: a large brush has many rows
        part = path[start : start + 257]
        left, right = _chords(part[:-1] if len(part) > 1 else part, part[1:] if len(part) > 1 else part, radius, rows)
        first = np.clip(np.ceil(left) - pixels.x0, 0, columns)
        last = np.clip(np.floor(right) + 1 - pixels.x0, first, columns)
        row, hit = np.broadcast_to(np.arange(len(rows)), left.shape), left <= right
        steps = np.zeros((len(rows), columns + 1), np.int64)
        np.add.at(steps, (row[hit], first[hit].astype(np.int64)), 1)
        np.add.at(steps, (row[hit], last[hit].astype(np.int64)), -1)
        pixels.mask[:] |= steps.cumsum(axis=1)[:, :-1] > 0
    under = np.floor(path + 0.5).astype(np.int64).clip(0, (size[1] - 1, size[0] - 1)) - (pixels.x0, pixels.y0)
    pixels.mask[under[:, 1], under[:, 0]] = True
    return pixels


def _chords(a: Points, b: Points, radius: float, rows: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Return from where to where the pixels of each row are near each segment; the first lies behind the last if none.

    A segment with all that is within the radius is convex, so there is at most one interval per row: the hull of the
    chords of the discs around both ends, and of the chord of the rectangle between them.

    Args:
        a: (K, 2), start of each segment.
        b: (K, 2), its end.
        radius: in pixels.
        rows: (R,), y of the rows.

    Returns:
        (K, R) leftmost and (K, R) rightmost x.
    """
    lefts, rights = [], []
    for end in (a, b):
        square = radius**2 - (rows - end[:, 1:]) ** 2
        half = np.where(square >= 0, np.sqrt(square.clip(min=0)), -np.inf)
        lefts.append(end[:, :1] - half)
        rights.append(end[:, :1] + half)
    low, high = _clip((b - a)[:, None, :], rows - a[:, 1:], np.linalg.norm(b - a, axis=1)[:, None], radius)
    lefts.append(np.where(low <= high, a[:, :1] + low, np.inf))
    rights.append(np.where(low <= high, a[:, :1] + high, -np.inf))
    return np.minimum.reduce(lefts), np.maximum.reduce(rights)


def _clip(
    along: NDArray[np.float64], dy: NDArray[np.float64], length: NDArray[np.float64], radius: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return from where to where, in x from a segment's start, rows are inside the rectangle around the segment.

    The rectangle is 0 <= x dx + y dy <= length^2 and |x dy - y dx| <= radius * length.
    """
    dx_, dy_ = np.broadcast_to(along[..., 0], dy.shape), np.broadcast_to(along[..., 1], dy.shape)
    low, high = np.full(dy.shape, -np.inf), np.full(dy.shape, np.inf)
    reach = radius * length
    for factor, least, most in ((dx_, -dy * dy_, length**2 - dy * dy_), (dy_, dy * dx_ - reach, dy * dx_ + reach)):
        with np.errstate(divide="ignore", invalid="ignore"):
            ends = np.stack([least / factor, most / factor])
        flat = factor == 0
        fits = (least <= 0) & (most >= 0)
        low = np.maximum(low, np.where(flat, np.where(fits, -np.inf, np.inf), ends.min(axis=0)))
        high = np.minimum(high, np.where(flat, np.where(fits, np.inf, -np.inf), ends.max(axis=0)))
    return np.where(length > 0, low, np.inf), np.where(length > 0, high, -np.inf)


def polygon_pixels(corners: Points, size: tuple[int, int]) -> Pixels:
    """Return the pixels inside a polygon: to the left of their centres an odd number of its edges crosses the row.

    Args:
        corners: at least three, in order.
        size: (H, W) of the image in pixels.
    """
    corners = corners.round(3)
    pixels = _empty(corners, 1, size)
    rows = np.arange(pixels.mask.shape[0]) + float(pixels.y0)
    crossings = np.zeros((len(rows), pixels.mask.shape[1] + 1), np.int64)
    for (x0, y0), (x1, y1) in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        hit = np.flatnonzero((rows >= min(y0, y1)) & (rows < max(y0, y1)))
        if len(hit):
            x = x0 + (rows[hit] - y0) * ((x1 - x0) / (y1 - y0))
            np.add.at(crossings, (hit, np.clip(np.ceil(x) - pixels.x0, 0, pixels.mask.shape[1]).astype(np.int64)), 1)
    pixels.mask[:] = crossings.cumsum(axis=1)[:, :-1] % 2 == 1
    return pixels


def _empty(points: Points, margin: float, size: tuple[int, int]) -> Pixels:
    """Return a mask without a pixel, around points and as much beside them, as far as the image of this size goes."""
    limits = np.array([size[1], size[0]])
    low = np.floor(points.min(axis=0) - margin).astype(np.int64).clip(0, limits - 1)
    high = np.ceil(points.max(axis=0) + margin).astype(np.int64).clip(low, limits - 1) + 1
    return Pixels(int(low[0]), int(low[1]), np.zeros((high[1] - low[1], high[0] - low[0]), bool))
