"""Turns the configuration into the arguments of a network."""

from typing import Any

from fullseg.config.load import plain
from fullseg.config.schema import Config

# options of ``model`` that DEXTR has, too
OF_DEXTR = ("name", "backbone", "pretrained", "backbone_weights", "annotation_encoding")


def model_arguments(config: Config, num_classes: int, *, background: bool) -> dict[str, Any]:
    """Return the arguments of ``make_segmenter`` for an experiment, as plain values.

    Args:
        config: configuration of the experiment.
        num_classes: number of classes in the data.
        background: whether pixels of the data may belong to no region.
    """
    model = {**plain(config)["model"], "background": background}
    dextr, model["backbone_weights"] = model.pop("dextr"), model.pop("weights")
    if model["name"] == "dextr":
        shared = {key: model[key] for key in (*OF_DEXTR, "background")}
        return {**shared, **dextr, "published": dextr["weights"] is not None}
    class_maps = model.pop("class_maps")
    return {**model, "num_classes": 1 if class_maps == "one" else num_classes, "mix_classes": class_maps == "mixed"}
