"""Finds the options with which the simulated annotator works as people did.

A stroke depends on the error that it is drawn for. So each stroke of a person is compared with scribbles that are
simulated for the same error, and not with others.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, nnls
from scipy.stats import norm, spearmanr, wasserstein_distance

from fullseg.annotator.actions import Scribbles
from fullseg.data.progress import with_progress
from fullseg.journals.courses import Course
from fullseg.journals.strokes import Facts, Seen, disturbed, every_stroke, facts, see, simulated, those_that_meet
from fullseg.journals.times import times
from fullseg.model.predictor import Predictor
from fullseg.simulation.noise import NO_NOISE, Noise
from fullseg.simulation.randomness import EVALUATION, seeded
from fullseg.simulation.seconds import Seconds
from fullseg.types import Scribble

DOT = 3.0  # px: a shorter stroke is a dot
OFFSETS = (0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0)  # px: shifts of scribbles that are tried
FEWEST = 20  # strokes, and extreme points, from which anything can be said
SIDES = ((0, -1), (1, -1), (0, 1), (1, 1))  # of left, top, right and bottom: axis, and direction outwards


class Calibration(NamedTuple):
    """How people annotated, as options of the simulated annotator, and what these follow from."""

    noise: Noise
    seconds: Seconds
    short: float  # the option ``scribbles.short`` of training
    point_errors: NDArray[np.float64]  # (P,), of extreme points in pixels, positive outwards
    real: Facts  # of people's strokes
    plain: Facts  # of the simulated annotator's without noise, for the same errors
    fitted: Facts  # of the simulated annotator's with ``noise``, as far as they meet their error, as the real ones do
    importance: NDArray[np.float64]  # (S,), see ``Seen``
    same_region: float  # part of the strokes of the same region as the stroke before
    largest_first: float  # rank correlation of a region's area with its place in the order of marking, from -1 to 1
    stroke_lengths: NDArray[np.float64]  # (T,) in pixels, of all strokes that were drawn one by one
    stroke_seconds: NDArray[np.float64]  # (T,), of the same

    def options(self) -> dict[str, dict[str, Any]]:
        """Return the options of an experiment."""
        noise = {name: round(value, 3) for name, value in self.noise._asdict().items()}
        seconds = {name: round(value, 4) for name, value in self.seconds._asdict().items()}
        return {"scribbles": {"short": round(self.short, 2)}, "study": {"noise": noise, "seconds": seconds}}


def calibrate(courses: Sequence[Course], predictor: Predictor, seed: int) -> Calibration:
    """Compare people's strokes with simulated ones.

    Args:
        courses: of finished images.
        predictor: the model that the people corrected.
        seed: of the simulated annotator.

    Raises:
        ValueError: if there are fewer than ``FEWEST`` strokes that meet an error.
    """
    seen = [see(course, predictor) for course in with_progress(courses, "strokes", len(courses))]
    strokes = sum(len(one.strokes) for one in seen)
    if strokes < FEWEST:
        raise ValueError(f"{strokes} strokes meet an error of their region, at least {FEWEST} are needed")
    draws = [list(simulated(one, seed, index)) for index, one in enumerate(seen)]
    real = Facts.joined([facts(one.strokes, one.ground) for one in seen])
    every = Facts.joined([facts(every_stroke(course), one.ground) for course, one in zip(courses, seen, strict=True)])
    plain = _facts_of(seen, draws, NO_NOISE, seed)
    errors = point_errors(courses)
    noise = NO_NOISE._replace(points=spread_outwards(errors), scribble_dot=_dots(every, plain))
    median, spread = ends_of_strokes(real.length[real.length >= DOT], plain.length[plain.length >= DOT])
    noise = noise._replace(scribble_length=median, scribble_spread=spread)
    noise = noise._replace(scribble_offset=_offset(real, seen, draws, noise, seed))
    noise = noise._replace(scribble_misplaced=_misplaced(every, _facts_of(seen, draws, noise, seed)))
    lengths, seconds = _single_strokes(courses)
    return Calibration(
        noise=noise,
        seconds=_seconds(lengths, seconds, times(courses).per_region),
        short=_short(real, plain),
        point_errors=errors,
        real=real,
        plain=plain,
        fitted=_facts_of(seen, draws, noise._replace(scribble_misplaced=0), seed, met=True),
        importance=np.concatenate([one.importance for one in seen]),
        same_region=float(np.concatenate([one.again for one in seen]).mean()),
        largest_first=_largest_first(courses),
        stroke_lengths=lengths,
        stroke_seconds=seconds,
    )


def point_errors(courses: Sequence[Course]) -> NDArray[np.float64]:
    """Return how far extreme points lie outside of their finished regions in pixels; negative: inside.

    Points where the region ends at the image's border are left out: there nobody can click outside.
    """
    found = []
    for course in courses:
        points = course.work.annotations().extreme_points
        height, width = course.truth.shape
        for region, quad in enumerate(points):
            rows, columns = np.nonzero(course.truth == region)
            if len(rows) == 0:
                continue
            ends = (columns.min(), rows.min(), columns.max(), rows.max())
            borders = (0, 0, width - 1, height - 1)
            found += [
                sign * float(quad[side][axis] - end)
                for side, ((axis, sign), end, border) in enumerate(zip(SIDES, ends, borders, strict=True))
                if end != border
            ]
    return np.array(found, np.float64)


def spread_outwards(errors: NDArray[np.float64]) -> float:
    """Return the standard deviation of extreme points, from those that lie outside of their finished regions.

    A finished region seldom reaches beyond its extreme points, which limit its box. So a point that lies too far inside
    cannot be told from an exact one. Errors to both sides are taken to be equally likely and normal. The median is used
    because single regions may be far off for other reasons.
    """
    outside = errors[errors > 0]
    if len(errors) < FEWEST or len(outside) < len(errors) / 20:
        return 0.0
    return float(np.median(outside) / norm.ppf(0.75))


def _facts_of(
    seen: Sequence[Seen], draws: Sequence[list[list[Scribble]]], noise: Noise, seed: int, *, met: bool = False
) -> Facts:
    """Return the facts about simulated strokes with some noise; with ``met`` of those that still meet their error."""
    parts = []
    for index, (one, every) in enumerate(zip(seen, draws, strict=True)):
        rng = seeded(seed, EVALUATION, 3, index, 0)  # the same for any noise, so that facts change smoothly with it
        for strokes in every:
            drawn = disturbed(strokes, one, noise, rng)
            parts.append(facts(those_that_meet(drawn, one) if met else drawn, one.ground))
    return Facts.joined(parts)


def _dots(every: Facts, plain: Facts) -> float:
    """Return the probability of a dot where a longer stroke was possible."""
    dots, natural = float(np.mean(every.length < DOT)), float(np.mean(plain.length < DOT))
    return max(0.0, (dots - natural) / max(1e-9, 1 - natural))


def ends_of_strokes(real: NDArray[np.float64], possible: NDArray[np.float64]) -> tuple[float, float]:
    """Find the log-normal distribution of the lengths at which people end their strokes.

    A stroke is as long as its error allows, but at most as long as a number drawn from this distribution. The
    distribution is chosen so that the lengths which follow are nearest to the real ones (Wasserstein distance of
    their logarithms).

    Args:
        real: (S,) lengths in pixels.
        possible: (D,) lengths that the same errors allow.

    Returns:
        Median in pixels and standard deviation of the natural logarithm; 0, 0 if strokes end at their errors only.
    """
    if len(real) == 0 or len(possible) == 0:
        return 0.0, 0.0
    wanted, allowed = np.log(real), np.log(possible)
    quantiles = norm.ppf((np.random.default_rng(0).permutation(len(allowed)) + 0.5) / len(allowed))

    def distance(parameters: NDArray[np.float64]) -> float:
        ends = parameters[0] + np.exp(parameters[1]) * quantiles
        return float(wasserstein_distance(np.minimum(allowed, ends), wanted))

    starts = [(np.quantile(wanted, q), np.log(s)) for q in (0.5, 0.75) for s in (0.2, 0.6)]
    best = min((minimize(distance, start, method="Nelder-Mead") for start in starts), key=lambda found: found.fun)
    unlimited = float(wasserstein_distance(allowed, wanted))
    if best.fun > 0.9 * unlimited or best.x[0] > allowed.max():
        return 0.0, 0.0
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))


def _offset(real: Facts, seen: Sequence[Seen], draws: Sequence[list[list[Scribble]]], noise: Noise, seed: int) -> float:
    """Return the shift of strokes at which simulated ones lie as far outside of their regions as the real ones."""

    def outside(found: Facts) -> float:
        return float(found.outside[~found.elsewhere].mean())

    noises = [noise._replace(scribble_offset=offset) for offset in OFFSETS]
    tried = [outside(_facts_of(seen, draws, one, seed, met=True)) for one in noises]
    return float(np.interp(outside(real), np.maximum.accumulate(tried), OFFSETS))


def _misplaced(every: Facts, placed: Facts) -> float:
    """Return the part of strokes that were given to a wrong region, beyond those that noise moves to another one."""
    there, natural = float(every.elsewhere.mean()), float(placed.elsewhere.mean())
    return max(0.0, (there - natural) / max(1e-9, 1 - natural))


def _short(real: Facts, plain: Facts) -> float:
    """Return how much of their length strokes lose at most, if the part they lose is drawn evenly from 0 on."""
    lost = 1 - float(real.length.mean()) / max(1e-9, float(plain.length.mean()))
    return float(np.clip(2 * lost, 0, 1))


def _seconds(lengths: NDArray[np.float64], seconds: NDArray[np.float64], per_region: float) -> Seconds:
    """Find the times of the simulated annotator from the lengths and times (T,) of strokes."""
    if len(lengths) == 0:
        return Seconds(per_region)
    (scribble, pixel), _ = nnls(np.stack([np.ones(len(lengths)), lengths], axis=1), seconds)
    expected = np.maximum(scribble + pixel * lengths, 1e-3)
    hesitation = float(np.std(np.log(np.maximum(seconds, 1e-3) / expected)))
    return Seconds(per_region, float(scribble), float(pixel), hesitation)


def _single_strokes(courses: Sequence[Course]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return lengths and times (T,) of all strokes that were drawn one by one, undone ones included."""
    lengths, seconds = [], []
    for course in courses:
        for entry in course.entries:
            if isinstance(entry.action, Scribbles) and len(entry.action.strokes) == 1:
                path = np.array(entry.action.strokes[0].points, np.float64)
                lengths.append(float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum()))
                seconds.append(entry.seconds)
    return np.array(lengths, np.float64), np.array(seconds, np.float64)


def _largest_first(courses: Sequence[Course]) -> float:
    """Return the mean rank correlation, over the images, of -area with the order in which regions were marked."""
    found = []
    for course in courses:
        areas = np.bincount(course.truth[course.truth >= 0], minlength=len(course.work.regions))
        order = np.argsort([region.id for region in course.work.regions])
        if len(set(areas.tolist())) > 1:
            found.append(float(spearmanr(np.arange(len(order)), -areas[order]).statistic))
    return float(np.mean(found)) if found else 0.0
