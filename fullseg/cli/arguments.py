"""The arguments of the command line. Each command has a file in this folder, which adds its arguments."""

import argparse
from collections.abc import Sequence

from fullseg.cli import (
    annotate,
    calibrate,
    dashboard,
    data,
    evaluate,
    learn,
    model,
    paper,
    predict,
    release,
    replay,
    report,
    reproduce,
    study,
    sweep,
    train,
)

# In the order of --help.
COMMANDS = (
    train,
    study,
    sweep,
    paper,
    reproduce,
    predict,
    annotate,
    learn,
    replay,
    calibrate,
    evaluate,
    report,
    release,
    model,
    dashboard,
    data,
)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command line. The option ``run`` is the function that carries the command out.

    Args:
        arguments: without the program's name; None: this process's.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if "overrides" in options:  # argparse takes no key=value after an option
        options.overrides += [word for word in rest if not word.startswith("-")]
        rest = [word for word in rest if word.startswith("-")]
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="fullseg", description="Interactive full image segmentation.")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
