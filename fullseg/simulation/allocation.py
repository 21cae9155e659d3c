"""Which errors get the scribbles of a round (paper, Sec. 4 and 5.3)."""

import heapq
from collections.abc import Callable, Sequence

from fullseg.simulation.errors import ErrorRegion


def allocate(errors: Sequence[ErrorRegion], num_regions: int, strategy: str) -> list[ErrorRegion]:
    """Choose the errors that get one scribble each in a round of at most N scribbles.

    Args:
        errors: of ``error_regions``, by falling importance.
        num_regions: N.
        strategy: ``per_region``, one error of every region that is wrong somewhere; or ``free``, the N most important
            errors of the whole image.

    Returns:
        At most N errors, by falling importance. With ``per_region`` an error may come several times.

    Raises:
        ValueError: if the strategy does not exist.
    """
    if strategy not in ALLOCATIONS:
        raise ValueError(f"strategy={strategy!r}: choose one of {', '.join(ALLOCATIONS)}")
    return ALLOCATIONS[strategy](errors, num_regions)


def _free(errors: Sequence[ErrorRegion], num_regions: int) -> list[ErrorRegion]:
    return list(errors[:num_regions])


def _per_region(errors: Sequence[ErrorRegion], num_regions: int) -> list[ErrorRegion]:
    """Return one error for every region that is wrong somewhere (paper, Fig. 5: one scribble per region and round).

    A region that lacks pixels gets its most important error. A region that only has too many pixels gets the error that
    gave it most of them. The scribble is then one of that error's true region, whose pixels they are. Errors that have
    no scribble yet come first. So a region gets no scribble only if it is perfect, or if what it has too much is
    BACKGROUND, which no scribble can say.
    """
    first: dict[int, ErrorRegion] = {}
    for error in errors:
        first.setdefault(error.region, error)
    chosen = list(first.values())
    for region in range(num_regions):
        if errors and region not in first and errors[0].pixels.given[:, region].any():
            chosen.append(_largest_false_positive(errors, region, {error.number for error in chosen}))
    return sorted(chosen, key=lambda error: -error.gain)


def _largest_false_positive(errors: Sequence[ErrorRegion], region: int, scribbled: set[int]) -> ErrorRegion:
    """Return the error that gave a region most pixels, of those without a scribble if there are any."""
    given = errors[0].pixels.given[:, region].tolist()
    return max(errors, key=lambda error: (given[error.number] > 0, error.number not in scribbled, given[error.number]))


ALLOCATIONS: dict[str, Callable[[Sequence[ErrorRegion], int], list[ErrorRegion]]] = {
    "per_region": _per_region,
    "free": _free,
}


def spread(errors: Sequence[ErrorRegion], count: int, most: int) -> list[ErrorRegion]:
    """Choose the errors for the scribbles of several rounds at once, from one prediction: training has no more.

    The next scribble always goes to the most important error, whose importance it halves. A large error therefore gets
    several scribbles before a tiny one gets its first.

    Args:
        errors: of ``error_regions``, by falling importance.
        count: number of scribbles in all.
        most: largest number of scribbles for one error.

    Returns:
        At most ``count`` errors, one per scribble; an error may come several times.
    """
    queue = [(-error.gain, number, 0) for number, error in enumerate(errors)]  # a heap, as gains fall
    chosen: list[ErrorRegion] = []
    while queue and len(chosen) < count:
        gain, number, scribbles = queue[0]
        chosen.append(errors[number])
        if scribbles + 1 < most:
            heapq.heapreplace(queue, (gain / 2, number, scribbles + 1))
        else:
            heapq.heappop(queue)
    return chosen
