"""The pictures of a finished study: Fig. 5, Fig. 6, and the worst regions."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.formats.atomic import replacing
from fullseg.pictures import draw_failures
from fullseg.simulation.interaction import Round
from fullseg.study.figures import choose_images, curves, interaction_grid
from fullseg.study.records import ImageRecord
from fullseg.types import VOID, Sample

WORST = 8  # regions that are drawn
FIGURES = ("fig5", "fig6", "worst_regions")


def write_figures(
    folder: Path,
    study: Mapping[str, Any],
    records: Mapping[str, Sequence[ImageRecord]],
    annotate: Callable[[int, str], tuple[Sample, Sequence[Round]]],
) -> list[Path]:
    """Draw Fig. 5 of all strategies; Fig. 6 and the worst regions of one strategy.

    That strategy is ``free`` if the study has it, or else its first. If it was studied earlier and not now, its
    pictures stay as they are.

    Args:
        folder: for the pictures.
        study: content of ``study.json``.
        records: of the strategies that were studied now.
        annotate: annotates the image of an index once more, by the strategy of a name, and returns the states after
            all rounds. A study keeps no states, because those of all images would fill the memory.

    Returns:
        Paths of the pictures that were drawn.
    """
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{figure}.png" for figure in FIGURES]
    with replacing(paths[0]) as partial:
        curves({study["experiment"]: study}).savefig(partial, dpi=150)
    name = "free" if "free" in study["strategies"] else next(iter(study["strategies"]))
    if name not in records:
        return paths[:1]
    images = records[name]
    final = np.array([np.nanmean(record.iou[-1]) for record in images])
    chosen = choose_images([record.name for record in images], final)
    rows = []
    for title, at in chosen:
        sample, rounds = annotate(images[at].index, name)
        drawn = [state._replace(prediction=_as_region_map(state.prediction)) for state in rounds]
        rows.append((title, sample, drawn))
    with replacing(paths[1]) as partial:
        interaction_grid(rows).save(partial)
    with replacing(paths[2]) as partial:
        _worst_regions(images, lambda index: annotate(index, name)).save(partial)
    return paths


def _worst_regions(
    images: Sequence[ImageRecord], annotate: Callable[[int], tuple[Sample, Sequence[Round]]]
) -> Image.Image:
    scores = np.concatenate([record.iou[-1] for record in images])
    owner = np.concatenate([np.full(len(record.classes), at) for at, record in enumerate(images)])
    number = np.concatenate([np.arange(len(record.classes)) for record in images])
    cases = []
    for at in np.argsort(np.where(np.isnan(scores), np.inf, scores), kind="stable")[:WORST]:
        record, region = images[owner[at]], int(number[at])
        sample, rounds = annotate(record.index)
        title = (
            f"{record.name}, region {region}: IoU {100 * record.iou[0, region]:.0f} -> {100 * scores[at]:.0f} % "
            f"after {record.scribbles[-1, region]} scribbles, {record.area[region]} px"
        )
        prediction = _as_region_map(rounds[-1].prediction, on_top=region)
        cases.append((title, sample, rounds[-1].annotations, prediction, region))
    return draw_failures(cases)


def _as_region_map(prediction: NDArray[Any], on_top: int | None = None) -> NDArray[np.int64]:
    """Lay masks (N, H, W) that are each by itself on top of each other for a picture: (H, W), smaller masks on top.

    Args:
        prediction: the masks; or a region map (H, W), which stays as it is.
        on_top: the region whose mask hides all others.
    """
    if prediction.ndim == 2:
        return prediction
    region_map = np.full(prediction.shape[1:], VOID)
    order = np.argsort(-prediction.sum(axis=(1, 2)), kind="stable").tolist()
    for region in [*order, *([] if on_top is None else [on_top])]:
        region_map[prediction[region]] = region
    return region_map
