"""Untrained models, which take as long as trained ones."""

from typing import Any

from fullseg.config import Config, plain


def model_options(config: Config, **changes: object) -> dict[str, Any]:
    """Return the arguments of a RegionSegmenter for an experiment: random weights, one class, but for the changes."""
    model = plain(config)["model"] | {"num_classes": 1, "pretrained": False} | changes
    del model["class_specific"]
    return model
