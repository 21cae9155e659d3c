"""``fullseg train``: train one experiment."""

import argparse
from pathlib import Path

from fullseg.cli.options import options_and_defaults
from fullseg.config.load import load_config


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    train = commands.add_parser(
        "train",
        help="train one experiment",
        epilog=options_and_defaults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    train.add_argument("overrides", nargs="*", metavar="key=value", help="options that replace the experiment's")
    train.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Train, and print the result."""
    config = load_config(options.experiment, options.overrides)
    from fullseg.cli.tables import print_result
    from fullseg.sweeps.cell_folder import leave_result
    from fullseg.training.run import train

    result = train(config)
    leave_result(result.folder)
    print_result(result, config)
    return 0
