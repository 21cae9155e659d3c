"""``fullseg calibrate``: let the simulated annotator work as people did."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fullseg.cli.predictor import add_checkpoint
from fullseg.cli.replay import add_finished

if TYPE_CHECKING:
    from fullseg.journals.calibration import Calibration


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    calibrate = commands.add_parser(
        "calibrate", help="find the options with which the simulated annotator works as people did"
    )
    add_finished(calibrate)
    add_checkpoint(calibrate)
    calibrate.add_argument(
        "--to", type=Path, metavar="DIR", help="folder for the results (default: calibration/ in OUT)"
    )
    calibrate.add_argument("--seed", type=int, default=0, help="of the simulated annotator (default: 0)")
    calibrate.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    calibrate.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the options as YAML and a picture, and print them."""
    from fullseg.errors import DataError
    from fullseg.journals.courses import read_courses
    from fullseg.runs.find import find_checkpoint

    out = options.out or options.images / "fullseg"
    courses, left_out = read_courses(options.images, out)
    for message in left_out:
        sys.stderr.write(f"left out: {message}\n")
    checkpoint = find_checkpoint("--checkpoint", options.checkpoint, "runs")

    from fullseg.cli.predictor import load_predictor
    from fullseg.journals.calibration import calibrate

    predictor = load_predictor(checkpoint, options.device, kriging=None, diffusion=None)
    try:
        found = calibrate(courses, predictor, options.seed)
    except ValueError as error:
        raise DataError(f"{out}: {error}: annotate more images") from error

    import yaml

    from fullseg.formats.atomic import replacing, write_text
    from fullseg.journals.calibration_figure import draw_calibration

    folder = options.to or out / "calibration"
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / "calibrated.yaml", yaml.safe_dump(found.options(), sort_keys=False))
    with replacing(folder / "calibration.png") as partial:
        draw_calibration(found).savefig(partial, format="png", dpi=110)
    _print(found, len(courses), folder)
    return 0


def _print(found: "Calibration", images: int, folder: Path) -> None:
    import numpy as np

    from fullseg.journals.calibration import DOT

    flat = [
        f"study.{group}.{key}={value:g}"
        for group, values in found.options()["study"].items()
        for key, value in values.items()
    ]
    real, fitted = found.real, found.fitted
    print(f"{images} images, {len(real.length)} strokes that met an error, {len(found.point_errors)} extreme points")
    for name, mine, theirs in (
        ("median length of a stroke, px", np.median(real.length), np.median(fitted.length)),
        ("dots, %", 100 * np.mean(real.length < DOT), 100 * np.mean(fitted.length < DOT)),
        ("pixels outside of the region, %", 100 * real.outside.mean(), 100 * fitted.outside.mean()),
        ("first point's distance from the border, px", np.median(real.start), np.median(fitted.start)),
    ):
        print(f"  {name:45} people {mine:6.1f}   simulated {theirs:6.1f}")
    print(f"  {'rank of the corrected error, 0: most important':45} people {found.importance.mean():6.2f}")
    print(f"  {'strokes of the same region as the one before':45} people {100 * found.same_region:6.1f} %")
    print(f"  {'regions marked largest first, -1 to 1':45} people {found.largest_first:6.2f}")
    print(f"for a study   {' '.join(flat)}")
    print(f"for training  scribbles.short={found.short:.2f}")
    print(f"written       {folder}/calibrated.yaml, calibration.png")
