"""Compares strategies at equal numbers of scribbles per region.

After the same number of rounds they have given different numbers of scribbles: a region that needs none gets none. So
the curves are read between the rounds, by linear interpolation, and no further than every strategy reaches.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fullseg.metrics.interaction import area_under_curve

LEAST_GAP = 0.05  # scribbles per region: a last number that is closer to a whole one is rounded to it


def common_scribbles(strategies: Iterable[Mapping[str, Any]]) -> float:
    """Return the largest number of scribbles per region that all strategies reach.

    Args:
        strategies: entries of ``study.json``, at least one.
    """
    return float(min(strategy["scribbles_per_region"][-1] for strategy in strategies))


def numbers_up_to(common: float) -> list[float]:
    """Return the whole numbers of scribbles per region up to ``common``, and ``common`` itself if it is between two."""
    whole = [float(number) for number in range(int(common) + 1)]
    return whole if common - whole[-1] < LEAST_GAP else [*whole, common]


def value_at(strategy: Mapping[str, Any], curve: str | Sequence[float | None], number: float) -> float | None:
    """Return the value of a curve at a number of scribbles per region.

    Args:
        strategy: its entry in ``study.json``.
        curve: a key of this entry, or a list of R + 1 values, one per round.
        number: of scribbles per region.

    Returns:
        The value, interpolated between the rounds; None if the strategy does not reach this number, or does not know
        this curve there.
    """
    values = strategy.get(curve) if isinstance(curve, str) else curve
    x = strategy["scribbles_per_region"]
    if values is None or number > x[-1]:
        return None
    value = float(np.interp(number, x, np.array(values, float)))
    return None if np.isnan(value) else value


def area_up_to(strategy: Mapping[str, Any], common: float) -> float:
    """Return the mean IoU over the scribbles per region from 0 to ``common``, which the strategy reaches."""
    return area_under_curve(np.array(strategy["scribbles_per_region"]), np.array(strategy["iou"]), common)
