"""``fullseg evaluate``: compare an export with the truth, or one annotator with another."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fullseg.data.panoptic_quality import Evaluation


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    evaluate = commands.add_parser("evaluate", help="compare two COCO panoptic files by panoptic quality")
    evaluate.add_argument(
        "prediction",
        type=Path,
        metavar="PREDICTION.json",
        help="COCO panoptic; its png files are in the folder PREDICTION/ beside it",
    )
    evaluate.add_argument("truth", type=Path, metavar="TRUTH.json", help="COCO panoptic of the same images")
    evaluate.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers of all classes to this file")
    evaluate.add_argument("--classes", action="store_true", help="print a row per class")
    evaluate.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Compare two COCO panoptic files. Print a table, and write a JSON file if --out is given."""
    from fullseg.data.panoptic_quality import as_plain, evaluate
    from fullseg.formats.atomic import write_json

    found = evaluate(options.prediction, options.truth)
    _print(found, classes=options.classes)
    if options.out is not None:
        write_json(options.out, as_plain(found))
    return 0


def _print(found: "Evaluation", *, classes: bool) -> None:
    """Print panoptic quality of all classes, of things and of stuff.

    Args:
        found: result of ``evaluate``.
        classes: also print one row per class.
    """
    from rich.console import Console
    from rich.table import Table

    from fullseg.data.panoptic_quality import groups_of
    from fullseg.metrics.panoptic import quality_of

    rows = groups_of(found) | ({c.name: {c.id} for c in found.categories} if classes else {})
    table = Table(title=f"{found.images} images, percent")
    table.add_column("")
    for title in ("PQ", "SQ", "RQ", "boundary PQ", "classes"):
        table.add_column(title, justify="right")
    for name, ids in rows.items():
        plain, boundary = quality_of(found.by_iou, ids), quality_of(found.by_boundary, ids)
        if plain.classes:
            values = [f"{100 * value:.1f}" for value in (*plain[:3], boundary.panoptic)]
            table.add_row(name, *values, str(plain.classes))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
