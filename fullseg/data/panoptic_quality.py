"""Compares two COCO panoptic files by panoptic quality, by the rules of COCO's panopticapi.

Panoptic quality: Kirillov et al., Panoptic Segmentation, CVPR 2019, Sec. 4. Boundary panoptic quality: Cheng et al.,
Boundary IoU, CVPR 2021, Sec. 6; the IoU of a pair is then the smaller of its IoU and its boundary IoU.
"""

from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fullseg.data.index.files import Entry
from fullseg.errors import DataError
from fullseg.formats.coco_schema import PANOPTIC, read_json
from fullseg.formats.panoptic_png import read_ids
from fullseg.metrics.panoptic import NO_COUNTS, PanopticCounts, Segments, count_segments, quality_of
from fullseg.types import VOID, Category

LISTED = 5  # names or ids in one message
KEYS = ("pq", "sq", "rq", "boundary_pq")  # of every row of the result in JSON


_Name = tuple[str, int | None]  # file name and annotator


class Evaluation(NamedTuple):
    """The result of a comparison."""

    by_iou: dict[int, PanopticCounts]  # by category id
    by_boundary: dict[int, PanopticCounts]  # by category id, for boundary panoptic quality
    categories: tuple[Category, ...]
    images: int  # that were compared


def evaluate(prediction: Path, truth: Path) -> Evaluation:
    """Compare a prediction with the truth, for all images of the truth.

    Images of the two files belong together if they have the same ``file_name`` and the same ``annotator``, if any.
    Classes belong together if they have the same name; their ids may differ.

    Args:
        prediction: a COCO panoptic JSON, for example ``panoptic.json``. Its png files are in the folder of the same
            name beside it, ``panoptic/``.
        truth: another such JSON, with its png files in the folder beside it.

    Raises:
        DataError: if a file cannot be read, if an image is missing in the prediction or has another size there, if two
            images of a file cannot be told apart, or if the prediction has a class that the truth does not have.
    """
    given, wanted = _read(prediction), _read(truth)
    found, names = given.by_name(), wanted.by_name()
    if missing := sorted(_said(name) for name in names.keys() - found.keys()):
        listed = ", ".join(missing[:LISTED])
        raise DataError(f"{prediction}: {len(missing)} of the {len(names)} images of {truth} are missing: {listed}")
    translated = _translation(given, wanted)
    totals: tuple[dict[int, PanopticCounts], ...] = (defaultdict(lambda: NO_COUNTS), defaultdict(lambda: NO_COUNTS))
    for name, number in names.items():
        ours, theirs = given.segments(found[name], translated), wanted.segments(number, None)
        if ours.region_map.shape != theirs.region_map.shape:
            sizes = [" x ".join(map(str, each.region_map.shape[::-1])) for each in (ours, theirs)]
            raise DataError(f"{prediction}: {_said(name)} is {sizes[0]} pixels, in {truth} {sizes[1]}")
        for total, boundary in zip(totals, (False, True), strict=True):
            for category, counts in count_segments(ours, theirs, boundary=boundary):
                total[category] = total[category].plus(counts)
    return Evaluation(dict(totals[0]), dict(totals[1]), wanted.categories, len(names))


def _translation(given: "_File", wanted: "_File") -> dict[int, int]:
    """Return the id in the truth of every class of the prediction, found by its name."""
    for file in (given, wanted):
        names = [category.name for category in file.categories]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise DataError(f"{file.path}: two categories have the name {twice[0]!r}; give each its own name")
    ids = {category.name: category for category in wanted.categories}
    if unknown := sorted({category.name for category in given.categories} - ids.keys()):
        listed, known = (", ".join(map(repr, names[:LISTED])) for names in (unknown, sorted(ids)))
        raise DataError(f"{given.path}: the classes {listed} are not among those of {wanted.path}, which has {known}")
    for category in given.categories:
        if category.isthing != ids[category.name].isthing:
            kinds = ("stuff", "things")
            raise DataError(
                f"{given.path}: {category.name!r} is of the {kinds[category.isthing]} there, in {wanted.path} of the "
                f"{kinds[not category.isthing]}: write isthing alike in both"
            )
    return {category.id: ids[category.name].id for category in given.categories}


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

    def by_name(self) -> dict[_Name, int]:
        """Return the id of every image by its file name and annotator; raise DataError if two have the same."""
        found: dict[_Name, int] = {}
        for number, entry in self.images.items():
            name = entry["file_name"], entry.get("annotator")
            if name in found:
                raise DataError(
                    f"{self.path}: two images are called {_said(name)}; give each its own file_name, or an annotator's "
                    "number if they are partitions of one image"
                )
            found[name] = number
        return found

    def segments(self, image: int, translated: Mapping[int, int] | None) -> Segments:
        """Read the segments of one image; raise DataError if png and JSON do not agree.

        Args:
            image: its id.
            translated: the class that takes the place of each; None: each keeps its own.
        """
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
            np.array([self._class(info, translated, png) for info in infos], np.int64),
            np.array([bool(info.get("iscrowd", 0)) for info in infos], np.bool_),
        )

    def _class(self, info: Entry, translated: Mapping[int, int] | None, png: Path) -> int:
        number = int(info["category_id"])
        if number not in {category.id for category in self.categories}:
            raise DataError(f"{self.path}: category id {number} of {png.name} is not among the categories")
        return number if translated is None else translated[number]


def _said(name: _Name) -> str:
    return name[0] if name[1] is None else f"{name[0]}#{name[1]}"


def _read(path: Path) -> _File:
    content = read_json(path, PANOPTIC)
    annotations: dict[int, Entry] = {entry["image_id"]: entry for entry in content["annotations"]}
    if len(annotations) < len(content["annotations"]):
        numbers = [entry["image_id"] for entry in content["annotations"]]
        twice = next(number for number in numbers if numbers.count(number) > 1)
        raise DataError(f"{path}: image {twice} has {numbers.count(twice)} annotations; keep one per image")
    images: dict[int, Entry] = {entry["id"]: entry for entry in content["images"]}
    if without := sorted(entry["file_name"] for number, entry in images.items() if number not in annotations):
        raise DataError(f"{path}: {len(without)} images have no annotation: {', '.join(without[:LISTED])}")
    categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"])
    return _File(path, images, annotations, categories)
