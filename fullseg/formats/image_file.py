"""The one reader of images: upright, 8 bits, RGB. What a person sees is what the network sees."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from fullseg.errors import ImageError

MOST_PIXELS = 100_000_000  # an image of 8000 x 8000 has 64 million
SIDE = 1024  # px: in annotator and predict the network sees images at most this long along the longer side
WHITE = (255, 255, 255, 255)

# The check of MOST_PIXELS replaces Pillow's own, which warns from 89 million pixels on.
Image.MAX_IMAGE_PIXELS = None


def read_image(path: Path, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Read an image.

    It is turned by its EXIF orientation. CMYK and palettes become RGB, transparent pixels white. Values of more than 8
    bits are scaled: the smallest of the image becomes black, the largest white. Only the first frame is read.

    Args:
        path: of the file.
        size: (H, W) that others say it has, in pixels. The image is not turned if only the stored pixels fit it: labels
            may have been drawn on these.

    Returns:
        (H, W, 3) uint8 RGB.

    Raises:
        ImageError: if it cannot be read, or is larger than ``MOST_PIXELS``.
    """
    with opened(path) as image:
        return to_rgb(image, size)


def size_of(path: Path, size: tuple[int, int] | None = None) -> tuple[int, int]:
    """Return the (H, W) that ``read_image`` gives for the same arguments. Mostly it reads the header only.

    Raises:
        ImageError: as ``read_image``, if the header shows the fault.
    """
    with opened(path) as image:
        stored = image.height, image.width
        return stored if stored == size or not _turns_sides(image) else stored[::-1]


@contextmanager
def opened(path: Path) -> Iterator[Image.Image]:
    """Open an image file with Pillow. Every error of reading, also inside the ``with`` block, becomes an ImageError."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > MOST_PIXELS:
                raise ImageError(
                    f"{path} has {image.width} x {image.height} pixels, more than {MOST_PIXELS:,}: make it smaller"
                )
            yield image
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{path} is missing") from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is not an image that can be read") from error
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError, ValueError) as error:  # of broken files
        raise ImageError(f"{path} cannot be read ({error}): download or write it again") from error


def to_rgb(image: Image.Image, size: tuple[int, int] | None = None) -> NDArray[np.uint8]:
    """Return the pixels (H, W, 3) uint8 RGB of an open image, as ``read_image`` does."""
    image.load()  # raise errors here: np.array would hide some of them
    if size is None or (image.height, image.width) != size or not _turns_sides(image):
        image = ImageOps.exif_transpose(image)
    if image.mode.startswith(("I", "F")):  # grey of 16 or 32 bits
        values = np.asarray(image, np.float64)
        finite = values[np.isfinite(values)]
        low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
        grey = np.nan_to_num((values - low) / max(high - low, 1e-12)).clip(0, 1)
        return np.repeat(np.round(255 * grey).astype(np.uint8)[:, :, None], 3, axis=2)
    if image.has_transparency_data:
        image = Image.alpha_composite(Image.new("RGBA", image.size, WHITE), image.convert("RGBA"))
    rgb = image if image.mode == "RGB" else image.convert("RGB")  # convert alone would copy RGB images, too
    return np.array(rgb)  # a copy: Pillow's own array is read-only


def shrink(image: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Reduce an image to (h, w, 3), as the network sees it: the longer side has at most ``side`` px."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale >= 1:
        return image
    size = max(1, round(scale * width)), max(1, round(scale * height))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)


def enlarge(region_map: NDArray[np.int64], size: tuple[int, int]) -> NDArray[np.int64]:
    """Enlarge the region map (h, w) of a shrunk image to ``size`` (H, W), without new values."""
    larger = cv2.resize(region_map.astype(np.int32), size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    return larger.astype(np.int64)


def _turns_sides(image: Image.Image) -> bool:
    """Return whether the EXIF orientation exchanges width and height."""
    # Pillow turns a TIFF by itself, and gives its size after that.
    return image.format != "TIFF" and image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
