"""What each value of a sweep's parameters gains, with a confidence interval: is it more than chance?"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from fullseg.metrics.confidence import student_interval
from fullseg.sweeps.cells import short_names
from fullseg.sweeps.figures import ACCURACY
from fullseg.sweeps.results import METRICS, TOGETHER, Row

Setting = tuple[str, ...]  # values of all parameters of a row but the seed


class Difference(NamedTuple):
    """What one value of a parameter gains over the parameter's first value, the mean over seeds."""

    parameter: str  # short name
    value: str
    first: str
    metric: str  # of ``METRICS``
    seeds: int
    mean: float
    interval: tuple[float, float]  # 95 %, Student's t over the seeds


def compared_metric(rows: Sequence[Row]) -> str | None:
    """Return the metric of ``METRICS`` that is compared: the first of ``ACCURACY`` that all rows have, or None."""
    return next((key for key in ACCURACY if rows and all(key in row.metrics for row in rows)), None)


def differences(rows: Sequence[Row], varied: Sequence[str]) -> list[Difference]:
    """Compare every value of each parameter with the parameter's first value.

    Two rows are a pair if they differ in this parameter alone: the seed is the same, too. A seed's difference is the
    mean over its pairs.

    Args:
        rows: of all finished cells.
        varied: names of the parameters that have several values.

    Returns:
        A difference per parameter and value, in the order of the rows; only those with two seeds or more.
    """
    metric = compared_metric(rows)
    if metric is None:
        return []
    names = [name for name in varied if name not in TOGETHER]
    titles = [*short_names(names).values(), "strategy"]
    settings: dict[Setting, dict[str, float]] = defaultdict(dict)  # the metric by setting and seed
    for row in rows:
        setting = (*(str(row.parameters[name]) for name in names), row.strategy)
        settings[setting][str(row.parameters.get("seed"))] = row.metrics[metric]
    found = []
    for place, title in enumerate(titles):
        first, *others = dict.fromkeys(setting[place] for setting in settings)
        for value in others:
            by_seed = defaultdict[str, list[float]](list)
            for seed, gain in _pairs(settings, place, first, value):
                by_seed[seed].append(gain)
            gains = [float(np.mean(one)) for one in by_seed.values()]
            if (interval := student_interval(gains)) is not None:
                found.append(Difference(title, value, first, metric, len(gains), float(np.mean(gains)), interval))
    return found


def _pairs(
    settings: dict[Setting, dict[str, float]], place: int, first: str, value: str
) -> Iterator[tuple[str, float]]:
    """Yield the seed and the difference of each pair of rows."""
    for setting, scores in settings.items():
        if setting[place] == value:
            before = settings.get((*setting[:place], first, *setting[place + 1 :]), {})
            yield from ((seed, scores[seed] - before[seed]) for seed in scores if seed in before)


def print_differences(found: Sequence[Difference], console: Console) -> None:
    """Print the table of all differences, if there are any."""
    if not found:
        return
    title, factor, digits = METRICS[found[0].metric]
    caption = f"difference in {title}, in percent: mean over seeds and its 95 % interval, paired by seed"
    table = Table(title="what each value gains", caption=caption)
    for name in ("parameter", "value", "instead of"):
        table.add_column(name)
    for name in ("seeds", "difference", "95 % interval"):
        table.add_column(name, justify="right")
    for one in found:
        numbers = [f"{factor * number:+.{digits}f}" for number in (one.mean, *one.interval)]
        table.add_row(one.parameter, one.value, one.first, str(one.seeds), numbers[0], f"{numbers[1]} to {numbers[2]}")
    console.print(table)
