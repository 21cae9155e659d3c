"""Parts of a split, chosen by a hash of the file names, so that anybody can compute them."""

import hashlib
from pathlib import Path

import numpy as np

from fullseg.config.parts import Parts
from fullseg.data.index.files import find_files
from fullseg.formats.coco_schema import NAMES, read_json

RULE = (
    "an image is in part k of n if the first 8 bytes of the SHA-256 of its file name (UTF-8, as in the JSON), "
    "read as a big-endian number, leave the remainder k - 1 when divided by n"
)


def name_hash(file_name: str) -> int:
    """Return the number that decides on an image's part: the first 8 bytes of the SHA-256, big-endian (see ``RULE``).

    It is the same for all annotators of an image, and must never change.
    """
    return int.from_bytes(hashlib.sha256(file_name.encode()).digest()[:8], "big")


def images_of_part(root: Path, split: str, fraction: Parts) -> tuple[list[tuple[int, str]], int]:
    """List the images in some parts of a COCO panoptic split.

    Args:
        root: folder of the data set.
        split: ``train``, ``val``, ...
        fraction: the parts.

    Returns:
        Id and file name of each image in these parts, and the number of images in the whole split.

    Raises:
        DataError: if the split or its JSON is missing or broken.
    """
    images = read_json(find_files(root, split).json, NAMES)["images"]
    inside = fraction.hold(np.array([name_hash(entry["file_name"]) for entry in images], np.uint64))
    kept = [entry for entry, kept in zip(images, inside.tolist(), strict=True) if kept]
    return [(entry["id"], entry["file_name"]) for entry in kept], len(images)
