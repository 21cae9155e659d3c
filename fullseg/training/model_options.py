"""From the configuration to the arguments of a network."""

from typing import Any

from fullseg.config import Config, plain

OF_DEXTR = ("name", "backbone", "pretrained", "annotation_encoding")  # options that DEXTR shares with the others


def model_arguments(config: Config, num_classes: int, *, background: bool) -> dict[str, Any]:
    """Return what ``make_segmenter`` makes an experiment's network from, as plain values.

    Args:
        config: of the experiment.
        num_classes: of the data.
        background: whether pixels may be of no region in the data.
    """
    model = {**plain(config)["model"], "background": background}
    dextr = model.pop("dextr")
    if model["name"] == "dextr":
        shared = {key: model[key] for key in (*OF_DEXTR, "background")}
        return {**shared, **dextr, "published": dextr["weights"] is not None}
    class_specific = model.pop("class_specific")
    return {**model, "num_classes": num_classes if class_specific else 1}
