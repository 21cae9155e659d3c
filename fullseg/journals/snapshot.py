"""Finished images as training data: a copy, so that a run can be repeated whatever happens to the images."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.export import EXPORT
from fullseg.data.index.parts import name_hash
from fullseg.errors import DataError
from fullseg.formats.coco_writer import NewSample, import_coco_panoptic
from fullseg.formats.image_file import read_image, shrink
from fullseg.journals.courses import Finished, labels_of
from fullseg.types import Category

FEWEST = 4  # finished images from which a model can learn
PARTS = 5  # one image in so many is held back


class Snapshot(NamedTuple):
    """Training data made of finished images."""

    name: str  # depends on the images and their labels alone
    folder: Path  # COCO panoptic, splits ``train`` and ``val``
    train: tuple[str, ...]  # names of the images
    held_back: tuple[str, ...]


def write_snapshot(
    folder: Path, out: Path, finished: Sequence[Finished], categories: Sequence[Category], *, with_classes: bool
) -> Snapshot:
    """Write finished images, as the network sees them, and their labels. What is there already stays.

    Args:
        folder: of all snapshots.
        out: the annotator's folder of journal and exports.
        finished: the images.
        categories: of the model.
        with_classes: the model tells them apart, so each region's class must be one of them. Otherwise all regions
            have the first.

    Raises:
        DataError: if there are fewer than ``FEWEST`` images, if a class is unknown, or if a file cannot be read.
    """
    if len(finished) < FEWEST:
        raise DataError(f"{len(finished)} finished images: a model can learn from {FEWEST} or more; finish some more")
    held_back = held_back_of([one.name for one in finished])
    digest = hashlib.sha256()
    for one in finished:
        digest.update(one.name.encode() + hashlib.sha256(one.png.read_bytes()).digest())
    name = f"{len(finished)}-{digest.hexdigest()[:8]}"
    class_of = _classes(out, categories) if with_classes else None
    for split, chosen in (("train", False), ("val", True)):
        samples = _samples([one for one in finished if (one.name in held_back) == chosen], class_of)
        import_coco_panoptic(folder / name / split, categories, samples, exist_ok=True)
    names = [one.name for one in finished]
    return Snapshot(
        name,
        folder / name,
        tuple(one for one in names if one not in held_back),
        tuple(one for one in names if one in held_back),
    )


def held_back_of(names: Sequence[str]) -> set[str]:
    """Return the images that no model learns from: about one in ``PARTS``, at least one, chosen by their names."""
    return {name for name in names if name_hash(name) % PARTS == 0} or {min(names, key=name_hash)}


def _classes(out: Path, categories: Sequence[Category]) -> dict[int, int]:
    """Return the model's class of each category of the export that the model knows."""
    content = json.loads((out / EXPORT / "panoptic.json").read_text(encoding="utf-8"))
    place = {category.name.casefold(): number for number, category in enumerate(categories)}
    return {
        one["id"]: place[one["name"].casefold()] for one in content["categories"] if one["name"].casefold() in place
    }


def _samples(finished: Sequence[Finished], class_of: dict[int, int] | None) -> Iterator[NewSample]:
    for one in finished:
        pixels = shrink(read_image(one.path))
        labels = labels_of(one, (pixels.shape[0], pixels.shape[1]))
        name = f"{one.name.replace('/', '__').rsplit('.', 1)[0]}-{name_hash(one.name) % 10**6:06}.png"
        yield NewSample(name, pixels, labels, _classes_of(one, int(labels.max(initial=-1)) + 1, class_of))


def _classes_of(one: Finished, regions: int, class_of: dict[int, int] | None) -> NDArray[np.int64]:
    classes = np.zeros(regions, np.int64)
    for segment in one.part["segments_info"]:
        if class_of is not None and segment["category_id"] not in class_of:
            raise DataError(
                f"{one.name}: the class of region {segment['id']} is none of the model's; learn with a model that has "
                "one class for all regions, for example photos"
            )
        if class_of is not None and segment["id"] <= regions:
            classes[segment["id"] - 1] = class_of[segment["category_id"]]
    return classes
