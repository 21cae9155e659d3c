"""The list of options that ``fullseg train --help`` and ``fullseg study --help`` end with."""

from fullseg.config.options import describe
from fullseg.config.schema import Config


def options_and_defaults() -> str:
    """Return every option with its default and its description, a paragraph each."""
    paragraphs = (f"  {key}={value}\n      {text}" for key, value, text in describe(Config))
    return "options and their defaults:\n" + "\n".join(paragraphs)
