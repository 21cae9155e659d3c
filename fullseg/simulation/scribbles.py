"""The simulated annotator's scribbles (paper, Sec. 4): smooth strokes from correct pixels into an error region."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from fullseg.run_lengths import draw_pixels
from fullseg.simulation.errors import ErrorRegion
from fullseg.types import Scribble

TRIES = 10  # candidate curves per scribble, of which the longest good one is kept (paper, Sec. 4)
# Candidates are traced in three batches by falling upper bound of their length: the first, two more, and the rest. Most
# of the last batch cannot win and is skipped.
BATCH_EDGES = [1, 3]
SAMPLES_PER_PIXEL = 2  # along a curve: no pixel on its way is missed


def simulate_scribble(
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],  # noqa: ARG001  the error already has its border with correct pixels
    error: ErrorRegion,
    rng: np.random.Generator,
) -> Scribble:
    """Draw one scribble, as ``simulate_scribbles`` does.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        prediction: (H, W) int, region in [0, N) or VOID.
        error: one of ``error_regions(truth, prediction, num_regions)``.
        rng: source of all randomness.

    Returns:
        The scribble, of the error's true region.
    """
    [scribble] = simulate_scribbles(truth, [error], rng)
    return scribble


def simulate_scribbles(
    truth: NDArray[np.integer], errors: Sequence[ErrorRegion], rng: np.random.Generator
) -> list[Scribble]:
    """Draw one scribble per error region.

    The first control point is a random pixel on the error's border to the correctly labelled part of its true region,
    or of the whole error region if there is no such border. Two more are random pixels of the error region. A quadratic
    Bezier curve goes through the three. Of ten such curves the longest that stays within the true region is kept. If
    none does, the scribble is a dot on the first control point of the first curve.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        errors: E errors from one call of ``error_regions(truth, ...)``; an error may come several times.
        rng: source of all randomness.

    Returns:
        E scribbles, each of its error's true region. Their points are the pixels along the curve, in order, each a
        neighbour of the one before.

    Raises:
        ValueError: if the errors are from several calls of ``error_regions``.
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
    """Return the quadratic Bezier curves through points.

    Args:
        controls: (E, TRIES, 3, 2), (x, y) in pixels; a curve passes the second point half-way.

    Returns:
        (3, 2, E, TRIES), start, handle and end of the curves, each x and y; and the number of samples (E,) that the
        curves of an error need.
    """
    start, middle, end = np.moveaxis(controls.astype(np.float64), (2, 3), (0, 1))  # (2, E, TRIES) each
    handle = 2 * middle - (start + end) / 2
    # From t = 0 to 1 a curve moves at most at twice the longer side of its control polygon.
    sides = np.linalg.norm([handle - start, end - handle], axis=1)  # (2, E, TRIES)
    samples = np.ceil(SAMPLES_PER_PIXEL * 2 * sides.max(axis=(0, 2))).astype(np.int64) + 2
    return np.stack([start, handle, end]), samples


def _bounds(curves: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return upper bounds (...) in pixels of the lengths of the pixel paths along Bezier curves (3, 2, ...)."""
    start, handle, end = curves
    halves = (start + handle) / 2, (handle + end) / 2  # handles of the two halves of the curve
    polygon = np.stack([start, halves[0], (halves[0] + halves[1]) / 2, halves[1], end])
    # The control polygons of the halves bound the curve. A path moves along x, along y or diagonally, so sums over both
    # axes bound its length; 4 px more, because its pixels lie up to one pixel off the curve.
    bounds: NDArray[np.float64] = np.abs(np.diff(polygon, axis=0)).sum(axis=(0, 1)) + 4
    return bounds


def _pixels(curves: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sample Bezier curves (3, 2, C), each so often (C,); return the pixels (2, S), x and y, as whole numbers."""
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
    """Return per error the longest path, along one of its curves, that stays within the error's true region.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        regions: (E,), true regions of the errors.
        curves: (3, 2, E, TRIES), of ``_bezier_curves``.
        counts: (E,), number of samples of the curves of each error.

    Returns:
        E times the pixels (K, 2) of the path, (x, y), or None if no curve stays within the region.
    """
    paths: list[NDArray[np.float64] | None] = [None] * len(regions)
    best = [(-1.0, 0)] * len(regions)  # length of the best path, and minus its number: of equal ones the first wins
    bounds = _bounds(curves)  # (E, TRIES)
    order = np.argsort(-bounds, axis=1)
    for some in np.split(order, BATCH_EDGES, axis=1):
        longest = np.array([[length] for length, _ in best])
        errors, place = np.nonzero(np.take_along_axis(bounds, some, axis=1) >= longest)
        if len(errors) == 0:
            continue
        tries, ends = some[errors, place], np.cumsum(counts[errors])  # (C,), curves that may be longer
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
    """Follow C paths through the truth.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        regions: (C,), the region in which each path should stay.
        path: (2, S), x and y of the samples of all paths, one after another.
        starts: (C,), the first sample of each path.

    Returns:
        (C,) bool, whether each path stays within its region; (S,) bool, whether each sample is another pixel than the
        one before; (C,) float64, lengths in pixels.
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
