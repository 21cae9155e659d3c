"""``fullseg report``: one HTML page of one or more runs."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    report = commands.add_parser("report", help="make one HTML page of one or more runs")
    report.add_argument(
        "runs", nargs="+", metavar="RUN", help="run folder, study's folder RUN/studies/NAME, or experiment"
    )
    report.add_argument(
        "--out", type=Path, metavar="FILE.html", help="file to write (default: report.html in the first folder)"
    )
    report.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the page."""
    from fullseg.report.page import write_report
    from fullseg.runs.find import find_run

    folders = [find_run(name, "runs") for name in options.runs]
    print(f"written {write_report(folders, options.out)}")
    return 0
