"""``fullseg sweep``: run all cells of a W&B sweep on this machine."""

import argparse
from pathlib import Path

from fullseg.cli.spreading import positive


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    sweep = commands.add_parser("sweep", help="run all cells of a W&B sweep on this machine, without W&B's server")
    sweep.add_argument("sweep", type=Path, metavar="SWEEP.yaml", help="the same file that `wandb sweep` takes")
    sweep.add_argument("overrides", nargs="*", metavar="key=value", help="options that replace those of every cell")
    sweep.add_argument(
        "--experiment", type=Path, metavar="EXPERIMENT.yaml", help="experiment that replaces the one in the sweep"
    )
    sweep.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of all runs (default: runs)"
    )
    sweep.add_argument(
        "--jobs", type=positive, metavar="N", help="cells that run at once (default: one per GPU, one on a CPU)"
    )
    sweep.add_argument("--dry-run", action="store_true", help="list the cells and run none")
    sweep.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the cells; the status is 1 if one of them failed."""
    from fullseg.sweeps.run import sweep

    failed = sweep(
        options.sweep,
        options.overrides,
        experiment=options.experiment,
        runs=options.runs,
        jobs=options.jobs,
        dry_run=options.dry_run,
    )
    return int(failed > 0)
