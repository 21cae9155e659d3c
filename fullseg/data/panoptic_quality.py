"""Compares two COCO panoptic files by panoptic quality, by the rules of COCO's panopticapi.

Panoptic quality: Kirillov et al., Panoptic Segmentation, CVPR 2019, Sec. 4. Boundary panoptic quality: Cheng et al.,
Boundary IoU, CVPR 2021, Sec. 6; the IoU of a pair is then the smaller of its IoU and its boundary IoU.
"""

from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fullseg.data.index.files import Entry
from fullseg.data.index.panoptic import read_panoptic_json
from fullseg.errors import DataError
from fullseg.formats.panoptic_png import read_ids
from fullseg.metrics.panoptic import NO_COUNTS, PanopticCounts, Segments, count_segments, quality_of
from fullseg.types import VOID, Category

LISTED = 5  # names or ids in one message
KEYS = ("pq", "sq", "rq", "boundary_pq")  # of every row of the result in JSON


class Evaluation(NamedTuple):
    """The result of a comparison."""

    by_iou: dict[int, PanopticCounts]  # by category id
    by_boundary: dict[int, PanopticCounts]  # by category id, for boundary panoptic quality
    categories: tuple[Category, ...]
    images: int  # that were compared


def evaluate(prediction: Path, truth: Path) -> Evaluation:
    """Compare a prediction with the truth, for all images of the truth.

    Images of the two files belong together if they have the same ``file_name``.

    Args:
        prediction: a COCO panoptic JSON, for example ``panoptic.json``. Its png files are in the folder of the same
            name beside it, ``panoptic/``.
        truth: another such JSON, with its png files in the folder beside it.

    Raises:
        DataError: if a file cannot be read, if an image is missing in the prediction or has another size there, or if
            the prediction has a category that the truth does not have.
    """
    given, wanted = _read(prediction), _read(truth)
    names = {entry["file_name"] for entry in wanted.images.values()}
    found = {entry["file_name"]: number for number, entry in given.images.items()}
    if missing := sorted(names - found.keys()):
        listed = ", ".join(missing[:LISTED])
        raise DataError(f"{prediction}: {len(missing)} of the {len(names)} images of {truth} are missing: {listed}")
    if unknown := sorted({c.id for c in given.categories} - {c.id for c in wanted.categories}):
        raise DataError(f"{prediction}: category ids {unknown[:LISTED]} are not among those of {truth}")
    totals: tuple[dict[int, PanopticCounts], ...] = (defaultdict(lambda: NO_COUNTS), defaultdict(lambda: NO_COUNTS))
    for number, entry in wanted.images.items():
        pair = given.segments(found[entry["file_name"]]), wanted.segments(number)
        if pair[0].region_map.shape != pair[1].region_map.shape:
            raise DataError(f"{prediction}: {entry['file_name']} is {pair[0].region_map.shape[::-1]} pixels (W, H)")
        for total, boundary in zip(totals, (False, True), strict=True):
            for category, counts in count_segments(*pair, boundary=boundary):
                total[category] = total[category].plus(counts)
    return Evaluation(dict(totals[0]), dict(totals[1]), wanted.categories, len(names))


def groups_of(found: Evaluation) -> dict[str, set[int]]:
    """Return the category ids of the rows of every comparison: ``all``, ``things`` and ``stuff``."""
    things = {category.id for category in found.categories if category.isthing}
    every = {category.id for category in found.categories}
    return {"all": every, "things": things, "stuff": every - things}


def as_plain(found: Evaluation) -> dict[str, Any]:
    """Return all numbers as plain dictionaries: of the groups, and of every class that has a segment."""
    classes = {category.name: _plain(found, {category.id}) for category in found.categories}
    return {
        "images": found.images,
        **{name: _plain(found, ids) for name, ids in groups_of(found).items()},
        "classes": {name: values for name, values in classes.items() if values["pq"] is not None},
    }


def _plain(found: Evaluation, categories: set[int]) -> dict[str, float | None]:
    plain, boundary = quality_of(found.by_iou, categories), quality_of(found.by_boundary, categories)
    values = (plain.panoptic, plain.segmentation, plain.recognition, boundary.panoptic)
    return dict(zip(KEYS, values if plain.classes else 4 * (None,), strict=True))


class _File(NamedTuple):
    path: Path
    images: dict[int, Entry]
    annotations: dict[int, Entry]  # by image
    categories: tuple[Category, ...]

    def segments(self, image: int) -> Segments:
        """Read the segments of one image; raise DataError if png and JSON do not agree."""
        annotation = self.annotations[image]
        png = self.path.with_suffix("") / annotation["file_name"]
        ids = read_ids(png)
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
        raise DataError(f"{path}: {len(without)} images have no annotation: {', '.join(without[:LISTED])}")
    categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"])
    return _File(path, images, annotations, categories)
