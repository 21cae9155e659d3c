"""Reading options: YAML files, dotlist overrides, and errors that help. What the options are is in config.py."""

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
    """Read a file and the files that it ``extends``, the most general first."""
    chain: list[tuple[Path, DictConfig]] = []
    while True:
        options = _read_yaml(path)
        base = options.pop("extends", None)
        chain.insert(0, (path, options))
        if base is None:
            return chain
        path = path.parent / str(base)
        if path.resolve() in [file.resolve() for file, _ in chain]:
            raise ConfigError(f"{chain[0][0]}: extends={base} goes in a circle")


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
    """Change some options; raise ConfigError, naming ``source``, for one that is unknown or of the wrong type."""
    keys = [key for key, _ in leaves(config)]
    for key, value in leaves(changes):
        if key not in keys:
            similar = difflib.get_close_matches(key, keys, n=1, cutoff=0.4)
            same_name = [known for known in keys if known.rsplit(".", 1)[-1] == key.rsplit(".", 1)[-1]]
            hint = (same_name or similar or ["python -m fullseg train --help"])[0]
            raise ConfigError(f"{source}: unknown option {key!r} (value {value!r}); did you mean {hint!r}?")
    try:
        merged = OmegaConf.merge(config, changes)
        OmegaConf.resolve(merged)
        return merged  # type: ignore[return-value]
    except OmegaConfBaseException as error:
        first_line = str(error).splitlines()[0]
        raise ConfigError(f"{source}: option {error.full_key!r}: {first_line}") from error


def leaves(node: DictConfig | dict[Any, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield dotted name and value of every option."""
    plain = OmegaConf.to_container(node, resolve=False) if isinstance(node, DictConfig) else node
    assert isinstance(plain, dict)
    for key, value in ((str(key), value) for key, value in plain.items()):
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def dotlist(options: Mapping[str, Any]) -> list[str]:
    """Return options as overrides, ``key=value``; JSON is YAML, so that a text stays a text."""
    return [f"{key}={json.dumps(value)}" for key, value in options.items()]


def nearest(word: str, known: Iterable[str]) -> str:
    """Return a hint at the known word that is most like an unknown one, or nothing."""
    found = difflib.get_close_matches(word, list(known), n=1)
    return f"; did you mean {found[0]!r}?" if found else ""
