"""What COCO's data sets have in common: where the files lie, what a json must hold, headers of images."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from fullseg.errors import DataError

BROKEN_IMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises on bad files
READERS, BLOCK = 16, 500  # threads that read headers, and how many files at once
Entry = Mapping[str, Any]  # of the json


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


def read_json(path: Path, lists: Mapping[str, tuple[str, ...]]) -> dict[str, list[dict[str, Any]]]:
    """Read a json of COCO.

    Args:
        path: of the json.
        lists: its lists that are needed, and the keys that every entry of them must have.

    Returns:
        These lists.

    Raises:
        DataError: if it cannot be read, a key is missing, or two images or categories have one id.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} is not readable json ({error}): download or write it again") from error
    for name, keys in lists.items():
        check_list(content, name, keys, str(path))
    for name in {"images", "categories"} & lists.keys():
        if len({entry["id"] for entry in content[name]}) < len(content[name]):
            raise DataError(f"{path}: two of the {name} have the same id; give each its own")
    return {name: content[name] for name in lists}


def check_list(parent: object, name: str, keys: tuple[str, ...], where: str) -> None:
    """Raise DataError, saying ``where``, unless ``parent`` has a list of that name whose entries have all keys."""
    if not isinstance(parent, dict) or not isinstance(parent.get(name), list):
        raise DataError(f"{where}: the list {name!r} is missing; write it as COCO json")
    for position, entry in enumerate(parent[name]):
        missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
        if missing:
            raise DataError(f"{where}: {name}[{position}] has no {missing[0]!r}; write it as COCO json")


def by_image(annotations: Iterable[Entry]) -> dict[int, list[Entry]]:
    """Return the annotations of every image, by its id."""
    found: dict[int, list[Entry]] = {}
    for annotation in annotations:
        found.setdefault(annotation["image_id"], []).append(annotation)
    return found


def header_problems(files: Iterable[tuple[Path, int, int]]) -> Iterator[list[str]]:
    """Yield what the headers of image files say against them: nothing, that they are missing, no image, of other size.

    Args:
        files: path, and width and height in pixels that the json gives.
    """
    listed = list(files)
    blocks = (listed[start : start + BLOCK] for start in range(0, len(listed), BLOCK))
    with ThreadPoolExecutor(READERS) as pool:  # they wait for the disk, which may be across a network
        for block in pool.map(lambda block: [_header_problems(*file) for file in block], blocks):
            yield from block


def _header_problems(path: Path, width: int, height: int) -> list[str]:
    try:
        with Image.open(path) as image:  # reads the header only
            found = image.size
    except FileNotFoundError:
        return [f"{path} is missing"]
    except BROKEN_IMAGE:
        return [f"{path} is not an image"]
    if found != (width, height):
        return [f"{path} is {found[0]} x {found[1]}, but the json says {width} x {height}"]
    return []
