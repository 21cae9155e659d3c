"""The simulated annotator's scribbles (paper, Sec. 4): smooth strokes from what is right into what is wrong."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.errors import ErrorRegion
from fullseg.simulation.run_lengths import draw_pixels
from fullseg.types import Scribble

TRIES = 10  # curves drawn, of which the longest good one is kept (paper, Sec. 4)
WAVES = [1, 3]  # looked at first: the one that may be longest, then two more; few of the others may still be longer
SAMPLES_PER_PIXEL = 2  # of a curve: no pixel on its way is stepped over


def simulate_scribble(
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],  # noqa: ARG001  what an error needs of it, its border, the error has
    error: ErrorRegion,
    rng: np.random.Generator,
) -> Scribble:
    """Draw one scribble: ``simulate_scribbles`` for one error of ``error_regions(truth, prediction, ...)``."""
    [scribble] = simulate_scribbles(truth, [error], rng)
    return scribble


def simulate_scribbles(
    truth: NDArray[np.integer], errors: Sequence[ErrorRegion], rng: np.random.Generator
) -> list[Scribble]:
    """Draw scribbles that show error regions to the regions that they belong to.

    The first control point lies on the error's border to the correctly labelled part of its true region (anywhere in
    the error region where there is no such border), two more anywhere in the error region; the stroke is a Bezier
    curve through the three. Of ten, the longest that stays within the true region is kept; if none does, the first of
    the first points is the scribble: a dot.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        errors: E of one ``error_regions(truth, ...)``; the same may come several times.
        rng: source of all randomness.

    Returns:
        E scribbles, each of its error's region; the points are the pixels on its way, in order, each a neighbour of the
        last.

    Raises:
        ValueError: for errors of several calls of ``error_regions``.
    """
    if not errors:
        return []
    if any(error.pixels is not errors[0].pixels for error in errors):
        raise ValueError("errors of more than one call of error_regions")
    draws = rng.random((len(errors), TRIES, 3))
    numbers, pixels = np.array([error.number for error in errors]), errors[0].pixels
    controls = draw_pixels(pixels.all, numbers, draws)  # (E, TRIES, 3, 2)
    touches = np.isin(numbers, pixels.border.value)
    controls[touches, :, 0] = draw_pixels(pixels.border, numbers[touches], draws[touches, :, 0])
    paths = _longest_within(truth, np.array([error.region for error in errors]), *_bezier_curves(controls))
    return [
        Scribble(error.region, (dot[None] if path is None else path).astype(np.float32))
        for error, dot, path in zip(errors, controls[:, 0, 0], paths, strict=True)
    ]


def _bezier_curves(controls: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Turn points to pass through into quadratic Bezier curves.

    Args:
        controls: (E, TRIES, 3, 2), (x, y) in pixels; the second is passed half-way.

    Returns:
        (3, 2, E, TRIES) start, handle and end of the curves, and the number of samples (E,) that each of an error's
        curves needs.
    """
    start, middle, end = np.moveaxis(controls.astype(np.float64), (2, 3), (0, 1))  # (2, E, TRIES) each
    handle = 2 * middle - (start + end) / 2
    # A curve is at most as long as its control polygon, and moves at most at twice its longer side.
    sides = np.linalg.norm([handle - start, end - handle], axis=1)  # (2, E, TRIES)
    samples = np.ceil(SAMPLES_PER_PIXEL * 2 * sides.max(axis=(0, 2))).astype(np.int64) + 2
    return np.stack([start, handle, end]), samples


def _bounds(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what no pixel path of Bezier curves (3, 2, ...) is longer than, (...) in pixels."""
    start, handle, end = curves
    halves = (start + handle) / 2, (handle + end) / 2  # of the curve; their control polygons are longer than they
    polygon = np.stack([start, halves[0], (halves[0] + halves[1]) / 2, halves[1], end])
    # A path goes from pixel to pixel in steps along x, y or both, and ends and turns up to a pixel off the curve.
    bounds: NDArray[np.float64] = np.abs(np.diff(polygon, axis=0)).sum(axis=(0, 1)) + 4
    return bounds


def _pixels(curves: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the pixels (2, S), whole numbers, of Bezier curves (3, 2, C), at each one's number of samples (C,)."""
    ends = np.cumsum(counts)
    t = (np.arange(ends[-1]) - (ends - counts).repeat(counts)) * (1 / (counts - 1)).repeat(counts)
    t[ends - 1] = 1  # exactly
    start, handle, end = curves.repeat(counts, axis=2)  # (2, S) each
    path = start * (1 - t) ** 2 + handle * (2 * t * (1 - t)) + end * t**2
    path += 0.5
    pixels: NDArray[np.float64] = np.floor(path, out=path)
    return pixels


def _longest_within(
    truth: NDArray[np.integer], regions: NDArray[np.int64], curves: NDArray[np.float64], counts: NDArray[np.int64]
) -> list[NDArray[np.float64] | None]:
    """Return, of every error's curves, the pixels (K, 2) of the longest that stays within its region, if any does.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        regions: (E,) of the errors.
        curves: (3, 2, E, TRIES).
        counts: (E,) samples of each of an error's curves.
    """
    paths: list[NDArray[np.float64] | None] = [None] * len(regions)
    best = [(-1.0, 0)] * len(regions)  # length of the path, and minus the number of its curve: of equals, the first
    bounds = _bounds(curves)  # (E, TRIES)
    order = np.argsort(-bounds, axis=1)
    for some in np.split(order, WAVES, axis=1):
        longest = np.array([[length] for length, _ in best])
        errors, place = np.nonzero(np.take_along_axis(bounds, some, axis=1) >= longest)
        if len(errors) == 0:
            continue
        tries, ends = some[errors, place], np.cumsum(counts[errors])  # (C,) curves that may be longer
        path = _pixels(curves[:, :, errors, tries], counts[errors])
        good, moved, lengths = _follow(truth, regions[errors], path, ends - counts[errors])
        columns = (errors[good], tries[good], lengths[good], (ends - counts[errors])[good], ends[good])
        for error, number, length, start, end in zip(*(column.tolist() for column in columns), strict=True):
            if (length, -number) > best[error]:
                best[error] = length, -number
                paths[error] = path[:, start:end].T[moved[start:end]]
    return paths


def _follow(
    truth: NDArray[np.integer], regions: NDArray[np.int64], path: NDArray[np.float64], starts: NDArray[np.int64]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float64]]:
    """Return whether paths stay within their regions (C,), whether each sample (S,) is a new pixel, and lengths (C,).

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        regions: (C,) of the paths.
        path: (2, S) pixels of all, one after another.
        starts: (C,) where each one starts.
    """
    x, y = path.astype(np.int64)
    height, width = truth.shape
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    own = regions.repeat(np.diff(starts, append=len(x)))
    good = np.logical_and.reduceat(inside & (truth.take(y * width + x, mode="clip") == own), starts)
    steps = np.diff(path, axis=1, prepend=0)
    steps[:, starts] = 0
    squares = steps[0] ** 2 + steps[1] ** 2
    moved = squares > 0
    moved[starts] = True
    return good, moved, np.add.reduceat(np.sqrt(squares), starts)
