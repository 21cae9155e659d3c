"""What ``fullseg replay`` prints at its end."""

import sys

from rich.console import Console
from rich.table import Table

from fullseg.config.strategies import REPLAY
from fullseg.journals.comparison import Comparison, mean_needed
from fullseg.journals.times import Times
from fullseg.runs.folder import relative_to_here


def print_replay(found: Comparison) -> None:
    """Print the quality of each model, the strokes that it needs, and the times of the person."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    drawn = sum(one.drawn for one in found.needed) / len(found.needed)
    table = Table(
        title=f"{found.times.images} finished images, {found.times.regions} regions, {drawn:.1f} strokes per image"
    )
    for column in ("model", "IoU, no stroke", "IoU, all strokes", "eta", "strokes per image to equal quality"):
        table.add_column(column, justify="left" if column == "model" else "right")
    for (name, study), strokes in zip(found.studies.items(), mean_needed(found.needed), strict=True):
        entry = study["strategies"][REPLAY]
        eta = "" if entry["eta_of_all_rounds"] is None else f"{entry['eta_of_all_rounds']:.2f}"
        table.add_row(name, f"{100 * entry['iou'][0]:.1f}", f"{100 * entry['iou'][-1]:.1f}", eta, f"{strokes:.1f}")
    console.print(table)
    for line in (
        "IoU: mean over all regions, with the finished annotation. The strokes corrected the annotator's model, which",
        "favours this model. Equal quality: in each image the lowest of the models' last IoU.",
        *time_lines(found.times),
        f"written     {relative_to_here(found.page)}",
    ):
        console.print(line, highlight=False, soft_wrap=True)


def time_lines(found: Times) -> list[str]:
    """Return in words how long the person took."""
    share = [
        f"{name} {seconds / max(1e-9, found.whole):.0%}"
        for name, seconds in (
            ("marking", found.marking),
            ("strokes", found.drawing),
            ("names", found.naming),
            ("review", found.review),
            ("other", found.other),
        )
    ]
    return [
        f"time        {found.whole / 60 / found.images:.1f} minutes per image: {', '.join(share)}",
        f"            {found.per_region:.1f} s to mark a region (paper: 7 s), {found.per_stroke:.1f} s per stroke",
    ]
