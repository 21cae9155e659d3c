"""Parts of a split that anybody can compute: by a hash of the images' file names."""

import hashlib
from pathlib import Path

from fullseg.data.index.files import find_files, read_json

RULE = (
    "an image is in part k of n where the first 8 bytes of the SHA-256 of its file name (UTF-8, as in the json), "
    "a big-endian number, give the remainder k - 1 when divided by n"
)


def name_hash(file_name: str) -> int:
    """Return what decides on an image's part, see ``RULE``: the same for all annotators of an image, and for ever."""
    return int.from_bytes(hashlib.sha256(file_name.encode()).digest()[:8], "big")


def images_of_part(root: Path, split: str, fraction: tuple[int, int]) -> tuple[list[tuple[int, str]], int]:
    """Return ids and file names of the images in part k of n of a split, and how many images the whole split has.

    Args:
        root: folder of the data set, see ``CocoPanoptic``.
        split: likewise.
        fraction: (k, n), 1 <= k <= n.

    Raises:
        DataError: if there is no such data, or its json can't be read.
    """
    part, parts = fraction
    images = read_json(find_files(root, split).json, {"images": ("id", "file_name")})["images"]
    kept = [entry for entry in images if name_hash(entry["file_name"]) % parts == part - 1]
    return [(entry["id"], entry["file_name"]) for entry in kept], len(images)
