"""The simulated annotator's scribbles (paper, Sec. 4): smooth strokes from what is right into what is wrong."""

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.errors import ErrorRegion
from fullseg.types import Scribble

TRIES = 10  # curves drawn, of which the longest good one is kept (paper, Sec. 4)
SAMPLES_PER_PIXEL = 2  # of a curve: no pixel on its way is stepped over


def simulate_scribble(
    truth: NDArray[np.int64], prediction: NDArray[np.int64], error: ErrorRegion, rng: np.random.Generator
) -> Scribble:
    """Draw one scribble that shows an error region to the region that it belongs to.

    The first control point lies on the error's border to the correctly labelled part of its true region (anywhere in
    the error region where there is no such border), two more anywhere in the error region; the stroke is a Bezier
    curve through the three. Of ten, the longest that stays within the true region is kept; if none does, the first of
    the first points is the scribble: a dot.

    Args:
        truth: (H, W) int, region in [0, N) or VOID.
        prediction: (H, W) int, likewise.
        error: of ``error_regions(truth, prediction, ...)``.
        rng: source of all randomness.

    Returns:
        Scribble of ``error.region``; its points are the pixels on its way, in order, each a neighbour of the last.
    """
    x0, y0 = error.box[:2]
    rows, columns = np.nonzero(error.mask)
    pixels = np.stack([columns + x0, rows + y0], axis=1)  # (P, 2)
    border = _border(truth, prediction, error)[error.mask]
    first = pixels[border] if border.any() else pixels
    draws = rng.random((TRIES, 3))
    controls = np.stack(
        [source[(draws[:, k] * len(source)).astype(np.int64)] for k, source in enumerate((first, pixels, pixels))],
        axis=1,
    )  # (TRIES, 3, 2)
    paths = np.floor(_bezier(controls) + 0.5).astype(np.int64)  # (TRIES, T, 2) pixels
    x, y = paths[..., 0], paths[..., 1]
    height, width = truth.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    within = truth[y.clip(0, height - 1), x.clip(0, width - 1)] == error.region
    good = (inside & within).all(axis=1)
    if not good.any():
        return Scribble(error.region, controls[0, :1].astype(np.float32))
    lengths = np.linalg.norm(np.diff(paths, axis=1), axis=2).sum(axis=1)
    path = paths[np.where(good, lengths, -1).argmax()]
    moved = np.concatenate([[True], (path[1:] != path[:-1]).any(axis=1)])
    return Scribble(error.region, path[moved].astype(np.float32))


def _border(truth: NDArray[np.int64], prediction: NDArray[np.int64], error: ErrorRegion) -> NDArray[np.bool_]:
    """Return, in the error's box, the pixels next to (8 neighbours) a correctly labelled pixel of its true region."""
    x0, y0, x1, y1 = error.box
    top, left = min(y0, 1), min(x0, 1)  # one pixel around the box, where the image has one
    around = slice(y0 - top, y1 + 1), slice(x0 - left, x1 + 1)
    correct = (truth[around] == error.region) & (prediction[around] == error.region)
    near = cv2.dilate(correct.view(np.uint8), np.ones((3, 3), np.uint8))
    border: NDArray[np.bool_] = near[top : top + y1 - y0, left : left + x1 - x0] > 0
    return border


def _bezier(controls: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sample quadratic Bezier curves (K, T, 2) that pass through three points each (K, 3, 2), the second half-way."""
    start, middle, end = controls.astype(np.float64).swapaxes(0, 1)  # (K, 2) each
    handle = 2 * middle - (start + end) / 2
    # A curve is at most as long as its control polygon, and moves at most at twice its longer side.
    speed = 2 * max(np.linalg.norm(handle - start, axis=1).max(), np.linalg.norm(end - handle, axis=1).max())
    t = np.linspace(0, 1, int(np.ceil(SAMPLES_PER_PIXEL * speed)) + 2)[:, None]
    curve: NDArray[np.float64] = (
        start[:, None] * (1 - t) ** 2 + handle[:, None] * (2 * t * (1 - t)) + end[:, None] * t**2
    )
    return curve
