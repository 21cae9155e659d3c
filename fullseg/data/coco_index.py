"""What a COCO panoptic data set says of its samples: where the files lie, what the json holds, what is bad."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

BROKEN_IMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises on bad files
ID_LIMIT = 1 << 24  # the png has three bytes for an id

Entry = Mapping[str, Any]  # of the json


class DataError(ValueError):
    """Bad data: the message names the file, what is wrong with it, and the remedy."""


class Category(NamedTuple):
    """A class of regions."""

    id: int  # in the files; inside fullseg a class is its position among the categories
    name: str
    isthing: bool


class Files(NamedTuple):
    """Where a data set lies."""

    json: Path
    images: Path  # folder
    panoptic: Path  # folder of the png


def find_files(root: Path, split: str) -> Files:
    """Find a split in our layout, the official one, or directly in ``root``.

    Raises:
        DataError: if it is in none of them, or a folder of it is missing.
    """
    official = root / "annotations" / f"panoptic_{split}2017"
    layouts = (
        Files(root / split / "panoptic.json", root / split / "images", root / split / "panoptic"),
        Files(official.with_suffix(".json"), root / f"{split}2017", official),
        Files(root / "panoptic.json", root / "images", root / "panoptic"),
    )
    for files in layouts:
        if files.json.is_file():
            for folder in (files.images, files.panoptic):
                if not folder.is_dir():
                    raise DataError(f"{files.json} is there, but the folder {folder} is not: unpack or link it there")
            return files
    looked = ", ".join(str(files.json) for files in layouts)
    raise DataError(f"no COCO panoptic data: looked for {looked}; set data.root and the split to where one of them is")


def load_index(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Read the json.

    Returns:
        Its lists ``images``, ``annotations`` and ``categories``, whose entries have all keys that are read later.

    Raises:
        DataError: if it cannot be read or a key is missing.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable json ({error}): download or write it again") from error
    _check_list(content, "images", ("id", "file_name", "height", "width"), str(path))
    _check_list(content, "annotations", ("image_id", "file_name", "segments_info"), str(path))
    _check_list(content, "categories", ("id", "name", "isthing"), str(path))
    for annotation in content["annotations"]:
        _check_list(annotation, "segments_info", ("id", "category_id"), f"{path}: {annotation['file_name']}")
    for key in ("images", "categories"):
        if len({entry["id"] for entry in content[key]}) < len(content[key]):
            raise DataError(f"{path}: two of the {key} have the same id; give each its own")
    return {key: content[key] for key in ("images", "annotations", "categories")}


def select(entries: list[dict[str, Any]], annotators: str, fraction: tuple[int, int], path: Path) -> list[Entry]:
    """Return the image entries of the chosen annotators in the chosen part (see ``CocoPanoptic``), in order.

    Raises:
        DataError: if the json at ``path`` names annotators, but not the chosen one.
        ValueError: for a wrong ``annotators`` or ``fraction``.
    """
    part, parts = fraction
    if not 1 <= part <= parts:
        raise ValueError(f"fraction {part}/{parts}: write (k, n), the k-th of n parts, 1 <= k <= n")
    kept: list[Entry] = [entry for entry in entries if _part(entry["file_name"], parts) == part]
    if annotators == "all":
        return kept
    if annotators == "median":
        return [entry for entry in kept if entry.get("median", True)]
    if not annotators.isdecimal():
        raise ValueError(f"annotators {annotators!r}: choose all, median or the number of an annotator from 0")
    numbers = {entry["annotator"] for entry in entries if "annotator" in entry}
    if numbers and int(annotators) not in numbers:
        known = ", ".join(map(str, sorted(numbers)))
        raise DataError(f"{path}: no image has annotator {annotators}; choose all, median or one of {known}")
    return [entry for entry in kept if entry.get("annotator", int(annotators)) == int(annotators)]


def sample_name(entry: Entry) -> str:
    """Return the image's file name, followed by '#k' for annotator k."""
    return f"{entry['file_name']}#{entry['annotator']}" if "annotator" in entry else str(entry["file_name"])


def identity(entry: Entry, annotation: Entry) -> bytes:
    """Return what tells a sample from others, whatever its folder and its ids: the input of the fingerprint."""
    keys = ("id", "category_id", "iscrowd", "area")
    segments = [[segment.get(key) for key in keys] for segment in annotation["segments_info"]]
    return json.dumps([sample_name(entry), entry["height"], entry["width"], segments]).encode()


def problems(
    entry: Entry, annotations: list[Entry], files: Files, known: Mapping[int, int], max_regions: int
) -> Iterator[str]:
    """Yield all that is wrong with one sample, as far as the json and the headers of its files tell.

    Args:
        entry: of the image.
        annotations: all those of this image.
        files: where the files lie.
        known: its keys are the ids of the categories.
        max_regions: more are a problem.
    """
    if len(annotations) != 1:
        yield f"{len(annotations)} annotations in the json instead of 1"
        return
    size = (entry["width"], entry["height"])
    for path in (files.images / entry["file_name"], files.panoptic / annotations[0]["file_name"]):
        yield from _header_problems(path, size)
    segments = annotations[0]["segments_info"]
    ids = [segment["id"] for segment in segments]
    if wrong := [found for found in ids if not isinstance(found, int) or not 0 < found < ID_LIMIT]:
        yield f"segment id {wrong[0]!r} is not in 1 .. {ID_LIMIT - 1}"
    if len(set(ids)) < len(ids):
        yield f"segment id {next(found for found in ids if ids.count(found) > 1)} is there twice"
    if unknown := sorted({segment["category_id"] for segment in segments} - known.keys()):
        yield f"category id {unknown[0]} is not among the categories"
    num_regions = sum(not segment.get("iscrowd", 0) for segment in segments)
    if num_regions == 0:
        yield "no region" + (", only crowd" if segments else "")
    if num_regions > max_regions:
        yield f"{num_regions} regions, more than data.max_regions={max_regions}"


def _part(file_name: str, parts: int) -> int:
    # By the image, so that all its annotators stay together; not Python's hash(), which differs from run to run.
    return int.from_bytes(hashlib.sha256(file_name.encode()).digest()[:8], "big") % parts + 1


def _check_list(parent: object, key: str, keys: tuple[str, ...], where: str) -> None:
    if not isinstance(parent, dict) or not isinstance(parent.get(key), list):
        raise DataError(f"{where}: the list {key!r} is missing; write it as COCO panoptic json")
    for position, entry in enumerate(parent[key]):
        missing = [name for name in keys if not isinstance(entry, dict) or name not in entry]
        if missing:
            raise DataError(f"{where}: {key}[{position}] has no {missing[0]!r}; write it as COCO panoptic json")


def _header_problems(path: Path, size: tuple[int, int]) -> Iterator[str]:
    try:
        with Image.open(path) as image:  # reads the header only
            found = image.size
    except FileNotFoundError:
        yield f"{path} is missing"
    except BROKEN_IMAGE:
        yield f"{path} is not an image"
    else:
        if found != size:
            yield f"{path} is {found[0]} x {found[1]}, but the json says {size[0]} x {size[1]}"
