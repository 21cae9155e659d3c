"""``fullseg paper``: make the paper's tables and figures again."""

import argparse
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fullseg.cli.spreading import positive
from fullseg.errors import ConfigError


class SeedsAndOptions(argparse.Action):
    """Takes the seeds; options ``key=value`` that follow them are no seeds."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: str | Sequence[Any] | None,
        option_string: str | None = None,
    ) -> None:
        """Divide the words."""
        words = list(values or ())
        namespace.overrides = [*(namespace.overrides or []), *(word for word in words if "=" in word)]
        seeds = [word for word in words if "=" not in word]
        if not seeds or not all(word.isdecimal() for word in seeds):
            parser.error(f"{option_string} {' '.join(words)}: write whole numbers, for example {option_string} 0 1 2")
        namespace.seeds = list(dict.fromkeys(map(int, seeds)))


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    paper = commands.add_parser(
        "paper",
        help="make the paper's Table 1, Table 2 and Fig. 5 again, ours beside the paper's",
        epilog="Run it in the folder of the project. The same command goes on after an interruption: it skips what is "
        "done and resumes what was stopped. Exit status: 0 if all stages that have their data are done; 1 "
        "if one failed.",
    )
    paper.add_argument("data", type=Path, metavar="DATA", help="folder of COCO, as `fullseg data coco` makes it")
    paper.add_argument("overrides", nargs="*", metavar="key=value", help="options that replace those of every stage")
    paper.add_argument(
        "--seeds", nargs="+", action=SeedsAndOptions, default=[0, 1, 2], metavar="N", help="seeds (default: 0 1 2)"
    )
    paper.add_argument(
        "--dextr",
        type=Path,
        metavar="FILE",
        help="DEXTR's released weights, dextr_coco.pth (default: DATA/dextr_coco.pth where it is)",
    )
    paper.add_argument(
        "--runs", type=Path, default=Path("runs"), metavar="DIR", help="folder of all run folders (default: runs)"
    )
    paper.add_argument("--name", default="paper", help="name of the folder in it (default: paper)")
    paper.add_argument(
        "--jobs", type=positive, metavar="N", help="stages that run at once (default: one per GPU, one on a CPU)"
    )
    paper.add_argument("--dry-run", action="store_true", help="list the stages and run none")
    paper.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the stages; the status is 1 if one of them failed."""
    from fullseg.paper.run import reproduce_paper
    from fullseg.paper.stages import RELEASED_FILE, Plan
    from fullseg.runs.folder import program

    data = options.data.expanduser()
    weights = options.dextr or (data / RELEASED_FILE if (data / RELEASED_FILE).is_file() else None)
    if weights is not None and not weights.is_file():
        raise ConfigError(f"--dextr {weights}: no such file")
    plan = Plan(data, tuple(options.seeds), tuple(options.overrides), options.runs, options.name, weights)
    failed = reproduce_paper(plan, jobs=options.jobs, dry_run=options.dry_run, command=f"{program()} {_words(options)}")
    return int(failed > 0)


def _words(options: argparse.Namespace) -> str:
    """Return the words of the command line that goes on after an interruption, behind the program's name."""
    words = ["paper", str(options.data), *options.overrides, "--seeds", *map(str, options.seeds)]
    for name, default in (("dextr", None), ("runs", Path("runs")), ("name", "paper"), ("jobs", None)):
        value = getattr(options, name)
        words += [f"--{name}", str(value)] if value != default else []
    return shlex.join(words)
