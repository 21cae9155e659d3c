"""``python -m fullseg evaluate``: what an export is worth against the truth, or one annotator against another."""

import sys
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from fullseg.data.panoptic_quality import Evaluation, Quality, evaluate, quality_of
from fullseg.formats.atomic import write_json

KEYS = ("pq", "sq", "rq", "boundary_pq")
GROUPS = {"all": (True, False), "things": (True,), "stuff": (False,)}


def run(prediction: Path, truth: Path, *, out: Path | None, classes: bool) -> None:
    """Compare two COCO panoptic files; print a table, and write it as JSON where wanted.

    Args:
        prediction: as of ``evaluate``.
        truth: as of ``evaluate``.
        out: JSON file to write, or None.
        classes: list every class, too.
    """
    found = evaluate(prediction, truth)
    rows = {name: _row(found, {c.id for c in found.categories if c.isthing in kinds}) for name, kinds in GROUPS.items()}
    per_class = {c.name: _row(found, {c.id}) for c in found.categories}
    table = Table(title=f"{found.images} images, percent")
    table.add_column("")
    for title in ("PQ", "SQ", "RQ", "boundary PQ", "classes"):
        table.add_column(title, justify="right")
    for name, (plain, boundary) in {**rows, **(per_class if classes else {})}.items():
        if plain.classes:
            values = [f"{100 * value:.1f}" for value in (*plain[:3], boundary.panoptic)]
            table.add_row(name, *values, str(plain.classes))
    Console(width=None if sys.stdout.isatty() else 120).print(table)
    if out is not None:
        content = {name: _plain(*row) for name, row in rows.items()}
        content["classes"] = {name: _plain(*row) for name, row in per_class.items() if row[0].classes}
        write_json(out, {"images": found.images, **content})


def _row(found: Evaluation, categories: set[int]) -> tuple[Quality, Quality]:
    return quality_of(found.by_iou, categories), quality_of(found.by_boundary, categories)


def _plain(plain: Quality, boundary: Quality) -> dict[str, Any]:
    values = (plain.panoptic, plain.segmentation, plain.recognition, boundary.panoptic)
    return dict(zip(KEYS, values if plain.classes else 4 * (None,), strict=True))
