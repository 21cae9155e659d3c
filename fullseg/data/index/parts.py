"""Parts of a split, chosen by a hash of the file names, so that anybody can compute them."""

import hashlib
from pathlib import Path

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


def images_of_part(root: Path, split: str, fraction: tuple[int, int]) -> tuple[list[tuple[int, str]], int]:
    """List the images in part k of n of a COCO panoptic split.

    Args:
        root: folder of the data set.
        split: ``train``, ``val``, ...
        fraction: (k, n), 1 <= k <= n.

    Returns:
        Id and file name of each image in the part, and the number of images in the whole split.

    Raises:
        DataError: if the split or its JSON is missing or broken.
    """
    part, parts = fraction
    images = read_json(find_files(root, split).json, NAMES)["images"]
    kept = [entry for entry in images if name_hash(entry["file_name"]) % parts == part - 1]
    return [(entry["id"], entry["file_name"]) for entry in kept], len(images)
