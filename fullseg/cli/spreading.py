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
