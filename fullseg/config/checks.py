"""What the options of fullseg may be: choices, least values, and what must fit together.

It knows options by their names alone, so that ``config.py`` is the one list of them.
"""

import math
import re
from collections.abc import Mapping
from typing import Any

from fullseg.config.options import nearest
from fullseg.errors import ConfigError

Values = Mapping[str, Any]  # every option by its dotted name
CHOICES: dict[str, tuple[Any, ...]] = {
    "loss": ("pixelwise", "maskwise", "class_balanced"),
    "model.name": ("region", "dextr"),
    "model.head": ("light", "two_stage"),
    "model.features": ("c4", "fpn"),
    "model.stride": (4, 8, 16),
    "model.share": ("none", "points", "all"),
    "model.annotation_encoding": ("binary", "gaussian"),
    "model.class_maps": ("mixed", "picked", "one"),
    "data.format": ("scenes", "bsds500", "coco_panoptic", "coco_instances"),
    "scribbles.predictor": ("counterpart", "self"),
    "trainer.accelerator": ("auto", "cpu", "gpu"),
    "trainer.precision": ("auto", "32-true", "bf16-mixed"),
    "tracking.wandb": ("auto", "offline", "online", "disabled"),
}
STRATEGIES = ("per_region", "free", "single_region", "watershed", "random_walker", "grabcut")
LEAST: dict[str, float] = {
    "model.feature_channels": 1,
    "model.roi_size": 2,
    "model.mask_size": 2,
    "model.head_channels": 1,
    "model.dextr.input_size": 32,
    "model.dextr.relax": 0,
    "data.min_region_area": 1,
    "data.regions_per_image": 0,
    "data.max_regions": 1,
    "data.crop_size": 32,
    "data.flip": 0,
    "data.colour": 0,
    "data.batch_size": 1,
    "data.workers": 0,
    "data.max_bad": 0,
    "extreme_points.jitter": 0,
    "scribbles.max_scribbles": 0,
    "scribbles.workers": 0,
    "study.rounds": 1,
    "study.every": 0,
    "study.workers": 0,
    "study.bootstrap": 1,
    "study.noise.points": 0,
    "study.noise.scribble_offset": 0,
    "study.noise.scribble_short": 0,
    "study.noise.scribble_misplaced": 0,
    "optimizer.base_batch": 0,
    "optimizer.learning_rate": 0,
    "optimizer.backbone_learning_rate": 0,
    "optimizer.weight_decay": 0,
    "optimizer.warmup_steps": 0,
    "optimizer.gradient_clip": 0,
    "trainer.epochs": 0,
    "trainer.validate_every": 1,
    "trainer.devices": 0,
    "trainer.num_nodes": 1,
    "trainer.checkpoint_every": 0,
    "trainer.threads": 0,
    "tracking.pictures": 0,
    "seed": 0,
}


def check(values: Values) -> None:
    """Check a complete configuration.

    Args:
        values: every option by its dotted name, each of the type that ``config.py`` says.

    Raises:
        ConfigError: for the first value that is out of range or does not fit the others.
    """
    for key, choices in CHOICES.items():
        if values[key] not in choices:
            hint = nearest(str(values[key]), map(str, choices))
            raise ConfigError(f"{key}={values[key]!r}: choose one of {', '.join(map(str, choices))}{hint}")
    for key, least in LEAST.items():
        if not least <= values[key] < float("inf"):  # false for NaN, too
            raise ConfigError(f"{key}={values[key]!r}: must be at least {least:g}")
    _check_model(values)
    _check_data(values)
    _check_study(values)
    _check_schedule(values)


def _check_model(values: Values) -> None:
    dilations, features = values["model.head_dilations"], values["model.features"]
    if not dilations or min(dilations) < 1:
        raise ConfigError(f"model.head_dilations={dilations}: write at least one positive number, [1, 2, 4, 8]")
    strides = {"c4": (8, 16), "fpn": (4, 8)}[features]
    if values["model.stride"] not in strides:
        remedy = " or ".join(map(str, strides))
        raise ConfigError(f"model.stride={values['model.stride']}: model.features={features} needs {remedy}")
    if values["model.head"] == "two_stage" and features != "c4":
        raise ConfigError("model.head=two_stage: the last stage goes on from stage 4, which model.features=c4 gives")
    if values["model.name"] == "dextr":
        _check_dextr(values)


def _check_dextr(values: Values) -> None:
    share, size, weights = values["model.share"], values["model.dextr.input_size"], values["model.dextr.weights"]
    if share != "none":
        raise ConfigError(f"model.share={share}: model.name=dextr sees one region at a time, model.share=none")
    if size % 32:
        raise ConfigError(f"model.dextr.input_size={size}: choose a multiple of 32")
    if weights is not None and values["model.backbone"] != "resnet101":
        raise ConfigError(
            f"model.dextr.weights={weights}: a ResNet-101's, but model.backbone={values['model.backbone']}; "
            "set model.backbone=resnet101"
        )


def _check_data(values: Values) -> None:
    for key in ("data.flip", "data.colour"):
        if values[key] > 1:
            raise ConfigError(f"{key}={values[key]}: a probability is at most 1")
    scale = values["data.scale"]
    if len(scale) != 2 or not 0 < scale[0] <= scale[1] < math.inf:
        raise ConfigError(f"data.scale={scale}: write two positive numbers, smaller first: [0.75, 1.25]")
    for key in ("data.train_annotators", "data.val_annotators"):
        if values[key] not in ("all", "median") and not values[key].isdecimal():
            raise ConfigError(f"{key}={values[key]!r}: choose all, median or the number of an annotator from 0")
    for key in ("data.train_fraction", "data.val_fraction"):
        parse_fraction(key, values[key])


def _check_study(values: Values) -> None:
    for strategy in values["study.strategies"]:
        if strategy not in STRATEGIES:
            hint = nearest(strategy, STRATEGIES)
            raise ConfigError(f"study.strategies: {strategy!r}: choose among {', '.join(STRATEGIES)}{hint}")
    if not values["study.strategies"]:
        raise ConfigError(f"study.strategies=[]: name at least one of {', '.join(STRATEGIES)}")
    for key in ("study.noise.scribble_short", "study.noise.scribble_misplaced"):
        if values[key] > 1:
            raise ConfigError(f"{key}={values[key]}: at most 1")


def _check_schedule(values: Values) -> None:
    run_id, epochs, between = values["run_id"], values["trainer.epochs"], values["trainer.validate_every"]
    if values["resume"] == "auto" and not run_id:
        raise ConfigError("resume=auto: name the run that is to go on, run_id=NAME")
    if run_id is not None and not re.fullmatch(r"[\w.-]+", run_id):
        raise ConfigError(f"run_id={run_id!r}: letters, digits, '-', '_' and '.' alone: it names a folder")
    evaluations = epochs // between or min(epochs, 1)  # a shorter run is evaluated at its end
    if values["study.every"] > evaluations:
        raise ConfigError(
            f"study.every={values['study.every']}: training has {evaluations} evaluations (trainer.epochs={epochs}, "
            f"trainer.validate_every={between}), so none is studied"
        )


def parse_fraction(key: str, value: str) -> tuple[int, int]:
    """Read ``k/n``, the k-th of n parts, 1 <= k <= n; raise ConfigError otherwise."""
    part, _, parts = value.partition("/")
    if not (part.isdecimal() and parts.isdecimal() and 1 <= int(part) <= int(parts)):
        raise ConfigError(f"{key}={value!r}: write k/n, the k-th of n parts, for example 1/8")
    return int(part), int(parts)
