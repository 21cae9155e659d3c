"""``fullseg reproduce``: make a run again, and list every difference."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    reproduce = commands.add_parser(
        "reproduce",
        help="train a run again, study it again, and list every difference",
        epilog="exit status: 0 if everything that can be compared is identical, bit for bit; 1 if something differs",
    )
    reproduce.add_argument(
        "original", metavar="RUN", help="run folder, for example runs/default/latest, or an experiment"
    )
    reproduce.add_argument(
        "overrides", nargs="*", metavar="key=value", help="options that replace the run's, for example data.root=DIR"
    )
    reproduce.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/reproduced"),
        metavar="DIR",
        help="folder of the new run (default: runs/reproduced; it never counts as an experiment's newest run there)",
    )
    reproduce.add_argument(
        "--anyway", action="store_true", help="go on even if the data or the counterpart differs from the run's"
    )
    reproduce.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Reproduce; the status is 1 if something differs."""
    from fullseg.reproduce.run import reproduce
    from fullseg.runs.find import find_run

    found = reproduce(find_run(options.original, "runs"), options.overrides, runs=options.runs, anyway=options.anyway)
    return int(found is not None and not found.identical)
