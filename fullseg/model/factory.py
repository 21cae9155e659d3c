"""Makes a network from its name and plain values, which is how a checkpoint describes it."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from fullseg.errors import CheckpointError
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.diffusion import Diffusion
from fullseg.model.kriging import Kriging
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter
from fullseg.types import Category

SEGMENTERS: dict[str, type[Segmenter]] = {"region": RegionSegmenter, "dextr": Dextr}

INITIAL_WEIGHTS_OFF = {"pretrained": False, "weights": None, "backbone_weights": None}
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


class Trained(NamedTuple):
    """What a checkpoint holds for predictions."""

    segmenter: Segmenter  # on the CPU
    categories: tuple[Category, ...]
    partly: bool  # it was also trained on images of which only some regions are annotated


def load_trained(path: Path) -> Trained:
    """Load a checkpoint of ``fullseg train``.

    Raises:
        CheckpointError: if the file is not a checkpoint of fullseg.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
        arguments = checkpoint["hyper_parameters"]
        categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in arguments["categories"])
        partly = arguments.get("config", {}).get("data", {}).get("partly_marked", 0) > 0
        segmenter = make_segmenter(without_initial_weights(arguments["model"]))
        prefix = "segmenter."
        state = {k.removeprefix(prefix): v for k, v in checkpoint["state_dict"].items() if k.startswith(prefix)}
        segmenter.load_state_dict(state)
    except (RuntimeError, OSError, KeyError, TypeError, AttributeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path} is no whole checkpoint of fullseg train: {error}") from error
    return Trained(segmenter, categories, partly)


def change_spreading(segmenter: Segmenter, *, kriging: str | None, diffusion: str | None) -> None:
    """Let the annotations of a trained network spread in another way, in place. Its weights stay as they are.

    Args:
        segmenter: on the CPU.
        kriging: ``none`` or ``fixed``, or ``learned`` if the network has it already; None: as it is.
        diffusion: likewise.

    Raises:
        CheckpointError: if the network cannot do this.
        ValueError: if there is no such form.
    """
    given = {"kriging": kriging, "diffusion": diffusion}
    parts: dict[str, Kriging | Diffusion | None] = {name: getattr(segmenter.spreading, name, None) for name in given}
    forms = {name: "none" if part is None else "learned" if part.learned else "fixed" for name, part in parts.items()}
    wanted = {name: form or forms[name] for name, form in given.items()}
    if wanted == forms:
        return
    for name, form in wanted.items():
        if form not in ("none", "fixed", "learned"):
            raise ValueError(f"{name}={form!r}: choose none, fixed or learned")
        if not isinstance(segmenter, RegionSegmenter):
            raise CheckpointError(f"{name}={form}: DEXTR computes no features of the whole image; leave it out")
        if form == "learned" != forms[name]:
            raise CheckpointError(
                f"{name}=learned: this model was trained with model.{name}={forms[name]}; choose none or fixed, or "
                f"train another model with model.{name}=learned"
            )
    assert isinstance(segmenter, RegionSegmenter)
    if set(wanted.values()) == {"none"}:
        segmenter.spreading = None
        return
    segmenter.spreading = segmenter.make_spreading(kriging=wanted["kriging"], diffusion=wanted["diffusion"])
    for name, part in parts.items():
        if wanted[name] == forms[name]:
            setattr(segmenter.spreading, name, part)


def weights_for(segmenter: Segmenter, trained: Segmenter) -> dict[str, Tensor]:
    """Return the weights of a trained network as those of another one.

    If the other one sees its first answers and the trained one does not, the weights of this input are 0.
    """
    state: dict[str, Tensor] = trained.state_dict()
    looks = [isinstance(one, RegionSegmenter) and one.second_look for one in (segmenter, trained)]
    if looks == [True, False]:
        key = "convolutions.0.weight"
        state = {**state, key: F.pad(state[key], (0, 0, 0, 0, 0, 1))}  # one more input channel
    return state
