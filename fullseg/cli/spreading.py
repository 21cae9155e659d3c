"""Options of the commands that run a model: how its annotations spread on the canvas."""

import argparse

FORMS = ("none", "fixed")  # those that need no training


def add_spreading(parser: argparse.ArgumentParser) -> None:
    """Add --kriging and --diffusion, which replace what the model was trained with."""
    parser.add_argument(
        "--kriging",
        choices=FORMS,
        help="let annotations act on places that resemble theirs (default: as the model was trained)",
    )
    parser.add_argument(
        "--diffusion",
        choices=FORMS,
        help="let labels flow between neighbouring pixels that look alike (default: as the model was trained)",
    )


def positive(text: str) -> int:
    """Return the whole number of at least 1 that an argument says."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number of at least 1")
    return int(text)
