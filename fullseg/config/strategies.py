"""The strategies of the study, one curve each (paper, Sec. 5.3, Fig. 5). A new strategy is a new line here."""

from collections.abc import Collection, Sequence
from typing import NamedTuple

from fullseg.config.options import nearest
from fullseg.errors import ConfigError


class Strategy(NamedTuple):
    """How scribbles are allocated, which model they correct, and how its curve is drawn."""

    allocation: str  # ``per_region`` or ``free``, see simulation/allocation.py; ``alone``, see simulation/alone.py
    model: str  # one of the names below, or a classical method of study/baselines.py
    title: str  # in figures, tables and reports
    colour: str  # of the curve, #rrggbb
    paper: tuple[float, float] | None = None  # the paper's mean IoU in % on COCO, at 0 and at 4 scribbles per region


INTERACTIVE = "interactive"  # the model that is studied
FROZEN = "frozen"  # the studied model's prediction from extreme points alone, with the scribbles' lines drawn into it
SINGLE_REGION = "single_region"  # the model that the option study.single_region names: a mask per region, by itself
SINGLE_REGION_CANVAS = "single_region_canvas"  # the same model, whose masks compete in the canvas
REPLAY = "replay"  # the strokes that a person drew in the annotator, see journals/replay.py
STRATEGIES = {
    "per_region": Strategy("per_region", INTERACTIVE, "full image, per region", "#2166ac", (79.1, 88)),
    "free": Strategy("free", INTERACTIVE, "full image, free allocation", "#1b7837", (79.1, 90)),
    "frozen": Strategy("free", FROZEN, "scribbles that do not spread", "#35978f"),
    "single_region": Strategy("alone", SINGLE_REGION, "single region", "#b2182b", (75.8, 85)),
    "single_region_canvas": Strategy("per_region", SINGLE_REGION_CANVAS, "single region, in the canvas", "#ef8a62"),
    "watershed": Strategy("free", "watershed", "watershed (no training)", "#777777"),
    "random_walker": Strategy("free", "random_walker", "random walker (no training)", "#c2a5cf"),
    "grabcut": Strategy("free", "grabcut", "GrabCut (no training)", "#e08214"),
}
CURVES = {**STRATEGIES, REPLAY: Strategy("recorded", "recorded", "a person's strokes", "#762a83")}  # that can be drawn


def check_strategies(strategies: Sequence[str], models: Collection[str]) -> None:
    """Raise ConfigError if a strategy is unknown, or if its model is not among these."""
    if not strategies:
        raise ConfigError("strategies=[]: name at least one, for example [free]")
    for name in strategies:
        if name not in STRATEGIES:
            raise ConfigError(f"strategies: {name!r}: choose of {', '.join(STRATEGIES)}{nearest(name, STRATEGIES)}")
        if STRATEGIES[name].model not in models:
            raise ConfigError(f"strategies: {name!r} needs the network {STRATEGIES[name].model!r}: give it as networks")
