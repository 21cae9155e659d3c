"""``fullseg evaluate``: compare an export with the truth, or one annotator with another."""

import argparse
from pathlib import Path


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
    from fullseg.cli.tables import print_evaluation
    from fullseg.data.panoptic_quality import as_plain, evaluate
    from fullseg.formats.atomic import write_json

    found = evaluate(options.prediction, options.truth)
    print_evaluation(found, classes=options.classes)
    if options.out is not None:
        write_json(options.out, as_plain(found))
    return 0
