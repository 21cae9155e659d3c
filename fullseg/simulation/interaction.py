"""The simulated annotator at work: it corrects a model's predictions in rounds of scribbles (paper, Sec. 4)."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.allocation import allocate, spread
from fullseg.simulation.alone import ALONE, correct_alone
from fullseg.simulation.errors import ErrorRegion, error_regions
from fullseg.simulation.noise import NO_NOISE, Noise, disturb_points, disturb_scribble
from fullseg.simulation.scribbles import simulate_scribbles
from fullseg.types import Annotations, Scribble

LEAST_BUDGET = 0.25  # of N scribbles, in a round of training


class Habits(NamedTuple):
    """How the simulated annotator works on one image of training, in all of its rounds."""

    strategy: str  # ``per_region`` or ``free``, see ``allocate``
    noise: Noise


class Round(NamedTuple):
    """The state of one image after a round of scribbles."""

    annotations: Annotations  # all that were given until now
    prediction: NDArray[Any]  # from these annotations: (H, W) int64, region in [0, N) or VOID; ALONE: (N, H, W) bool
    new_scribbles: list[Scribble]  # of this round; none in round 0; of a person's scribbles those that met an error
    errors: list[ErrorRegion]  # of the prediction before: the one that each new scribble was drawn for


def interact(
    truth: NDArray[np.int64],
    extreme_points: NDArray[np.float32],
    predict: Callable[[Annotations, int], NDArray[Any]],
    *,
    strategy: str,
    rounds: int,
    noise: Noise,
    rng_of: Callable[[int], np.random.Generator],
) -> Iterator[Round]:
    """Annotate one image: extreme points first, then rounds of at most N scribbles each.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        extreme_points: (N, 4, 2) float32, (x, y) in pixels, without noise.
        predict: returns the region map (H, W) for annotations and the number of their round; with ``alone`` the masks
            (N, H, W) bool, which may overlap.
        strategy: ``per_region`` or ``free``, see ``allocate``; or ``alone``, see ``correct_alone``.
        rounds: number of rounds of scribbles, at least 0.
        noise: how imprecise the annotator is.
        rng_of: returns the source of randomness for the round with this number.

    Yields:
        The state after the extreme points (round 0) and after every round of scribbles.
    """
    # Noise has its own stream of random numbers: the extreme points were drawn from the stream of round 0.
    points = disturb_points(extreme_points, truth.shape, noise, rng_of(0).spawn(1)[0])
    annotations = Annotations(points, [])
    prediction = predict(annotations, 0)
    yield Round(annotations, prediction, [], [])
    for number in range(1, rounds + 1):
        scribbles, errors = correct(truth, prediction, len(points), strategy, noise, rng_of(number))
        if scribbles or number == 1:  # otherwise nothing has changed, except that round 1 may ask another model
            annotations = Annotations(points, annotations.scribbles + scribbles)
            prediction = predict(annotations, number)
        yield Round(annotations, prediction, scribbles, errors)


def correct(
    truth: NDArray[np.integer],
    prediction: NDArray[Any],
    num_regions: int,
    strategy: str,
    noise: Noise,
    rng: np.random.Generator,
    *,
    most: int | None = None,
) -> tuple[list[Scribble], list[ErrorRegion]]:
    """Draw one round of scribbles: at most N, one per error that the strategy chooses; arguments as in ``interact``.

    With ``most`` only so many of these errors get one, the most important ones; not with ``alone``.

    Returns:
        The scribbles, and the error that each was drawn for, even if noise has moved the scribble elsewhere.
    """
    if strategy == ALONE:
        scribbles, errors = correct_alone(truth, prediction, rng)
    else:
        errors = allocate(error_regions(truth, prediction, num_regions), num_regions, strategy)[:most]
        scribbles = simulate_scribbles(truth, errors, rng)
    return [disturb_scribble(scribble, num_regions, truth.shape, noise, rng) for scribble in scribbles], errors


def draw_habits(short: float, rng: np.random.Generator) -> Habits:
    """Draw an annotator for one image of training.

    Args:
        short: in [0, 1]. Half of the annotators cut off the ends of their scribbles, up to this part of their points.
        rng: source of all randomness.
    """
    free, cuts = rng.random(2) < 0.5
    return Habits("free" if free else "per_region", NO_NOISE._replace(scribble_short=short if cuts else 0))


def training_round(
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],
    num_regions: int,
    habits: Habits,
    rng: np.random.Generator,
) -> list[Scribble]:
    """Draw one round of scribbles for training, on the most important errors: a random number from N / 4 to N.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        prediction: (H, W) int, of the model in training from the annotations so far.
        num_regions: N.
        habits: of the annotator.
        rng: source of all randomness.

    Returns:
        The scribbles of this round: none if nothing is wrong, else at least one.
    """
    budget = max(1, round(rng.uniform(LEAST_BUDGET, 1) * num_regions))
    scribbles, _ = correct(truth, prediction, num_regions, habits.strategy, habits.noise, rng, most=budget)
    return scribbles


def training_scribbles(
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],
    num_regions: int,
    max_scribbles: int,
    rng: np.random.Generator,
) -> list[Scribble]:
    """Draw scribbles for training, from one prediction: 0 to ``max_scribbles`` per region on average (Sec. 5.3).

    A random number says how far the image has been corrected, so that the model sees images without any scribble,
    nearly finished ones, and all between. Another one says whether the scribbles go to the largest errors of the whole
    image or of every region by itself.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        prediction: (H, W) int, of the counterpart or of the model itself.
        num_regions: N.
        max_scribbles: largest number per error, and per region on average.
        rng: source of all randomness.

    Returns:
        The scribbles; a region may have none.
    """
    errors = error_regions(truth, prediction, num_regions)
    corrected, free = rng.random(), rng.random() < 0.5
    if free:
        chosen = spread(errors, round(corrected * max_scribbles * num_regions), max_scribbles)
    else:
        counts = rng.binomial(max_scribbles, corrected, size=num_regions)
        own: list[list[ErrorRegion]] = [[] for _ in range(num_regions)]
        for error in errors:
            own[error.region].append(error)
        chosen = [e for mine, count in zip(own, counts.tolist(), strict=True) for e in spread(mine, count, count)]
    return simulate_scribbles(truth, chosen, rng)
