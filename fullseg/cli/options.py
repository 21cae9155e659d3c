"""The list of options that ``fullseg train --help`` and ``fullseg study --help`` end with."""

import functools
import textwrap

from fullseg.config.documentation import DocumentedOption, documented_options
from fullseg.config.schema import Config


@functools.cache
def options_and_defaults() -> str:
    """Return one paragraph per option: default, allowed values and text."""
    return "options and their defaults:\n" + "\n".join(_paragraph(option) for option in documented_options(Config))


def _paragraph(option: DocumentedOption) -> str:
    allowed = f"  ({option.allowed})" if str(option.allowed) else ""
    text = textwrap.fill(option.text.replace("``", "`"), 100, initial_indent=6 * " ", subsequent_indent=6 * " ")
    return f"  {option.name}={option.default}{allowed}\n{text}"
