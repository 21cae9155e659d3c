"""What COCO's data sets have in common: their folders, their JSON files, and the headers of their images."""

import json
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image

from fullseg.errors import DataError

BROKEN_IMAGE = (OSError, ValueError, SyntaxError, Image.DecompressionBombError)  # what Pillow raises for broken files
READERS, BLOCK = 16, 500  # threads that read headers, and files per piece of work
Entry = Mapping[str, Any]  # of a list in the JSON


class Files(NamedTuple):
    """The files of a COCO panoptic split."""

    json: Path
    images: Path  # folder
    panoptic: Path  # folder of the png files


def find_files(root: Path, split: str) -> Files:
    """Find a split of COCO panoptic data.

    It lies in ``root/<split>/``, in the official folders below ``root``, or in ``root`` itself.

    Raises:
        DataError: if it is in none of them, or if one of its folders is missing.
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
    """Read some lists of a COCO JSON file.

    Args:
        path: of the file.
        lists: names of the lists, and the keys that each entry must have.

    Returns:
        The lists by name.

    Raises:
        DataError: if the file is missing or broken, if a list or a key is missing, or if two images or two categories
            have the same id.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): download or write it again") from error
    for name, keys in lists.items():
        check_list(content, name, keys, str(path))
    for name in {"images", "categories"} & lists.keys():
        if len({entry["id"] for entry in content[name]}) < len(content[name]):
            raise DataError(f"{path}: two of the {name} have the same id; give each its own")
    return {name: content[name] for name in lists}


def check_list(parent: object, name: str, keys: tuple[str, ...], where: str) -> None:
    """Check that an object of a COCO JSON file has a list whose entries have all keys.

    Args:
        parent: the object.
        name: of the list.
        keys: of every entry.
        where: name of the object, for the message.

    Raises:
        DataError: if the list or a key is missing.
    """
    if not isinstance(parent, dict) or not isinstance(parent.get(name), list):
        raise DataError(f"{where}: the list {name!r} is missing; write it as COCO JSON")
    for position, entry in enumerate(parent[name]):
        missing = [key for key in keys if not isinstance(entry, dict) or key not in entry]
        if missing:
            raise DataError(f"{where}: {name}[{position}] has no {missing[0]!r}; write it as COCO JSON")


def group_by_image(annotations: Iterable[Entry]) -> dict[int, list[Entry]]:
    """Return the annotations of every image, by the image's id."""
    found: dict[int, list[Entry]] = {}
    for annotation in annotations:
        found.setdefault(annotation["image_id"], []).append(annotation)
    return found


def header_problems(files: Iterable[tuple[Path, int, int]]) -> Iterator[list[str]]:
    """Read the headers of image files and compare them with the JSON.

    Args:
        files: of each the path, and the width and height in pixels that the JSON gives.

    Yields:
        For each file, in this order, a list of problems: empty, or one text.
    """
    listed = list(files)
    blocks = (listed[start : start + BLOCK] for start in range(0, len(listed), BLOCK))
    with ThreadPoolExecutor(READERS) as pool:  # the threads wait for the disk, which may be on a network
        for block in pool.map(lambda block: [_header_problems(*file) for file in block], blocks):
            yield from block


def _header_problems(path: Path, width: int, height: int) -> list[str]:
    try:
        with Image.open(path) as image:  # this reads the header only
            found = image.size
    except FileNotFoundError:
        return [f"{path} is missing"]
    except BROKEN_IMAGE:
        return [f"{path} is not an image"]
    if found != (width, height):
        return [f"{path} is {found[0]} x {found[1]}, but the JSON says {width} x {height}"]
    return []
