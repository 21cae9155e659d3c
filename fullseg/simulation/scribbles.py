"""The simulated annotator's scribbles (paper, Sec. 4): smooth strokes from what is right into what is wrong."""

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.errors import ErrorRegion
from fullseg.types import VOID, Scribble

TRIES = 10  # curves drawn, of which the longest good one is kept (paper, Sec. 4)
SAMPLES_PER_PIXEL = 2  # of a curve: no pixel on its way is stepped over
NEIGHBOURS = np.ones((3, 3), np.uint8)


def simulate_scribble(
    truth: NDArray[np.int64], prediction: NDArray[np.int64], error: ErrorRegion, rng: np.random.Generator
) -> Scribble:
    """Draw one scribble: ``simulate_scribbles`` for one error."""
    [scribble] = simulate_scribbles(truth, prediction, [error], rng)
    return scribble


def simulate_scribbles(
    truth: NDArray[np.int64], prediction: NDArray[np.int64], errors: Sequence[ErrorRegion], rng: np.random.Generator
) -> list[Scribble]:
    """Draw scribbles that show error regions to the regions that they belong to.

    The first control point lies on the error's border to the correctly labelled part of its true region (anywhere in
    the error region where there is no such border), two more anywhere in the error region; the stroke is a Bezier
    curve through the three. Of ten, the longest that stays within the true region is kept; if none does, the first of
    the first points is the scribble: a dot.

    Args:
        truth: (H, W) int, region in [0, N) or VOID.
        prediction: (H, W) int, likewise.
        errors: E of ``error_regions(truth, prediction, ...)``; the same may come several times.
        rng: source of all randomness.

    Returns:
        E scribbles, each of its error's region; the points are the pixels on its way, in order, each a neighbour of the
        last.
    """
    if not errors:
        return []
    draws = rng.random((len(errors), TRIES, 3))
    numbers = [_draw_pixels(truth, prediction, *each) for each in zip(errors, draws, strict=True)]
    x0, y0, x1, _ = np.array([error.box for error in errors]).T[..., None, None]  # (E, 1, 1) each
    y, x = np.divmod(numbers, x1 - x0)
    controls = np.stack([x + x0, y + y0], axis=-1)  # (E, TRIES, 3, 2)
    curves, counts = _bezier_curves(controls)
    surrounded = _surround(truth)
    scribbles = []
    for error, dot, curve, weights in zip(errors, controls[:, 0, 0], curves, _bernstein(counts), strict=True):
        path = _longest_within(surrounded, error.region, _pixels(curve, weights))
        points = dot[None] if path is None else path
        scribbles.append(Scribble(error.region, points.astype(np.float32)))
    return scribbles


def _draw_pixels(
    truth: NDArray[np.int64], prediction: NDArray[np.int64], error: ErrorRegion, draws: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Return the control points of an error's curves for draws (TRIES, 3): numbers of pixels in its box (TRIES, 3)."""
    x0, y0, x1, y1 = error.box
    top, left = min(y0, 1), min(x0, 1)  # one pixel around the box, where the image has one
    around = slice(y0 - top, y1 + 1), slice(x0 - left, x1 + 1)
    correct = (truth[around] == error.region) & (prediction[around] == error.region)
    near = cv2.dilate(correct.view(np.uint8), NEIGHBOURS).view(np.bool_)[top : top + y1 - y0, left : left + x1 - x0]
    pixels, border = np.flatnonzero(error.mask), np.flatnonzero(near & error.mask)
    chosen = pixels[(draws * len(pixels)).astype(np.int64)]
    if len(border):
        chosen[:, 0] = border[(draws[:, 0] * len(border)).astype(np.int64)]
    return chosen


def _bezier_curves(controls: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Turn points to pass through into quadratic Bezier curves.

    Args:
        controls: (E, TRIES, 3, 2), (x, y) in pixels; the second is passed half-way.

    Returns:
        (E, 3, 2, TRIES) start, handle and end of the curves, and the number of samples (E,) that each of an error's
        curves needs.
    """
    start, middle, end = np.moveaxis(controls.astype(np.float64), (2, 3), (0, 2))  # (E, 2, TRIES) each
    handle = 2 * middle - (start + end) / 2
    # A curve is at most as long as its control polygon, and moves at most at twice its longer side.
    sides = np.linalg.norm([handle - start, end - handle], axis=2)  # (2, E, TRIES)
    samples = np.ceil(SAMPLES_PER_PIXEL * 2 * sides.max(axis=(0, 2))).astype(np.int64) + 2
    return np.stack([start, handle, end], axis=1), samples


def _bernstein(counts: NDArray[np.int64]) -> list[NDArray[np.float64]]:
    """Return the weights (3, T) of start, handle and end at T evenly spaced samples of a curve, for every T."""
    last = (counts - 1).repeat(counts)
    ends = np.cumsum(counts)
    t = (np.arange(len(last)) - (ends - counts).repeat(counts)) * (1 / last)
    t[ends - 1] = 1  # exactly
    return np.split(np.stack([(1 - t) ** 2, 2 * t * (1 - t), t**2]), ends[:-1], axis=1)


def _pixels(curve: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the pixels (2, TRIES, T), whole numbers, of Bezier curves (3, 2, TRIES) at samples of weights (3, T)."""
    path = (curve[..., None] * weights[:, None, None]).sum(axis=0)
    path += 0.5
    pixels: NDArray[np.float64] = np.floor(path, out=path)
    return pixels


class _Surrounded(NamedTuple):
    """A truth within a margin that no curve leaves, so that looking a pixel up needs no test."""

    regions: NDArray[np.int32]  # ((H + 2 * margin) * (W + 2 * margin),), VOID in the margin
    stride: int  # of a row
    origin: int  # number of pixel (0, 0)


def _surround(truth: NDArray[np.int64]) -> _Surrounded:
    """Put a margin around a truth (H, W)."""
    # A parabola through three points, the second half-way, leaves their box by at most an eighth of its size.
    margin = max(truth.shape) // 8 + 1
    height, width = truth.shape
    regions = np.full((height + 2 * margin, width + 2 * margin), VOID, np.int32)
    regions[margin:-margin, margin:-margin] = truth
    return _Surrounded(regions.ravel(), regions.shape[1], margin * (regions.shape[1] + 1))


def _longest_within(truth: _Surrounded, region: int, paths: NDArray[np.float64]) -> NDArray[np.float64] | None:
    """Return the pixels (K, 2) of the longest of the paths (2, TRIES, T) that stay within a region, if any does."""
    numbers = paths[1] * truth.stride
    numbers += paths[0]
    numbers += truth.origin
    pixels = numbers.astype(np.int64)  # (TRIES, T)
    good = (truth.regions.take(pixels) == region).all(axis=1)
    if not good.any():
        return None
    steps = paths[:, good, 1:] - paths[:, good, :-1]
    steps *= steps
    lengths = np.sqrt(steps[0] + steps[1]).sum(axis=1)
    best = np.flatnonzero(good)[lengths.argmax()]
    moved = np.ones(pixels.shape[1], bool)
    moved[1:] = pixels[best, 1:] != pixels[best, :-1]
    return paths[:, best].T[moved]
