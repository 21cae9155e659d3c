"""Makes a network from its name and plain values, which is how a checkpoint describes it."""

from collections.abc import Mapping
from typing import Any

from fullseg.model.dextr.dextr import Dextr
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter

SEGMENTERS: dict[str, type[Segmenter]] = {"region": RegionSegmenter, "dextr": Dextr}

INITIAL_WEIGHTS_OFF = {"pretrained": False, "weights": None}
"""The arguments that load initial weights, switched off: for a network that a checkpoint then fills."""


def make_segmenter(model: Mapping[str, Any]) -> Segmenter:
    """Make a network.

    Args:
        model: ``name``, a key of ``SEGMENTERS``, and all arguments of that class.

    Raises:
        ValueError: if timm does not know the backbone.
        WeightsError: if the initial weights cannot be loaded.
    """
    arguments = dict(model)
    return SEGMENTERS[arguments.pop("name")](**arguments)


def without_initial_weights(model: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same arguments of ``make_segmenter``, but loading no initial weights: a checkpoint brings them."""
    return {key: INITIAL_WEIGHTS_OFF.get(key, value) for key, value in model.items()}
