"""``fullseg replay``: show a person's strokes to other models."""

import argparse
import sys
from pathlib import Path

from fullseg.model.released import DEFAULT


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    replay = commands.add_parser("replay", help="show the strokes of finished images to any models, and compare them")
    add_finished(replay)
    replay.add_argument(
        "--checkpoint",
        action="append",
        metavar="MODEL",
        help="experiment, run folder, file or released model; the option may come several times "
        f"(default: {DEFAULT}, the model of the annotator)",
    )
    replay.add_argument("--rounds", type=int, default=8, help="parts of the strokes (default: 8)")
    replay.add_argument("--to", type=Path, metavar="DIR", help="folder for the results (default: replay/ in OUT)")
    replay.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    replay.set_defaults(run=run)


def add_finished(command: argparse.ArgumentParser) -> None:
    """Add the options that name the annotator's folders."""
    command.add_argument("images", type=Path, metavar="PHOTOS", help="folder of images that were annotated")
    command.add_argument(
        "--out",
        type=Path,
        metavar="OUT",
        help="the annotator's folder of journal and exports (default: PHOTOS/fullseg)",
    )


def run(options: argparse.Namespace) -> int:
    """Replay, write the report and print the table."""
    from fullseg.errors import ConfigError
    from fullseg.journals.comparison import Model, compare
    from fullseg.journals.courses import read_courses
    from fullseg.runs.find import find_checkpoint

    if options.rounds < 1:
        raise ConfigError(f"--rounds {options.rounds}: it must be at least 1")
    out = options.out or options.images / "fullseg"
    courses, left_out = read_courses(options.images, out)
    for message in left_out:
        sys.stderr.write(f"left out: {message}\n")
    names = options.checkpoint or [DEFAULT]
    models = [Model(label(name), find_checkpoint("--checkpoint", name, "runs")) for name in names]
    folder = options.to or out / "replay"
    found = compare(courses, models, folder, rounds=options.rounds, device=options.device)
    from fullseg.cli.replay_tables import print_replay

    print_replay(found)
    return 0


def label(name: str) -> str:
    """Return the name of a model in tables: the end of what the user calls it, as far as a folder can be called so."""
    path = Path(name)
    parts = [part for part in path.parts if part not in ("/", "runs", "checkpoints", "..", ".")][-3:]
    return "-".join(parts).removesuffix(".ckpt").removesuffix("-best")
