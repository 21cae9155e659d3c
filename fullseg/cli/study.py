"""``fullseg study``: let the simulated annotator correct an evaluation set."""

import argparse
from pathlib import Path

from fullseg.cli.options import options_and_defaults
from fullseg.config.load import load_config


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    study = commands.add_parser(
        "study",
        help="let the simulated annotator correct an evaluation set",
        epilog=options_and_defaults(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    study.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    study.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="options that replace the experiment's; checkpoint= names the model that is studied",
    )
    study.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Study, and print the result."""
    config = load_config(options.experiment, options.overrides)
    from fullseg.cli.tables import print_study
    from fullseg.sweeps.cell_folder import leave_result
    from fullseg.training.run_study import study

    folder, content = study(config)
    if content:  # only on rank 0
        leave_result(folder, content)
        print_study(folder, content)
    return 0
