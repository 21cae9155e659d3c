"""The simulated annotator at work: rounds of scribbles against a model's predictions (paper, Sec. 4)."""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.simulation.allocation import allocate, spread
from fullseg.simulation.errors import ErrorRegion, error_regions
from fullseg.simulation.noise import Noise, disturb_points, disturb_scribble
from fullseg.simulation.scribbles import simulate_scribbles
from fullseg.types import Annotations, Scribble


class Round(NamedTuple):
    """The state of one image after a round of corrections."""

    annotations: Annotations  # all that the model has seen
    prediction: NDArray[np.int64]  # (H, W), region in [0, N) or VOID
    new_scribbles: list[Scribble]  # of this round; none in round 0


def interact(
    truth: NDArray[np.int64],
    extreme_points: NDArray[np.float32],
    predict: Callable[[Annotations, int], NDArray[np.int64]],
    *,
    strategy: str,
    rounds: int,
    noise: Noise,
    rng_of: Callable[[int], np.random.Generator],
) -> Iterator[Round]:
    """Annotate one image: extreme points first, then rounds of corrections, each of at most N scribbles.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        extreme_points: (N, 4, 2) float32, (x, y) in pixels, exact.
        predict: returns the region map (H, W) for annotations, and for the number of the round they are of.
        strategy: of ``allocate``.
        rounds: of scribbles, at least 0.
        noise: the annotator's imprecision.
        rng_of: returns the source of a round's randomness.

    Yields:
        The state after the extreme points (round 0) and after every round of scribbles.
    """
    # A stream of its own: the extreme points themselves were drawn from round 0's.
    points = disturb_points(extreme_points, truth.shape, noise, rng_of(0).spawn(1)[0])
    annotations = Annotations(points, [])
    prediction = predict(annotations, 0)
    yield Round(annotations, prediction, [])
    for number in range(1, rounds + 1):
        scribbles = correct(truth, prediction, len(points), strategy, noise, rng_of(number))
        if scribbles or number == 1:  # else nothing has changed; round 1 may be another model's than round 0
            annotations = Annotations(points, annotations.scribbles + scribbles)
            prediction = predict(annotations, number)
        yield Round(annotations, prediction, scribbles)


def correct(
    truth: NDArray[np.int64],
    prediction: NDArray[np.int64],
    num_regions: int,
    strategy: str,
    noise: Noise,
    rng: np.random.Generator,
) -> list[Scribble]:
    """Draw one round of scribbles: at most N, one for each error that the strategy chooses."""
    errors = allocate(error_regions(truth, prediction, num_regions), num_regions, strategy)
    scribbles = simulate_scribbles(truth, errors, rng)
    return [disturb_scribble(scribble, num_regions, truth.shape, noise, rng) for scribble in scribbles]


def training_scribbles(
    truth: NDArray[np.integer],
    prediction: NDArray[np.integer],
    num_regions: int,
    max_scribbles: int,
    rng: np.random.Generator,
) -> list[Scribble]:
    """Draw 0 to ``max_scribbles`` scribbles for every region, from one prediction (paper, Sec. 5.3).

    How far the image has been corrected is drawn first, so that the model sees images without any scribble, nearly
    finished ones, and all between. Then scribbles go to the largest errors of the whole image, or of every region.

    Args:
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        prediction: (H, W) int, of the counterpart or of the model itself.
        num_regions: N.
        max_scribbles: per region and per error.
        rng: source of all randomness.
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
