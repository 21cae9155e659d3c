"""Reads and merges options from YAML files and overrides, with errors that name what is wrong."""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from fullseg.errors import ConfigError


def read_experiment(path: Path) -> list[tuple[Path, DictConfig]]:
    """Read a YAML file and the files that it ``extends``.

    Returns:
        Path and options of each file, in the order in which they are merged: the extended file comes first.

    Raises:
        ConfigError: if a file is missing or broken, or if files extend each other in a circle.
    """
    chain: list[tuple[Path, DictConfig]] = []
    while True:
        options = _read_yaml(path)
        base = options.pop("extends", None)
        chain.insert(0, (path, options))
        if base is None:
            return chain
        path = path.parent / str(base)
        if path.resolve() in [file.resolve() for file, _ in chain]:
            raise ConfigError(f"{chain[0][0]}: extends={base} leads back to a file that extends it")


def _read_yaml(path: Path) -> DictConfig:
    if not path.is_file():
        known = sorted(str(p) for p in Path("experiments").rglob("*.yaml"))
        similar = difflib.get_close_matches(str(path), known, n=1)
        hint = f"; did you mean {similar[0]}?" if similar else f"; there are {', '.join(known) or 'none here'}"
        raise ConfigError(f"no experiment file {path}{hint}")
    try:
        loaded = OmegaConf.load(path)
    except (YAMLError, OmegaConfBaseException, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(loaded, DictConfig):
        raise ConfigError(f"{path}: expected options as 'key: value' lines, found a list")
    return loaded


def merge(config: DictConfig, changes: DictConfig, source: str) -> DictConfig:
    """Return a configuration with some options changed.

    Args:
        config: the complete configuration. The result is made of its parts, so use it no more.
        changes: options and their new values; likewise.
        source: file or override that the changes come from, for messages.

    Raises:
        ConfigError: if an option is unknown, or if a value has the wrong type.
    """
    keys = [key for key, _ in leaves(config)]
    for key, value in leaves(changes):
        if key not in keys:
            same_name = [known for known in keys if known.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
            similar = same_name or difflib.get_close_matches(key, keys, n=1, cutoff=0.4)
            hint = f"did you mean {similar[0]!r}?" if similar else "`fullseg train --help` lists all options"
            raise ConfigError(f"{source}: unknown option {key!r} (value {value!r}); {hint}")
    try:
        merged = OmegaConf.unsafe_merge(config, changes)  # ``merge`` would copy all options for each file and override
        OmegaConf.resolve(merged)
        return merged  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(f"{source}: option {error.full_key!r}: {first_line}") from error


def leaves(node: DictConfig | dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted name and the value of every option."""
    plain = OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig) else node
    assert isinstance(plain, dict)
    for key, value in ((str(key), value) for key, value in plain.items()):
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def dotlist(options: Mapping[str, Any]) -> list[str]:
    """Return options as overrides, ``key=value``.

    Values are written as JSON, which is valid YAML, so that a text such as ``007`` is read as a text again.
    """
    return [f"{key}={json.dumps(value)}" for key, value in options.items()]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint, ``; did you mean ...?``, at the known word that is most similar; empty if none is similar."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
