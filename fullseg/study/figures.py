"""Figures of the study: IoU against scribbles (paper, Fig. 5), against noise, and annotated images (Fig. 6)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from fullseg.config.strategies import CURVES
from fullseg.pictures import MARGIN, draw_interaction, stacked, titled
from fullseg.simulation.interaction import Round
from fullseg.simulation.seconds import PAPER
from fullseg.study.equal import common_scribbles, value_at
from fullseg.types import Sample

PANEL_TITLES = ("extreme points", "first prediction", "first scribbles", "next prediction", "final", "truth")


def curves(studies: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw mean IoU against scribbles per region (paper, Fig. 5).

    Bands are 95 % confidence intervals. The paper's numbers are dotted lines. They are drawn beside studies in which
    scribbles only inform the network, as in the paper.

    Args:
        studies: contents of ``study.json`` by the run's name. Each run has its own line style.
    """
    figure = Figure(figsize=(7, 5), layout="constrained")
    axes = figure.subplots()
    for (run, study), style in zip(studies.items(), _styles(len(studies)), strict=True):
        for name, strategy in study["strategies"].items():
            x, y = np.array(strategy["scribbles_per_region"]), 100 * np.array(strategy["iou"])
            colour, label = CURVES[name].colour, _label(run, name, len(studies))
            axes.plot(x, y, style, marker="o", markersize=3.5, color=colour, label=label)
            low, high = 100 * np.array(strategy["iou_ci95"]).T
            axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)
    drawn = {name for study in studies.values() if as_in_the_paper(study) for name in study["strategies"]}
    shown = [known for name, known in CURVES.items() if name in drawn and known.paper]
    for known in shown:
        assert known.paper is not None
        axes.plot((0, 4), known.paper, ":", marker="x", color=known.colour, linewidth=1)
    if shown:
        axes.plot([], [], ":x", color="black", linewidth=1, label="paper, COCO (0 and 4 scribbles that only inform)")
    if len(studies) == 1:
        [study] = studies.values()
        axes.set_title(how_scribbles_act(study), fontsize=9)
    label_curves(axes)
    return figure


def against_seconds(studies: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Draw mean IoU against the annotator's time: seconds per region, and minutes per image.

    Args:
        studies: contents of ``study.json`` by the run's name. Each run has its own line style.

    Returns:
        The figure; None if no strategy knows the time.
    """
    figure = Figure(figsize=(12, 5), layout="constrained")
    per_region, per_image = figure.subplots(1, 2)
    for (run, study), style in zip(studies.items(), _styles(len(studies)), strict=True):
        for name, strategy in study["strategies"].items():
            if strategy.get("annotator_seconds_per_region") is not None:
                x, y = np.array(strategy["annotator_seconds_per_region"]), 100 * np.array(strategy["iou"])
                colour, label = CURVES[name].colour, _label(run, name, len(studies))
                minutes = study["regions"] / study["images"] / 60  # per image, for a second per region
                for axes, factor in ((per_region, 1), (per_image, minutes)):
                    axes.plot(factor * x, y, style, marker="o", markersize=3.5, color=colour, label=label)
    if not per_region.lines:
        return None
    for axes, what in ((per_region, "seconds of the annotator per region"), (per_image, "minutes per image")):
        label_curves(axes)
        axes.set_xlabel(f"{what} (average over the images)")
    per_region.axvline(PAPER.region, color="black", linestyle=":", linewidth=1)
    text = " extreme points in the paper"
    per_region.annotate(text, (PAPER.region, 0.02), xycoords=("data", "axes fraction"), fontsize=8)
    return figure


def as_in_the_paper(study: Mapping[str, Any]) -> bool:
    """Return whether scribbles only inform the network in a study (``study.hold_scribbles=false``)."""
    return not study.get("hold_scribbles", True)


def how_scribbles_act(study: Mapping[str, Any]) -> str:
    """Return in words what a study's scribbles do beside informing the network."""
    return "scribbles only inform, as in the paper" if as_in_the_paper(study) else "scribbles keep their pixels"


def spreading(studies: Mapping[str, Mapping[str, Any]]) -> Figure | None:
    """Draw how far scribbles carry, and where the error is: eta, and the part of the error at boundaries, by round.

    Args:
        studies: contents of ``study.json`` by the run's name. Each run has its own line style.

    Returns:
        The figure; None if no strategy has these numbers, as in studies by earlier versions.
    """
    known = [
        (run, name, strategy, style)
        for (run, study), style in zip(studies.items(), _styles(len(studies)), strict=True)
        for name, strategy in study["strategies"].items()
        if "eta" in strategy
    ]
    if not known:
        return None
    figure = Figure(figsize=(10, 3.8), layout="constrained")
    panels = figure.subplots(1, 2)
    for run, name, strategy, style in known:
        colour, label = CURVES[name].colour, _label(run, name, len(studies))
        for axes, key, factor in zip(panels, ("eta", "error_at_boundary"), (1, 100), strict=True):
            y = np.array(strategy[key], float) * factor  # NaN where there is none
            axes.plot(np.arange(len(y)), y, style, marker="o", markersize=3.5, color=colour, label=label)
    labels = ("eta: gain / gain that was possible", "wrong pixels within 2 px of a boundary, %")
    for axes, title in zip(panels, labels, strict=True):
        axes.set_xlabel("round")
        axes.set_ylabel(title)
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.grid(alpha=0.3)
    panels[0].axhline(0, color="black", linewidth=0.8)
    panels[0].legend(fontsize=8)
    return figure


def _label(run: str, strategy: str, runs: int) -> str:
    title = CURVES[strategy].title
    return title if runs == 1 else f"{run}: {title}"


def label_curves(axes: Axes) -> None:
    """Label the axes of curves of IoU against scribbles per region."""
    axes.set_xlabel("scribbles per region (average over the images)")
    axes.set_ylabel("mean IoU of all regions, %")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)


def _styles(count: int) -> list[str]:
    return [("-", "--", "-.", ":")[number % 4] for number in range(count)]


def noise_curves(studies: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw the IoU of every strategy against the annotator's noise: one panel per kind of noise.

    It is the IoU at the most scribbles per region that all of them reach. A panel shows the studies in which all other
    kinds of noise are zero.

    Args:
        studies: contents of ``study.json``; one of them is without noise.
    """
    clean = next(study for study in studies if not any(study["noise"].values()))
    most = common_scribbles(entry for study in studies for entry in study["strategies"].values())
    kinds = [kind for kind in clean["noise"] if any(study["noise"][kind] for study in studies)]
    figure = Figure(figsize=(3.6 * max(1, len(kinds)), 3.6), layout="constrained")
    panels = figure.subplots(1, max(1, len(kinds)), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, kinds, strict=False):
        alone = [s for s in studies if all(level == 0 for other, level in s["noise"].items() if other != kind)]
        alone = sorted(alone, key=lambda study: float(study["noise"][kind]))
        for name in clean["strategies"]:
            points = [
                (study["noise"][kind], 100 * (value_at(study["strategies"][name], "iou", most) or 0))
                for study in alone
                if name in study["strategies"]
            ]
            title, colour = CURVES[name].title, CURVES[name].colour
            axes.plot(*zip(*points, strict=True), marker="o", markersize=3.5, color=colour, label=title)
        axes.set_xlabel(NOISE_LABELS[kind])
        axes.grid(alpha=0.3)
    panels[0].set_ylabel(f"mean IoU at {most:.1f} scribbles per region, %")
    panels[0].legend(fontsize=7)
    return figure


NOISE_LABELS = {
    "points": "offset of extreme points, px (std)",
    "scribble_offset": "offset of scribbles, px (std)",
    "scribble_short": "largest part that a scribble loses",
    "scribble_misplaced": "probability of a wrong region",
    "scribble_dot": "probability of a dot",
    "scribble_length": "median length at which scribbles end, px",
    "scribble_spread": "spread of these lengths",
}


def interaction_grid(rows: Sequence[tuple[str, Sample, Sequence[Round]]]) -> Image.Image:
    """Draw how images were annotated, one row per image (paper, Fig. 6).

    Args:
        rows: of each image the title, the sample, and its states after rounds 0 to R, R at least 1.
    """
    pictures = []
    for title, sample, rounds in rows:
        states = [(rounds[number].annotations, rounds[number].prediction) for number in (0, 1, -1)]
        picture = draw_interaction(sample.image, sample.region_map, states)
        step = (picture.width + MARGIN) // len(PANEL_TITLES)
        pictures.append(titled(picture, [[(0, title)], [(step * k, name) for k, name in enumerate(PANEL_TITLES)]]))
    return stacked(pictures)


def choose_images(names: Sequence[str], iou: NDArray[np.float64]) -> list[tuple[str, int]]:
    """Choose the best, the median and the worst of I images.

    Args:
        names: of the images.
        iou: (I,) final IoU of the images, in [0, 1].

    Returns:
        Title and position of each of the three.
    """
    order = np.argsort(-iou, kind="stable")
    picked = {"best": order[0], "median": order[len(order) // 2], "worst": order[-1]}
    return [(f"{kind}: {names[at]}, final IoU {100 * iou[at]:.1f} %", int(at)) for kind, at in picked.items()]
