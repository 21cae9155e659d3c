"""``fullseg dashboard``: the project's W&B workspace."""

import argparse
from pathlib import Path


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    dashboard = commands.add_parser("dashboard", help="create the project's W&B workspace, once")
    dashboard.add_argument("--entity", help="W&B user or team (default: the owner of the key)")
    dashboard.add_argument("--project", default="fullseg", help="W&B project, tracking.project (default: fullseg)")
    dashboard.add_argument(
        "--runs",
        type=Path,
        default=Path("runs"),
        help="folder of the file that keeps the workspace's address (default: runs)",
    )
    dashboard.add_argument("--again", action="store_true", help="create another workspace even if there is one")
    dashboard.add_argument(
        "--show", action="store_true", help="print the definition as JSON; this needs neither key nor network"
    )
    dashboard.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Create the workspace, or print its definition."""
    from fullseg.tracking.dashboard import as_json, create

    if options.show:
        print(as_json(options.entity or "ENTITY", options.project))
    else:
        print(create(options.entity, options.project, options.runs / "dashboard.json", again=options.again))
    return 0
