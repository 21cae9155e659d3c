"""The networks by name, made from plain values: what a checkpoint keeps of a model beside its weights."""

from collections.abc import Mapping
from typing import Any

from fullseg.model.base import Segmenter
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.segmenter import RegionSegmenter

START = {"pretrained": False, "weights": None}  # arguments that say what to start from, when it is nothing
SEGMENTERS: dict[str, type[Segmenter]] = {"region": RegionSegmenter, "dextr": Dextr}


def make_segmenter(model: Mapping[str, Any]) -> Segmenter:
    """Make a network.

    Args:
        model: its ``name`` in ``SEGMENTERS``, and all arguments of that class.

    Raises:
        ValueError: for a backbone that timm does not know.
        WeightsError: if weights to start from can't be had.
    """
    arguments = dict(model)
    return SEGMENTERS[arguments.pop("name")](**arguments)


def without_start(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of ``make_segmenter`` for a network whose weights come from a checkpoint."""
    return {key: START.get(key, value) for key, value in model.items()}
