"""Exports: COCO panoptic, COCO instances and label png, for each image and for all images together."""

import hashlib
import json
import os
from collections.abc import Container, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from fullseg.annotator.categories import UNNAMED, UNNAMED_ID
from fullseg.annotator.notes import Note
from fullseg.annotator.work import Work
from fullseg.formats.atomic import replacing, write_json, write_text
from fullseg.formats.panoptic_png import categories_as_json, segments_info, write_panoptic_png
from fullseg.types import Category

EXPORT = "export"  # folder of all exports, in the annotator's output
PARTS = "parts"  # in it: one json file per image
TIMES = "times.json"  # in it: what each image took, and the notes about it
_FILES = (("panoptic", "png"), ("labels", "png"), (PARTS, "json"))
LONGEST_NAME = 200  # bytes of an exported file's name without its suffix; file systems allow 255 with all
MOST_LABELS = 255  # most regions that a label png of 8 bits can hold; 0 is VOID


class Exported(NamedTuple):
    """The result of exporting one image."""

    segments: int
    unassigned: int  # pixels that are VOID
    files: list[Path]
    unreadable: Sequence[Path] = ()  # parts of other images that could not be read, and are left out


def export_image(
    folder: Path,
    name: str,
    work: Work,
    full: NDArray[np.int64],
    category_ids: Sequence[int],
    things: Container[int],
    revision: int,
) -> Exported:
    """Write one image's panoptic png, label png and its part of the json files, each whole or not at all.

    Args:
        folder: the folder of all exports.
        name: the image's name, relative to the folder of images.
        work: the state of the image, with N regions.
        full: (H, W) int64, the labels at the size of the image file: region in [0, N), or VOID.
        category_ids: the category of each region.
        things: ids of the categories whose regions are written as instances.
        revision: number of actions on the image until then.
    """
    segments = segments_info(full, category_ids)
    for segment in segments:
        region = work.regions[segment["id"] - 1]
        segment.update(name=region.name, confirmed=region.category is not None)
    instances = [_instance(full, segment) for segment in segments if segment["category_id"] in things]
    short = _file_name(name)
    png, label, described = (folder / kind / f"{short}.{end}" for kind, end in _FILES)
    part = {
        "file_name": name,
        "png": f"{short}.png",
        "height": full.shape[0],
        "width": full.shape[1],
        "revision": revision,
        "segments_info": segments,
        "instances": instances,
    }
    for path in (png, label, described):
        path.parent.mkdir(parents=True, exist_ok=True)
    with replacing(png) as partial:
        write_panoptic_png(partial, full)
    with replacing(label) as partial:
        Image.fromarray(_labels(full)).save(partial)
    write_json(described, part, indent=None)
    return Exported(len(segments), int(np.count_nonzero(full < 0)), [png, label, described])


class _Part(NamedTuple):
    """The exported part of one image, as texts that the common files are put together from."""

    state: tuple[int, int]  # time and size of the part's file
    file_name: str  # of the image
    image: str  # JSON of file_name, height and width, without braces
    partition: str  # JSON of file_name of the png and segments_info, without braces
    objects: tuple[str, ...]  # JSON of each instance, without braces


class Exports:
    """The parts of all images that were exported so far.

    A part stays if its image is moved, renamed or deleted: what a person finished is not lost. Parts are read and
    encoded once, because there may be thousands.

    Args:
        folder: the folder of all exports.

    Attributes:
        unreadable: parts that could not be read the last time.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.unreadable: list[Path] = []
        self._parts: dict[str, _Part] = {}  # by path

    def collect(self, categories: Sequence[Category], images_folder: Path) -> list[Path]:
        """Write ``panoptic.json`` and ``instances.json`` of all images that were exported so far.

        Args:
            categories: all categories, in order.
            images_folder: of the images. Our own reader of COCO panoptic finds them by it.

        Returns:
            The files.
        """
        parts = self._read()
        unnamed = any(f'"category_id": {UNNAMED_ID},' in part.partition for part in parts)  # of another model's classes
        if unnamed and all(category.id != UNNAMED_ID for category in categories):
            categories = [*categories, Category(UNNAMED_ID, UNNAMED, isthing=True)]
        where = Path(os.path.relpath(images_folder.resolve(), self.folder.resolve())).as_posix()
        images = (f'{{"id": {number}, {part.image}}}' for number, part in enumerate(parts, start=1))
        common = f'{{"info": {json.dumps({"images_folder": where})}, "images": [{", ".join(images)}], '
        common += f'"categories": {json.dumps(categories_as_json(categories))}, "annotations": ['
        panoptic = (f'{{"image_id": {number}, {part.partition}}}' for number, part in enumerate(parts, start=1))
        objects = ((number, one) for number, part in enumerate(parts, start=1) for one in part.objects)
        numbered = (f'{{"id": {k}, "image_id": {image}, {one}}}' for k, (image, one) in enumerate(objects, start=1))
        written = []
        for file, annotations in (("panoptic.json", panoptic), ("instances.json", numbered)):
            write_text(self.folder / file, f"{common}{', '.join(annotations)}]}}")
            written.append(self.folder / file)
        return written

    def _read(self) -> list[_Part]:
        """Return all parts by the names of their images, read again where they have changed."""
        self.unreadable, before, self._parts = [], self._parts, {}
        walked = os.walk(self.folder / PARTS)
        paths = sorted(f"{parent}/{name}" for parent, _, files in walked for name in files if name.endswith(".json"))
        for path in paths:
            stat = Path(path).stat()
            state, known = (stat.st_mtime_ns, stat.st_size), before.get(path)
            try:
                self._parts[path] = known if known is not None and known.state == state else _read_part(path, state)
            except (OSError, ValueError, KeyError, TypeError):
                self.unreadable.append(Path(path))
        return sorted(self._parts.values(), key=lambda part: part.file_name)


def _read_part(path: str, state: tuple[int, int]) -> _Part:
    part = json.loads(Path(path).read_text(encoding="utf-8"))
    png = part.get("png", f"{part['file_name']}.png")  # exports of version 0.1.0 do not say it
    return _Part(
        state,
        str(part["file_name"]),
        json.dumps({key: part[key] for key in ("file_name", "height", "width")})[1:-1],
        json.dumps({"file_name": png, "segments_info": part["segments_info"]})[1:-1],
        tuple(json.dumps(one)[1:-1] for one in part["instances"]),
    )


def exported_labels(out: Path, name: str) -> tuple[int, Path] | None:
    """Return the revision and the label png of an image's export; None: there is none.

    Args:
        out: the annotator's output.
        name: the image's name, relative to the folder of images.
    """
    short = _file_name(name)
    label, part = (out / EXPORT / kind / f"{short}.{end}" for kind, end in _FILES[1:])
    try:
        revision = json.loads(part.read_text(encoding="utf-8"))["revision"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (int(revision), label) if label.is_file() else None


def _file_name(name: str) -> str:
    """Return a name for an image's exported files: its own, or a shorter one if a file could not have it."""
    path = PurePosixPath(name)
    encoded = os.fsencode(path.name)
    if len(encoded) <= LONGEST_NAME:
        return name
    start = encoded[:LONGEST_NAME].decode("utf-8", "ignore")
    return (path.parent / f"{start}-{hashlib.sha256(encoded).hexdigest()[:8]}").as_posix()


def write_times(
    folder: Path,
    progress: Iterable[tuple[str, int, bool]],
    seconds: Iterable[tuple[str, str, int, float]],
    notes: Mapping[str, Note],
) -> Path:
    """Write ``times.json``: per image the notes and the time that it took, also per kind of action and per region.

    Args:
        folder: the folder of all exports.
        progress: for each image its name, its number of regions, and whether it is done.
        seconds: for each image and kind of action: name of the image, kind, number of actions, their seconds.
        notes: the newest note about an image, by name.
    """
    actions: dict[str, dict[str, dict[str, float]]] = {}
    for name, kind, count, took in seconds:
        actions.setdefault(name, {})[kind] = {"count": count, "seconds": round(took, 1)}
    images = [
        {
            "file_name": name,
            "done": done,
            **notes.get(name, Note())._asdict(),
            **_cost(regions, actions.get(name, {})),
            "actions": actions.get(name, {}),
        }
        for name, regions, done in progress
        if name in actions or name in notes
    ]
    together = sum(image["regions"] for image in images)
    total = sum(image["seconds"] for image in images)
    content = {"images": images, "seconds_per_region": round(total / together, 2) if together else None}
    write_json(folder / TIMES, content, indent=None)
    return folder / TIMES


def _cost(regions: int, actions: dict[str, dict[str, float]]) -> dict[str, Any]:
    total = sum(action["seconds"] for action in actions.values())
    each = round(total / regions, 2) if regions else None
    return {"regions": regions, "seconds": round(total, 1), "seconds_per_region": each}


def _instance(region_map: NDArray[np.int64], segment: dict[str, Any]) -> dict[str, Any]:
    pixels = np.asfortranarray(region_map == segment["id"] - 1, np.uint8)
    encoded = coco_mask.encode(pixels)
    counts = encoded["counts"].decode("ascii")  # JSON has no bytes
    kept = {key: segment[key] for key in ("category_id", "area", "bbox", "iscrowd", "name", "confirmed")}
    return {**kept, "segmentation": {"size": [int(side) for side in encoded["size"]], "counts": counts}}


def _labels(region_map: NDArray[np.int64]) -> NDArray[np.uint16] | NDArray[np.uint8]:
    """Return labels (H, W): 0 for VOID, else region + 1. They are uint8 if that suffices, else uint16."""
    labels = (region_map + 1).astype(np.uint16)
    return labels if labels.max() > MOST_LABELS else labels.astype(np.uint8)
