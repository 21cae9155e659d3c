"""Panoptic quality of one COCO panoptic file against another, by the rules of COCO's panopticapi.

Kirillov et al., Panoptic Segmentation, CVPR 2019, Sec. 4; boundary panoptic quality: Cheng et al., Boundary IoU, CVPR
2021, Sec. 6, where a pair is worth the smaller of its IoU and its boundary IoU.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.data.coco_panoptic import read_ids
from fullseg.data.index.files import Category, DataError, Entry
from fullseg.data.index.panoptic import read_panoptic_json
from fullseg.metrics.region_iou import PanopticCounts, boundary_iou
from fullseg.types import VOID

NO_COUNTS = PanopticCounts(0.0, 0, 0, 0)
SHOWN = 5  # names that one message lists


class Segments(NamedTuple):
    """The segments of one image."""

    region_map: NDArray[np.int64]  # (H, W), segment in [0, N), VOID where nothing is labelled
    categories: NDArray[np.int64]  # (N,) ids
    crowd: NDArray[np.bool_]  # (N,)


class Quality(NamedTuple):
    """What one class, or the mean over some, is worth."""

    panoptic: float  # in [0, 1], as all that follow; NaN without a segment
    segmentation: float  # mean IoU of matched pairs
    recognition: float  # F1 of the matching
    classes: int  # that have a segment


class Evaluation(NamedTuple):
    """Counts of every category id, by IoU and by boundary IoU."""

    by_iou: dict[int, PanopticCounts]
    by_boundary: dict[int, PanopticCounts]
    categories: tuple[Category, ...]
    images: int


def evaluate(prediction: Path, truth: Path) -> Evaluation:
    """Compare all images of the truth with what is said of them.

    Args:
        prediction: ``panoptic.json`` with its png in the folder of the same name (``panoptic/``) beside it.
        truth: likewise. Images are the same where their ``file_name`` is.

    Raises:
        DataError: if a file can't be read, or an image or a category is missing in the prediction.
    """
    given, wanted = _read(prediction), _read(truth)
    names = {entry["file_name"] for entry in wanted.images.values()}
    found = {entry["file_name"]: number for number, entry in given.images.items()}
    if missing := sorted(names - found.keys()):
        listed = ", ".join(missing[:SHOWN])
        raise DataError(f"{prediction}: {len(missing)} of the {len(names)} images of {truth} are missing: {listed}")
    if unknown := sorted({c.id for c in given.categories} - {c.id for c in wanted.categories}):
        raise DataError(f"{prediction}: category ids {unknown[:SHOWN]} are not among those of {truth}")
    totals: tuple[dict[int, PanopticCounts], ...] = (defaultdict(lambda: NO_COUNTS), defaultdict(lambda: NO_COUNTS))
    for number, entry in wanted.images.items():
        pair = given.segments(found[entry["file_name"]]), wanted.segments(number)
        if pair[0].region_map.shape != pair[1].region_map.shape:
            raise DataError(f"{prediction}: {entry['file_name']} is {pair[0].region_map.shape[::-1]} pixels (W, H)")
        for total, boundary in zip(totals, (False, True), strict=True):
            for category, counts in count_segments(*pair, boundary=boundary):
                total[category] = total[category].plus(counts)
    return Evaluation(dict(totals[0]), dict(totals[1]), wanted.categories, len(names))


def count_segments(given: Segments, wanted: Segments, *, boundary: bool) -> Iterator[tuple[int, PanopticCounts]]:
    """Match the segments of one image; yield the counts of every category that has one.

    A pair of one category matches above IoU 0.5; unlabelled pixels of the truth do not count in the union, those of a
    crowd do. A crowd is never matched or missed; a prediction without partner that lies by more than half on unlabelled
    pixels and on crowds of its category is no false positive.

    Args:
        given: predicted.
        wanted: true.
        boundary: a pair's IoU is the smaller of its IoU and its boundary IoU.
    """
    both, area, void = _overlaps(given, wanted)
    true_area = np.bincount(wanted.region_map.ravel() - VOID, minlength=len(wanted.categories) + 1)[1:]
    union = true_area[:, None] + (area - void)[None] - both
    iou = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    same = wanted.categories[:, None] == given.categories
    match = (iou > 0.5) & same & ~wanted.crowd[:, None]  # at most one a row and column
    if boundary:
        iou = np.minimum(iou, _boundary_iou(given, wanted, match))
        match &= iou > 0.5
    excused = void + (both * (same & wanted.crowd[:, None])).sum(axis=0)
    false = ~match.any(axis=0) & (2 * excused <= area) & (area > 0)
    missed = ~match.any(axis=1) & ~wanted.crowd & (true_area > 0)
    for category in np.unique(np.concatenate([given.categories, wanted.categories])).tolist():
        mine, true = given.categories == category, wanted.categories == category
        pairs = match & true[:, None]
        yield (
            category,
            PanopticCounts(
                float(iou[pairs].sum()), int(pairs.sum()), int((false & mine).sum()), int((missed & true).sum())
            ),
        )


def quality_of(counts: Mapping[int, PanopticCounts], categories: set[int]) -> Quality:
    """Return the mean over the categories that have a segment."""
    parts = [one for category, one in counts.items() if category in categories and one.segments()]
    if not parts:
        return Quality(float("nan"), float("nan"), float("nan"), 0)
    panoptic = np.array([one.quality() for one in parts])
    segmentation = np.array([one.iou / one.matched if one.matched else 0.0 for one in parts])
    recognition = np.array(
        [one.matched / (one.matched + (one.false_positives + one.false_negatives) / 2) for one in parts]
    )
    return Quality(float(panoptic.mean()), float(segmentation.mean()), float(recognition.mean()), len(parts))


def _overlaps(given: Segments, wanted: Segments) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return pixels of every pair (T, P), of every predicted segment (P,), and of those on unlabelled pixels (P,)."""
    columns = len(given.categories) + 1
    pairs = (wanted.region_map - VOID) * columns + given.region_map - VOID
    counts = np.bincount(pairs.ravel(), minlength=columns * (len(wanted.categories) + 1)).reshape(-1, columns)
    return counts[1:, 1:], counts[:, 1:].sum(axis=0), counts[0, 1:]


def _boundary_iou(given: Segments, wanted: Segments, match: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the boundary IoU of pairs (T, P), 0 of all others."""
    result = np.zeros(match.shape)
    true, predicted = np.nonzero(match)
    if len(true) == 0:
        return result
    numbers = np.arange(len(true))
    maps = []
    for segments, chosen in ((given, predicted), (wanted, true)):
        renumber = np.full(len(segments.categories) + 1, len(true))  # of no pair
        renumber[chosen] = numbers
        renumber[VOID] = VOID
        maps.append(renumber[segments.region_map])
    result[true, predicted] = boundary_iou(maps[0], maps[1], len(true))
    return result


class _File(NamedTuple):
    path: Path
    images: dict[int, Entry]
    annotations: dict[int, Entry]  # by image
    categories: tuple[Category, ...]

    def segments(self, image: int) -> Segments:
        """Read one image's segments; raise DataError if png and json do not agree."""
        annotation = self.annotations[image]
        png = self.path.with_suffix("") / annotation["file_name"]
        ids = read_ids(png)
        if ids is None:
            raise DataError(f"{png} is missing or damaged: write it again, or put it there")
        infos = sorted(annotation["segments_info"], key=lambda info: int(info["id"]))
        known = np.array([0, *(info["id"] for info in infos)])
        place = np.searchsorted(known, ids).clip(max=len(known) - 1)
        if (known[place] != ids).any():
            raise DataError(f"{png}: id {ids[known[place] != ids][0]} is not in segments_info of {self.path}")
        return Segments(
            place.astype(np.int64) + VOID,
            np.array([info["category_id"] for info in infos], np.int64),
            np.array([bool(info.get("iscrowd", 0)) for info in infos], np.bool_),
        )


def _read(path: Path) -> _File:
    content = read_panoptic_json(path)
    annotations: dict[int, Entry] = {entry["image_id"]: entry for entry in content["annotations"]}
    images: dict[int, Entry] = {entry["id"]: entry for entry in content["images"]}
    if without := sorted(entry["file_name"] for number, entry in images.items() if number not in annotations):
        raise DataError(f"{path}: {len(without)} images have no annotation: {', '.join(without[:SHOWN])}")
    categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"])
    return _File(path, images, annotations, categories)
