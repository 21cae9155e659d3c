"""The values that an option may have: written beside its default, checked when a configuration is read."""

import math
from collections.abc import Iterable
from copy import copy
from dataclasses import field, fields, is_dataclass
from functools import partial
from typing import Any, NamedTuple, TypeVar

from fullseg.config.options import nearest
from fullseg.errors import ConfigError

Value = TypeVar("Value")


class Allowed(NamedTuple):
    """The values that an option may have, among those of its type."""

    choices: tuple[Any, ...] = ()  # of a list: of its entries; empty: all
    least: float | None = None
    most: float | None = None  # needs ``least``

    def __str__(self) -> str:
        """Return the rule as ``--help`` shows it; empty where there is none."""
        if self.choices:
            return ", ".join(map(str, self.choices))
        if self.least is None:
            return ""
        return f"at least {self.least:g}" if self.most is None else f"from {self.least:g} to {self.most:.10g}"

    def check(self, name: str, value: Any) -> None:  # noqa: ANN401  of the option's type
        """Raise ConfigError, naming the option, unless it may have this value."""
        entries = value if isinstance(value, list) else [value]
        for entry in entries:
            if self.choices and entry not in self.choices:
                shown = f"{name}: {entry!r}" if isinstance(value, list) else f"{name}={value!r}"
                raise ConfigError(f"{shown}: choose one of {self}{nearest(str(entry), map(str, self.choices))}")
        if self.least is not None:
            most = math.inf if self.most is None else self.most
            if not (self.least <= value <= most and math.isfinite(value)):  # NaN is none of them
                raise ConfigError(f"{name}={value!r}: must be {self}")


def option(
    default: Value, *, choices: Iterable[Any] = (), least: float | None = None, most: float | None = None
) -> Value:
    """Return the field of a dataclass for an option whose values are restricted.

    Args:
        default: the option's value; a list is copied for every configuration.
        choices: all values that the option may have. For a list: all values that its entries may have.
        least: smallest number.
        most: largest number; it needs ``least``.
    """
    metadata = {"allowed": Allowed(tuple(choices), least, most)}
    if isinstance(default, list):
        return field(default_factory=partial(copy, default), metadata=metadata)
    return field(default=default, metadata=metadata)


def check_allowed(options: Any, prefix: str = "") -> None:  # noqa: ANN401  any dataclass
    """Check all options of a dataclass and of the dataclasses in it.

    Args:
        options: dataclass whose fields are options or groups of options.
        prefix: of the options' names in messages, for example ``model.``.

    Raises:
        ConfigError: for the first option with a value that it may not have.
    """
    for entry in fields(options):
        value = getattr(options, entry.name)
        if is_dataclass(value):
            check_allowed(value, f"{prefix}{entry.name}.")
        else:
            entry.metadata.get("allowed", Allowed()).check(f"{prefix}{entry.name}", value)
