"""Every option with its default, its allowed values and its text, as ``fullseg train --help`` prints them."""

import ast
import inspect
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import pairwise
from typing import Any, NamedTuple

from fullseg.config.allowed import Allowed


class DocumentedOption(NamedTuple):
    """One option."""

    name: str  # dotted, for example model.share
    default: Any
    allowed: Allowed
    text: str


def documented_options(schema: type[Any], prefix: str = "") -> Iterator[DocumentedOption]:
    """Yield all options of a dataclass and of the dataclasses in it, in their order.

    Args:
        schema: dataclass with a docstring below every option, and a default for each.
        prefix: of the options' names, for example ``model.``.
    """
    body: list[Any] = ast.parse(inspect.getsource(schema)).body[0].body  # type: ignore[attr-defined]
    texts = {
        line.target.id: " ".join(str(text.value.value).split())
        for line, text in pairwise(body)
        if hasattr(line, "target") and isinstance(getattr(text, "value", None), ast.Constant)
    }
    defaults = schema()
    for entry in fields(schema):
        value = getattr(defaults, entry.name)
        if is_dataclass(value):
            yield from documented_options(type(value), f"{prefix}{entry.name}.")
        else:
            allowed = entry.metadata.get("allowed", Allowed())
            yield DocumentedOption(f"{prefix}{entry.name}", value, allowed, texts[entry.name])
