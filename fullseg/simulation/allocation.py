"""Which errors get the scribbles of a round (paper, Sec. 4 and 5.3)."""

import heapq
from collections.abc import Callable, Sequence

from fullseg.simulation.errors import ErrorRegion


def allocate(errors: Sequence[ErrorRegion], num_regions: int, strategy: str) -> list[ErrorRegion]:
    """Choose the errors that get one scribble each in a round of at most N scribbles.

    Args:
        errors: of ``error_regions``, by falling importance.
        num_regions: N.
        strategy: ``per_region``, the most important error of every region that has one; or ``free``, the N most
            important errors of the whole image.

    Returns:
        At most N errors, by falling importance.

    Raises:
        ValueError: if the strategy does not exist.
    """
    if strategy not in ALLOCATIONS:
        raise ValueError(f"strategy={strategy!r}: choose one of {', '.join(ALLOCATIONS)}")
    return ALLOCATIONS[strategy](errors, num_regions)


def _free(errors: Sequence[ErrorRegion], num_regions: int) -> list[ErrorRegion]:
    return list(errors[:num_regions])


def _per_region(errors: Sequence[ErrorRegion], num_regions: int) -> list[ErrorRegion]:  # noqa: ARG001
    first: dict[int, ErrorRegion] = {}
    for error in errors:
        first.setdefault(error.region, error)
    return list(first.values())


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
