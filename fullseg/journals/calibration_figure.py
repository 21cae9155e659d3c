"""Draws how people annotated, and how the simulated annotator does with and without their habits."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from fullseg.journals.calibration import Calibration

REAL, FITTED, PLAIN = "people", "simulated, calibrated", "simulated, without noise"
COLOURS = {REAL: "#1b7837", FITTED: "#762a83", PLAIN: "#999999"}


def draw_calibration(found: Calibration) -> Figure:
    """Draw the distributions of extreme points, strokes and times."""
    figure = Figure(figsize=(12, 6.5), layout="constrained")
    panels = figure.subplots(2, 3).ravel()
    rng = np.random.default_rng(0)
    normal = rng.normal(0, found.noise.points or 1e-3, 10_000)
    _compare(panels[0], "extreme point outside of its region, px", {REAL: found.point_errors, FITTED: normal})
    facts = {REAL: found.real, FITTED: found.fitted, PLAIN: found.plain}
    _compare(panels[1], "length of a stroke, px", {name: one.length for name, one in facts.items()})
    _compare(panels[2], "part of a stroke outside of its region", {name: one.outside for name, one in facts.items()})
    _compare(
        panels[3],
        "first point's distance from the region's border, px",
        {name: one.start for name, one in facts.items()},
    )
    _compare(panels[4], "rank of the corrected error (0: most important)", {REAL: found.importance})
    seconds = found.seconds.of_scribbles(found.stroke_lengths, rng)
    _compare(panels[5], "seconds of a stroke", {REAL: found.stroke_seconds, FITTED: seconds})
    panels[1].legend(fontsize=8)
    return figure


def _compare(axes: Axes, title: str, values: dict[str, NDArray[np.float64]]) -> None:
    together = np.concatenate(list(values.values()))
    together = together[np.isfinite(together)]
    low, high = np.quantile(together, (0.01, 0.99)) if len(together) else (0, 1)
    bins = np.linspace(low, max(high, low + 1e-6), 25).tolist()
    for name, numbers in values.items():
        weights = np.full(len(numbers), 100 / max(1, len(numbers)))
        clipped = np.clip(numbers, bins[0], bins[-1])
        axes.hist(clipped, bins, weights=weights, histtype="step", linewidth=1.8, color=COLOURS[name], label=name)
    axes.set_xlabel(title)
    axes.set_ylabel("%")
