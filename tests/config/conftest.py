"""What the tests of options share."""

from pathlib import Path
from typing import Any

import pytest

from fullseg.config.documentation import documented_options
from fullseg.config.load import load_config
from fullseg.config.schema import Config
from fullseg.errors import ConfigError

ALLOWED = {option.name: option.allowed for option in documented_options(Config)}
WITH_CHOICES = [name for name, allowed in ALLOWED.items() if allowed.choices]
WITH_LEAST = [name for name, allowed in ALLOWED.items() if allowed.least is not None]


def flat(options: dict[Any, Any], prefix: str = "") -> dict[str, Any]:
    """Return {dotted key: value} of nested dicts, independently of OmegaConf."""
    leaves = {}
    for key, value in options.items():
        leaves.update(flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value})
    return leaves


def message_of(path: Path | None = None, *overrides: str) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(path, overrides)
    return str(caught.value)
