"""Pictures of a finished study."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from fullseg.formats.atomic import replacing
from fullseg.pictures import draw_failures
from fullseg.simulation.interaction import Round
from fullseg.study.figures import choose_images, curves, interaction_grid
from fullseg.study.records import ImageRecord
from fullseg.types import Sample

WORST = 8  # regions drawn
FIGURES = ("fig5", "fig6", "worst_regions")


def write_figures(
    folder: Path,
    study: Mapping[str, Any],
    records: Mapping[str, Sequence[ImageRecord]],
    again: Callable[[int, str], tuple[Sample, Sequence[Round]]],
) -> list[Path]:
    """Draw Fig. 5, Fig. 6 of the best, median and worst image, and the worst regions.

    Args:
        folder: for the pictures.
        study: content of ``study.json``.
        records: of the strategies that were studied now. Fig. 6 and the worst regions are of ``free`` where the study
            has it, else of its first strategy; they stay as they are where that was studied earlier.
        again: annotates the image of an index anew by a strategy: pictures of all would be too many to keep.

    Returns:
        Paths of the pictures that were drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.png" for name in FIGURES]
    with replacing(paths[0]) as partial:
        curves({study["experiment"]: study}).savefig(partial, dpi=150)
    shown = "free" if "free" in study["strategies"] else next(iter(study["strategies"]))
    if shown not in records:
        return paths[:1]
    images = records[shown]
    final = np.array([np.nanmean(record.iou[-1]) for record in images])
    chosen = choose_images([record.name for record in images], final)
    rows = [(title, *again(images[at].index, shown)) for title, at in chosen]
    with replacing(paths[1]) as partial:
        interaction_grid(rows).save(partial)
    with replacing(paths[2]) as partial:
        _worst_regions(images, lambda index: again(index, shown)).save(partial)
    return paths


def _worst_regions(
    images: Sequence[ImageRecord], again: Callable[[int], tuple[Sample, Sequence[Round]]]
) -> Image.Image:
    scores = np.concatenate([record.iou[-1] for record in images])
    owner = np.concatenate([np.full(len(record.classes), at) for at, record in enumerate(images)])
    number = np.concatenate([np.arange(len(record.classes)) for record in images])
    cases = []
    for at in np.argsort(np.where(np.isnan(scores), np.inf, scores), kind="stable")[:WORST]:
        record, region = images[owner[at]], int(number[at])
        sample, rounds = again(record.index)
        title = (
            f"{record.name}, region {region}: IoU {100 * record.iou[0, region]:.0f} -> {100 * scores[at]:.0f} % "
            f"after {record.scribbles[-1, region]} scribbles, {record.area[region]} px"
        )
        cases.append((title, sample, rounds[-1].annotations, rounds[-1].prediction, region))
    return draw_failures(cases)
