"""Expands a cell's command line by the rules of ``wandb agent`` (wandb 0.31)."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

DEFAULT_COMMAND = ("${env}", "${interpreter}", "${program}", "${args}")
ENVIRONMENT_VARIABLE = re.compile(r"\$\{envvar:([A-Z0-9_]*)\}")


def expand_command(
    command: Sequence[str],
    program: str,
    parameters: Mapping[str, Any],
    *,
    interpreter: str,
    args_json_file: str,
    environ: Mapping[str, str],
) -> list[str]:
    """Put a cell's parameters into a sweep's command.

    Args:
        command: words of the command. A word ``${...}`` is a macro. Unknown macros are dropped. Empty: W&B's default
            command.
        program: the sweep's ``program``.
        parameters: the cell's values, by name.
        interpreter: text that replaces ``${interpreter}``. W&B's agent uses the first ``python`` on the PATH.
        args_json_file: path that replaces ``${args_json_file}``. The caller writes ``args_json(parameters)`` there.
        environ: environment variables, for ``${envvar:NAME}``. A variable that is not set is replaced by its name.

    Returns:
        The words of the command line.
    """
    macros = {
        "env": ["/usr/bin/env"],
        "interpreter": [interpreter],
        "program": [program],
        "args_json_file": [args_json_file],
        **_arguments(parameters),
    }
    words = []
    for part in command or DEFAULT_COMMAND:
        word = ENVIRONMENT_VARIABLE.sub(lambda match: environ.get(match[1], match[1]), part)
        if word.startswith("${") and word.endswith("}"):
            words += macros.get(word[2:-1], [])
        else:
            words.append(word)
    return words


def args_json(parameters: Mapping[str, Any]) -> str:
    """Return the parameters in the JSON that W&B writes for ``${args_json}`` and ``${args_json_file}``."""
    return json.dumps(dict(parameters))


def _arguments(parameters: Mapping[str, Any]) -> dict[str, list[str]]:
    pairs = [f"{name}={value}" for name, value in parameters.items()]
    return {
        "args": [f"--{pair}" for pair in pairs],
        "args_no_equals": [word for name, value in parameters.items() for word in (f"--{name}", str(value))],
        "args_no_hyphens": pairs,
        "args_no_boolean_flags": [
            f"--{name}" if value is True else f"--{name}={value}"
            for name, value in parameters.items()
            if value is not False
        ],
        "args_json": [args_json(parameters)],
        "args_append_hydra": [f"+{pair}" for pair in pairs],
        "args_override_hydra": [f"++{pair}" for pair in pairs],
    }
