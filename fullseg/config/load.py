"""Loads a configuration from the defaults, one YAML file and overrides."""

import copy
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from fullseg.config.checks import check
from fullseg.config.options import merge, read_experiment
from fullseg.config.overrides import expand_home, read_override
from fullseg.config.schema import Config


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """Load the configuration of one experiment.

    Args:
        path: YAML file with the options that differ from the defaults; None: there is none. With the key ``extends``,
            its options differ from those of another file, whose path is relative to this one.
        overrides: ``key=value`` each. They replace values of the file.

    Returns:
        The complete configuration.

    Raises:
        ConfigError: if a file is missing or broken, if an option is unknown, or if a value has the wrong type or is not
            allowed.
    """
    config = copy.deepcopy(_defaults())
    if path is not None:
        for file, options in read_experiment(Path(path)):
            config = merge(config, options, source=str(file))
        parts = Path(path).with_suffix("").parts
        folders = [index for index, part in enumerate(parts[:-1]) if part == "experiments"]
        name = "/".join(parts[folders[-1] + 1 :]) if folders else parts[-1]
        if config.experiment == Config.experiment:
            config.experiment = name
    for override in overrides:
        config = merge(config, read_override(override, Config), source=f"override {override!r}")
    loaded: Config = OmegaConf.to_object(config)  # type: ignore[assignment]
    expand_home(loaded, Config)
    check(loaded)
    return loaded


@functools.cache
def _defaults() -> DictConfig:
    """Return all options with their defaults. They are read from ``Config`` once: that takes longer than a copy."""
    defaults: DictConfig = OmegaConf.structured(Config)
    return defaults


def plain(config: Config) -> dict[str, Any]:
    """Return the configuration as nested dicts of plain values, which a checkpoint can hold."""
    container = OmegaConf.to_container(OmegaConf.structured(config), resolve=True)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
