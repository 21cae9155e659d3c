"""The images of a folder, as a person sees them: upright, 8 bits, RGB."""

import io
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fullseg.annotator.actions import is_text
from fullseg.errors import DataError

SUFFIXES = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"}
MOST_PIXELS = 100_000_000  # an image of 8000 x 8000 has 64 million
SIDE = 1024  # px: the network sees images at most this long along the longer side, and region maps have this size


class ImageError(ValueError):
    """An image that cannot be shown. The message says why."""


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


def read_image(path: Path) -> NDArray[np.uint8]:
    """Read an image as (H, W, 3) RGB.

    The image is turned by its EXIF orientation. CMYK and palettes become RGB, transparent pixels white. Values of more
    than 8 bits are scaled: the smallest of the image becomes black, the largest white. Only the first frame is read.

    Raises:
        ImageError: if it cannot be read, or is larger than ``MOST_PIXELS``.
    """
    with _opened(path) as image:
        return _to_rgb(image)


def read_thumbnail(path: Path, side: int) -> NDArray[np.uint8]:
    """Read an image as (h, w, 3) RGB, reduced to at most ``side`` pixels along its longer side."""
    with _opened(path) as image:
        image.draft("RGB", (4 * side, 4 * side))  # decodes a JPEG at a fraction of its size, in a fraction of the time
        return shrink(_to_rgb(image), side)


def for_browser(path: Path) -> tuple[bytes, str]:
    """Return (bytes, media type) of an image for a browser, which then shows the same pixels as ``read_image``.

    A JPEG that is upright and RGB or grey is sent as it is. All others are sent as PNG, which keeps every pixel.
    """
    with _opened(path) as image:
        upright = image.getexif().get(ExifTags.Base.Orientation, 1) == 1
        if image.format == "JPEG" and image.mode in ("RGB", "L") and upright:
            image.load()  # raises here if the file is damaged
            return path.read_bytes(), "image/jpeg"
        pixels = _to_rgb(image)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue(), "image/png"


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file. Every error of reading, also inside the ``with`` block, becomes an ImageError."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ImageError(
                    f"{path.name} has {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}: make it smaller"
                )
            yield image
    except UnidentifiedImageError as error:
        raise ImageError(f"{path.name} is not an image that can be read") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, ValueError) as error:
        if isinstance(error, ImageError):
            raise
        raise ImageError(f"{path.name} cannot be read: {error}") from error


def _to_rgb(image: Image.Image) -> NDArray[np.uint8]:
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # grey of 16 or 32 bits
        values = np.asarray(image, np.float64)
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        grey = np.nan_to_num((values - low) / max(high - low, 1e-12)).clip(0, 1)
        return np.repeat(np.round(255 * grey).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image.convert("RGBA"))
    return np.asarray(image.convert("RGB")).copy()


def shrink(image: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Reduce an image to (h, w, 3), as the network sees it: the longer side has at most ``side`` px."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
