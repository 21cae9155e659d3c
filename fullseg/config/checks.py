"""Checks a configuration: the allowed values of every option, and options that must fit together."""

import math
import re

from fullseg.config.allowed import check_allowed
from fullseg.config.parts import Parts
from fullseg.config.schema import Config, DataConfig, ModelConfig, ScribblesConfig
from fullseg.errors import ConfigError


def check(config: Config) -> None:
    """Check a complete configuration whose values have the right types.

    Raises:
        ConfigError: for the first value that is not allowed or does not fit the others.
    """
    check_allowed(config)
    _check_model(config.model)
    _check_loss(config)
    _check_data(config.data)
    _check_scribbles(config.scribbles)
    if not config.study.strategies:
        raise ConfigError("study.strategies=[]: name at least one, for example [free]")
    _check_schedule(config)


def _check_model(model: ModelConfig) -> None:
    if not model.head_dilations or min(model.head_dilations) < 1:
        raise ConfigError(
            f"model.head_dilations={model.head_dilations}: write at least one positive number, [1, 2, 4, 8]"
        )
    strides = {"c4": (8, 16), "fpn": (4, 8)}[model.features]
    if model.stride not in strides:
        remedy = " or ".join(map(str, strides))
        raise ConfigError(f"model.stride={model.stride}: model.features={model.features} needs {remedy}")
    if model.head == "two_stage" and model.features != "c4":
        raise ConfigError("model.head=two_stage needs model.features=c4: its last stage continues from stage 4")
    if model.second_look and (model.head != "light" or model.name != "region"):
        raise ConfigError("model.second_look=true needs model.name=region and model.head=light")
    _check_spreading(model)
    if model.weights is not None and not model.pretrained:
        raise ConfigError(
            f"model.weights={model.weights} are pretrained weights, but model.pretrained=false starts from random "
            "ones; leave one of the two out"
        )
    if model.name == "dextr":
        _check_dextr(model)


def _check_spreading(model: ModelConfig) -> None:
    forms = {"model.kriging": model.kriging, "model.diffusion": model.diffusion}
    chosen = [f"{key}={form}" for key, form in forms.items() if form != "none"]
    chosen += [f"model.sharp_channels={model.sharp_channels}"] * (model.sharp_channels > 0)
    chosen += [f"model.least_part={model.least_part}"] * (model.least_part > 0)
    if chosen and model.name != "region":
        raise ConfigError(f"{chosen[0]}: model.name={model.name} has no feature map of the whole image; leave it out")
    if model.sharp_channels and (model.features != "fpn" or model.head != "light"):
        raise ConfigError(
            f"model.sharp_channels={model.sharp_channels} needs model.features=fpn and model.head=light, found "
            f"model.features={model.features} and model.head={model.head}"
        )
    if model.diffusion != "learned":
        return
    if not model.sharp_channels:
        raise ConfigError("model.diffusion=learned needs the map at stride 2: set model.sharp_channels, for example 16")
    if not model.diffusion_dilations or min(model.diffusion_dilations) < 1:
        raise ConfigError(
            f"model.diffusion_dilations={model.diffusion_dilations}: write at least one positive number, [4, 2, 1, 1]"
        )


def _check_loss(config: Config) -> None:
    for key, form in {"kriging": config.model.kriging, "diffusion": config.model.diffusion}.items():
        if form == "learned" and config.loss != "pixelwise":
            raise ConfigError(
                f"model.{key}=learned needs loss=pixelwise: loss={config.loss} does not look at the canvas, where "
                "annotations spread"
            )


def _check_dextr(model: ModelConfig) -> None:
    if model.share != "none":
        raise ConfigError(
            f"model.share={model.share}: model.name=dextr sees one region at a time; set model.share=none"
        )
    if model.annotation_encoding == "gaussian_box":
        raise ConfigError(
            "model.annotation_encoding=gaussian_box: model.name=dextr draws into the region's crop already; set "
            "model.annotation_encoding=gaussian"
        )
    if model.dextr.input_size % 32:
        raise ConfigError(f"model.dextr.input_size={model.dextr.input_size}: choose a multiple of 32")
    if model.dextr.weights is not None and model.backbone.partition(".")[0] != "resnet101":
        raise ConfigError(
            f"model.dextr.weights={model.dextr.weights}: these are weights of a ResNet-101, but "
            f"model.backbone={model.backbone}; set model.backbone=resnet101"
        )


def _check_data(data: DataConfig) -> None:
    if len(data.scale) != 2 or not 0 < data.scale[0] <= data.scale[1] < math.inf:
        raise ConfigError(f"data.scale={data.scale}: write two positive numbers, smaller first: [0.75, 1.25]")
    annotators = {"data.train_annotators": data.train_annotators, "data.val_annotators": data.val_annotators}
    for key, value in annotators.items():
        if value not in ("all", "median") and not value.isdecimal():
            raise ConfigError(f"{key}={value!r}: choose all, median or the number of an annotator from 0")
    parse_fraction("data.train_fraction", data.train_fraction)
    parse_fraction("data.val_fraction", data.val_fraction)
    if data.mix.part and data.format == "coco_instances":
        raise ConfigError(
            f"data.mix.part={data.mix.part:g}: single objects (data.format=coco_instances) cannot be mixed"
        )


def _check_scribbles(scribbles: ScribblesConfig) -> None:
    if scribbles.rounds and scribbles.max_scribbles:
        raise ConfigError(
            f"scribbles.rounds={scribbles.rounds}: sessions draw a round of scribbles at a time, but "
            f"scribbles.max_scribbles={scribbles.max_scribbles} draws all at once; set one of the two to 0"
        )


def _check_schedule(config: Config) -> None:
    epochs, between = config.trainer.epochs, config.trainer.validate_every
    if config.resume == "auto" and not config.run_id:
        raise ConfigError("resume=auto: name the run to continue, run_id=NAME")
    if config.run_id is not None and (not re.fullmatch(r"[\w.-]+", config.run_id) or set(config.run_id) == {"."}):
        raise ConfigError(f"run_id={config.run_id!r}: use only letters, digits, '-', '_' and '.': it names a folder")
    evaluations = epochs // between or min(epochs, 1)  # a shorter run is evaluated at its end
    if config.study.every > evaluations:
        raise ConfigError(
            f"study.every={config.study.every}: training has {evaluations} evaluations (trainer.epochs={epochs}, "
            f"trainer.validate_every={between}), so none is studied"
        )


def parse_fraction(key: str, value: str) -> Parts:
    """Return the parts that a text means: ``k/n``, the k-th of n, or ``j-k/n``, the j-th to the k-th of n.

    Args:
        key: name of the option, for the message.
        value: its text.

    Raises:
        ConfigError: if it is not such a text, or not 1 <= j <= k <= n.
    """
    found = re.fullmatch(r"(\d+)(?:-(\d+))?/(\d+)", value, re.ASCII)
    parts = Parts(*(int(number) for number in (found[1], found[2] or found[1], found[3]))) if found else Parts(0, 0, 0)
    if not parts.exist:
        raise ConfigError(
            f"{key}={value!r}: write k/n, the k-th of n parts, for example 1/8, or j-k/n, several of them"
        )
    return parts
