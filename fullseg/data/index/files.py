"""What COCO's data sets have in common: their folders, and the headers of their images."""

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.errors import DataError, ImageError
from fullseg.formats.image_file import size_of

ENDS = 4096  # bytes at each end of an image file that its key depends on
READERS, BLOCK = 16, 500  # threads that read headers, and files per piece of work
Entry = Mapping[str, Any]  # of a list in the JSON


class Files(NamedTuple):
    """The files of a COCO panoptic split."""

    json: Path
    images: Path  # folder
    panoptic: Path  # folder of the png files


def find_files(root: Path, split: str) -> Files:
    """Find a split of COCO panoptic data.

    It lies in ``root/<split>/``, in the official folders below ``root``, or in ``root`` itself. If the folder of the
    images is missing, as in an export of the annotator, the JSON's ``info`` may say where it is (``images_folder``).

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
            images = files.images if files.images.is_dir() else _named_folder(files)
            for folder in (images, files.panoptic):
                if not folder.is_dir():
                    raise DataError(f"{files.json} is there, but the folder {folder} is not: unpack or link it there")
            return files._replace(images=images)
    looked = ", ".join(str(files.json) for files in layouts)
    raise DataError(f"no COCO panoptic data: looked for {looked}; set data.root and the split to where one of them is")


def _named_folder(files: Files) -> Path:
    """Return the folder of the images that the JSON names, relative to its own folder, or ``files.images``."""
    try:
        return files.json.parent / str(json.loads(files.json.read_bytes())["info"]["images_folder"])
    except (OSError, ValueError, KeyError, TypeError):
        return files.images


def group_by_image(annotations: Iterable[Entry]) -> dict[int, list[Entry]]:
    """Return the annotations of every image, by the image's id."""
    found: dict[int, list[Entry]] = {}
    for annotation in annotations:
        found.setdefault(annotation["image_id"], []).append(annotation)
    return found


class Header(NamedTuple):
    """What a look at an image file says."""

    problem: str  # empty: there is none
    key: int  # of the file's content, 64 bits: the same content has the same key; 0: unknown


def read_headers(files: Iterable[tuple[Path, int, int, bool]]) -> Iterator[Header]:
    """Read the headers of image files, and compare them with the JSON.

    Args:
        files: of each the path, the width and height in pixels that the JSON gives, and whether its key is wanted.

    Yields:
        One header per file, in this order.
    """
    listed = list(files)
    blocks = (listed[start : start + BLOCK] for start in range(0, len(listed), BLOCK))
    with ThreadPoolExecutor(READERS) as pool:  # the threads wait for the disk, which may be on a network
        for block in pool.map(lambda block: [_read_header(*file) for file in block], blocks):
            yield from block


def _read_header(path: Path, width: int, height: int, keyed: bool) -> Header:
    try:
        found = size_of(path, (height, width))
        if found == (height, width):
            return Header("", _content_key(path) if keyed else 0)
    except ImageError as error:
        return Header(str(error), 0)
    except OSError as error:
        return Header(f"{path} cannot be read ({error})", 0)
    return Header(f"{path} is {found[1]} x {found[0]}, but the JSON says {width} x {height}", 0)


def _content_key(path: Path) -> int:
    """Return a key of a file's length, its first and its last bytes: they differ if two images differ."""
    with path.open("rb") as file:
        length = file.seek(0, os.SEEK_END)
        file.seek(0)
        first = file.read(ENDS)
        file.seek(max(0, length - ENDS))
        digest = hashlib.sha256(b"%d:" % length + first + file.read(ENDS)).digest()
    return int.from_bytes(digest[:8], "big")
