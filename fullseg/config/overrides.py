"""Reads ``key=value`` by the type of the option: text stays text, and a number is a number."""

import functools
import json
import re
from collections.abc import Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_type_hints

from omegaconf import DictConfig, OmegaConf
from yaml import YAMLError

from fullseg.errors import ConfigError

NOTHING = ("null", "None", "")  # W&B's agent writes None


def types_of(schema: type[Any], prefix: str = "") -> Iterator[tuple[str, type[Any], bool]]:
    """Yield the dotted name of every option, its type, and whether it may be null.

    Args:
        schema: dataclass of options, which may hold other dataclasses.
        prefix: of the names, for example ``model.``.
    """
    for name, kind in get_type_hints(schema).items():
        if is_dataclass(kind):
            yield from types_of(kind, f"{prefix}{name}.")  # type: ignore[arg-type]
        else:
            members = get_args(kind)
            nullable = type(None) in members
            yield f"{prefix}{name}", next(m for m in members if m is not type(None)) if nullable else kind, nullable


def read_override(override: str, schema: type[Any]) -> DictConfig:
    """Return one option and its value.

    The value of a text option is taken as it is, except for a text in JSON, ``"007"``, whose quotes are taken off.
    Other values are YAML.

    Args:
        override: ``key=value``.
        schema: dataclass of all options.

    Raises:
        ConfigError: if it is no such text, or if the value cannot be of the option's type.
    """
    key, separator, value = override.partition("=")
    if not separator or not key:
        raise ConfigError(f"override {override!r}: write it as key=value, for example model.share=none")
    kind, nullable = next(((kind, null) for name, kind, null in types_of(schema) if name == key), (None, False))
    if nullable and value in NOTHING:
        return _one(key, None)
    if kind is str:
        if "${" in value:
            raise ConfigError(f"override {override!r}: `${{` is not expanded here; write the value itself")
        return _one(key, _text(value))
    if kind is int and not re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", value):
        raise ConfigError(f"override {override!r}: expected a whole number, such as 10, without leading zeros")
    try:
        parsed = OmegaConf.from_dotlist([override])
    except YAMLError as error:
        raise ConfigError(f"override {override!r}: the value is not valid YAML: {error}") from error
    is_list = str(kind).startswith("list")
    if is_list and not OmegaConf.is_list(OmegaConf.select(parsed, key)):
        raise ConfigError(f"override {override!r}: expected a list, such as {key}=[{value}]")
    return parsed


def expand_home(config: object, schema: type[Any]) -> None:
    """Replace ``~`` at the start of every text of a configuration by the home folder, in place, as a shell does."""
    for key in (key for key, kind, _ in types_of(schema) if kind is str):
        *parents, name = key.split(".")
        holder = functools.reduce(getattr, parents, config)
        value = getattr(holder, name)
        if isinstance(value, str) and value.startswith("~"):
            setattr(holder, name, str(Path(value).expanduser()))


def _text(value: str) -> str:
    if value.startswith('"'):
        try:
            decoded = json.loads(value)
        except ValueError:
            return value
        return decoded if isinstance(decoded, str) else value
    return value


def _one(key: str, value: Any) -> DictConfig:  # noqa: ANN401  of the option's type
    config = OmegaConf.create()
    OmegaConf.update(config, key, value)
    return config
