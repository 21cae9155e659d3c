"""Draws the picture of a sweep. The parameters that vary decide on the kind of picture."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fullseg.config.strategies import STRATEGIES
from fullseg.study.figures import label_curves
from fullseg.sweeps.results import Group

TITLES = {name: strategy.title for name, strategy in STRATEGIES.items()}
COLOURS = ("#2166ac", "#b2182b", "#1b7837", "#e08214", "#762a83", "#35978f", "#c51b7d", "#777777")
MARKERS = ("o", "s", "^", "D", "v", "P")
COST = {"seconds_per_round": "time of a round of scribbles, ms", "seconds_per_image": "time of an image, ms"}
# Options that change what the model costs.
COSTLY = ("backbone", "features", "stride", "feature_channels")
COSTLY_HEAD = ("roi_size", "mask_size", "head_channels", "head_dilations")
ACCURACY = {
    "iou_at_4": "mean IoU at 4 scribbles per region, %",
    "iou_at_end": "mean IoU at the most scribbles per region that all reach, %",
    "iou": "mean IoU of extreme points alone, %",
}
MOST_CURVES = 8
LONG = 12  # characters of a tick's label; longer labels are written upright


def draw(title: str, groups: Sequence[Group]) -> Figure:
    """Draw accuracy against cost if the model's size varies, else curves for a few studies, else points."""
    accuracy = next(key for key in ACCURACY if all(one.values_of(key) for one in groups))
    cost = next((key for key in COST if all(one.values_of(key) for one in groups)), None)
    names = list(groups[0].values)
    if cost is not None and any(name.rsplit(".", 1)[-1] in COSTLY + COSTLY_HEAD for name in names):
        figure = _accuracy_against_cost(groups, accuracy, cost)
    elif len(groups) <= MOST_CURVES and all(row.curve is not None for one in groups for row in one.rows):
        figure = _curves(groups)
    else:
        figure = _points(groups, accuracy)
    figure.suptitle(title, fontsize=10)
    return figure


def _curves(groups: Sequence[Group]) -> Figure:
    """Draw IoU against scribbles per region: the mean over seeds, with a band of one standard deviation."""
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for number, one in enumerate(groups):
        curves = np.array([row.curve for row in one.rows])  # (seeds, R + 1, 2)
        x, y = curves.mean(axis=0).T
        colour, style = COLOURS[number % len(COLOURS)], ("-", "--")[number % 2]
        axes.plot(x, 100 * y, style, marker="o", markersize=3.5, color=colour, label=_name(one.values) or "all")
        if len(curves) > 1:
            spread = curves[..., 1].std(axis=0, ddof=1)
            axes.fill_between(x, 100 * (y - spread), 100 * (y + spread), color=colour, alpha=0.15, linewidth=0)
    label_curves(axes)
    return figure


def _accuracy_against_cost(groups: Sequence[Group], accuracy: str, cost: str) -> Figure:
    """Draw each model as a point, coloured by memory. A line joins models that no other beats in accuracy and cost."""
    figure = Figure(figsize=(8, 6.5), layout="constrained")
    axes = figure.subplots()
    x, y = np.array([[1e3 * one.mean(cost), 100 * one.mean(accuracy)] for one in groups]).T
    memory = np.array([1e-9 * one.mean("memory") for one in groups])
    low, high = (np.nanmin(memory), np.nanmax(memory)) if np.isfinite(memory).any() else (0.0, 1.0)
    name = next((name for name in groups[0].values if 2 <= len(_distinct(groups, name)) <= len(MARKERS)), None)
    for value, marker in zip(_distinct(groups, name), MARKERS, strict=False):
        chosen = np.array([one.values.get(name or "", "") == value for one in groups])
        label = f"{name}={value}" if name else None
        style: dict[str, Any] = {
            "marker": marker,
            "cmap": "viridis_r",
            "vmin": low,
            "vmax": high,
            "edgecolors": "black",
        }
        points = axes.scatter(
            x[chosen], y[chosen], c=memory[chosen], s=60, linewidths=0.6, zorder=3, label=label, **style
        )
    deviation = np.nan_to_num([100 * one.deviation(accuracy) for one in groups])
    axes.errorbar(x, y, yerr=deviation, fmt="none", ecolor="gray", elinewidth=0.8, zorder=2)
    front = _front(x, y)
    axes.plot(x[front], y[front], color="#b2182b", linewidth=1, zorder=1, label="best at its cost")
    for number, at in enumerate(front, start=1):
        axes.annotate(
            str(number), (x[at], y[at]), xytext=(-10, 5), textcoords="offset points", fontsize=9, color="#b2182b"
        )
    lines = [f"{number}: {_name(groups[at].values)}" for number, at in enumerate(front, start=1)]
    figure.supxlabel("\n".join(lines), fontsize=7, x=0.02, ha="left")
    if max(x) > 3 * min(x):
        axes.set_xscale("log")
        axes.xaxis.set_minor_formatter("{x:g}")
        axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(COST[cost])
    axes.set_ylabel(ACCURACY[accuracy])
    axes.grid(alpha=0.3, which="both")
    axes.legend(fontsize=8, loc="lower right")
    figure.colorbar(points, ax=axes, label="peak memory of the run, GB")
    return figure


def _front(x: Sequence[float], y: Sequence[float]) -> list[int]:
    """Return the points for which no other point has both a smaller x and a larger y, by rising x."""
    front: list[int] = []
    for at in np.lexsort((-np.asarray(y), np.asarray(x))):
        if not front or y[at] > y[front[-1]]:
            front.append(int(at))
    return front


def _points(groups: Sequence[Group], accuracy: str) -> Figure:
    """Draw accuracy against one parameter. A second parameter decides on the colour, a third one on the panel."""
    names = list(groups[0].values)
    along = max(
        names, key=lambda name: (_numbers(groups, name) is not None, len(_distinct(groups, name))), default=None
    )
    others = [name for name in names if name != along]
    panel = min(others, key=lambda name: len(_distinct(groups, name))) if len(others) > 1 else None
    panels = _distinct(groups, panel)
    longest = max(map(len, _distinct(groups, along)))  # upright labels need height
    figure = Figure(figsize=(2.2 + 3.4 * len(panels), 4.2 + 0.07 * longest * (longest > LONG)), layout="constrained")
    axes = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
    hues = list(dict.fromkeys(_hue(one, along, panel) for one in groups))
    for one_axes, value in zip(axes, panels, strict=True):
        shown = [one for one in groups if one.values.get(panel or "", "") == value]
        _panel(
            one_axes, shown, accuracy, along, {hue: [g for g in shown if _hue(g, along, panel) == hue] for hue in hues}
        )
        if panel is not None:
            one_axes.set_title(f"{panel}={value}", fontsize=9)
    axes[0].set_ylabel(ACCURACY[accuracy])
    if hues != [""]:
        axes[-1].legend(fontsize=8)
    return figure


def _panel(axes: Axes, groups: Sequence[Group], accuracy: str, along: str | None, hues: dict[str, list[Group]]) -> None:
    numbers, ticks = _numbers(groups, along), _distinct(groups, along)
    positions = numbers or {value: float(at) for at, value in enumerate(ticks)}
    step = min((b - a for a, b in pairwise(sorted(positions.values()))), default=1.0)
    for number, (hue, chosen) in enumerate(hues.items()):
        shift = 0.08 * step * (number - (len(hues) - 1) / 2)  # so that error bars do not cover each other
        colour = COLOURS[number % len(COLOURS)]
        x = np.array([positions[one.values.get(along or "", "")] + shift for one in chosen])
        order = np.argsort(x)
        y = np.array([100 * one.mean(accuracy) for one in chosen])
        deviation = np.nan_to_num([100 * one.deviation(accuracy) for one in chosen])
        style = "o-" if numbers else "o"
        axes.errorbar(
            x[order],
            y[order],
            yerr=deviation[order],
            fmt=style,
            color=colour,
            capsize=3,
            elinewidth=1.2,
            label=hue or None,
        )
        for at, one in zip(x, chosen, strict=True):  # one point per seed
            values = 100 * np.array(one.values_of(accuracy))
            axes.plot(np.full(len(values), at), values, ".", color=colour, alpha=0.4, markersize=5)
    rotation = 90 if max(map(len, ticks)) > LONG else 0
    axes.set_xticks(list(positions.values()), list(positions), rotation=rotation, fontsize=8)
    axes.margins(x=0.25 if len(positions) < 4 else 0.08, y=0.15)
    axes.set_xlabel(along or "")
    axes.grid(alpha=0.3)


def _hue(one: Group, along: str | None, panel: str | None) -> str:
    return _name({name: value for name, value in one.values.items() if name not in (along, panel)})


def _name(values: dict[str, str]) -> str:
    return ", ".join(
        TITLES.get(value, value) if name == "strategy" else f"{name}={value}" for name, value in values.items()
    )


def _distinct(groups: Sequence[Group], name: str | None) -> list[str]:
    """Return the distinct values of a parameter; one empty value if there is no parameter."""
    return list(dict.fromkeys(one.values.get(name or "", "") for one in groups))


def _numbers(groups: Sequence[Group], name: str | None) -> dict[str, float] | None:
    """Return a parameter's values as numbers, or None if one of them is not a number."""
    try:
        return {value: float(value) for value in _distinct(groups, name)}
    except ValueError:
        return None
