"""``fullseg report``: one HTML page of one or more runs."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    report = commands.add_parser("report", help="make one HTML page of one or more runs")
    report.add_argument(
        "runs", type=Path, nargs="+", metavar="RUN_DIR", help="run folder, or a study's folder RUN_DIR/studies/NAME"
    )
    report.add_argument(
        "--out", type=Path, metavar="FILE.html", help="file to write (default: report.html in the first folder)"
    )
    report.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    from fullseg.report.page import write_report

    print(f"written {write_report(options.runs, options.out)}")
    return 0
