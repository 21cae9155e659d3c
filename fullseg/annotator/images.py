"""The images of a folder, for the page: their list, thumbnails, and pixels as a browser shows them."""

import hashlib
import io
import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from fullseg.annotator.actions import is_text
from fullseg.errors import DataError
from fullseg.formats.image_file import opened, shrink, to_rgb

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}


def list_images(folder: Path) -> list[str]:
    """Return the names of all images below a folder, relative to it, sorted.

    Hidden files and folders, and links that lead out of the folder, are left out.

    Raises:
        DataError: if there is no such folder, or no image in it.
    """
    if not folder.is_dir():
        raise DataError(f"no folder {folder}")
    names = []
    for parent, folders, files in os.walk(folder):  # it does not follow links to folders: they may lead in circles
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = (Path(parent, name) for name in files)
        names += [path.relative_to(folder).as_posix() for path in paths if _is_image(path, folder.resolve())]
    if not names:
        kinds = ", ".join(sorted(SUFFIXES))
        raise DataError(f"{folder} holds no image ({kinds}; links that lead out of the folder are ignored)")
    return sorted(names)


def _is_image(path: Path, folder: Path) -> bool:
    if path.suffix.lower() not in SUFFIXES or path.name.startswith("."):
        return False
    return is_text(str(path)) and path.is_file() and path.resolve().is_relative_to(folder)


def read_thumbnail(path: Path, side: int) -> NDArray[np.uint8]:
    """Read an image as (h, w, 3) RGB, reduced to at most ``side`` pixels along its longer side."""
    with opened(path) as image:
        image.draft("RGB", (4 * side, 4 * side))  # decodes a JPEG at a fraction of its size, in a fraction of the time
        return shrink(to_rgb(image), side)


def for_browser(path: Path) -> tuple[bytes, str]:
    """Return (bytes, media type) of an image for a browser, which then shows the same pixels as ``read_image``.

    A JPEG that is upright and RGB or grey is sent as it is. All others are sent as PNG, which keeps every pixel.
    """
    with opened(path) as image:
        upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        if image.format == "JPEG" and image.mode in ("RGB", "L") and upright:
            image.load()  # raises here if the file is damaged
            return path.read_bytes(), "image/jpeg"
        pixels = to_rgb(image)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue(), "image/png"


def file_key(path: Path) -> str:
    """Return a key that changes when a file is replaced or modified."""
    found = path.stat() if path.is_file() else None
    what = (str(path), found.st_mtime_ns, found.st_size) if found else (str(path),)
    return hashlib.sha256(repr(what).encode()).hexdigest()[:16]
