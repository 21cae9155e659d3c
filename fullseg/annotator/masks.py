"""Masks as text, for the journal."""

import base64
import zlib

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.actions import Patch
from fullseg.annotator.shapes import Pixels


def encode_mask(pixels: NDArray[np.bool_]) -> str:
    """Encode a mask (H, W) as text: its bits row by row, compressed, in base64."""
    return base64.b64encode(zlib.compress(np.packbits(pixels).tobytes())).decode("ascii")


def decode_mask(text: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Decode a text of ``encode_mask`` to a mask (H, W); raise ValueError if it is damaged or has another size."""
    count = size[0] * size[1]
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), np.uint8)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"a region's mask cannot be read: {error}") from error
    if len(bits) != (count + 7) // 8:
        raise ValueError(f"a region's mask is not of an image of {size[1]} x {size[0]} pixels")
    return np.unpackbits(bits, count=count).reshape(size).astype(bool)


def patch_of(region: int | None, mask: NDArray[np.bool_]) -> Patch:
    """Return the pixels of a mask (H, W), at least one, as a patch of a region."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    y0, y1, x0, x1 = int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1
    text = encode_mask(mask[y0:y1, x0:x1])
    return Patch(region=region, size=(mask.shape[0], mask.shape[1]), box=(x0, y0, x1, y1), mask=text)


def patch_pixels(patch: Patch, size: tuple[int, int]) -> Pixels:
    """Return the pixels of a patch on an image of this size (H, W), for which it is enlarged if it has another one.

    Raises:
        ValueError: if its mask is damaged.
    """
    height, width = patch.size or size
    x0, y0, x1, y1 = patch.box or (0, 0, width, height)
    pixels = Pixels(x0, y0, decode_mask(patch.mask, (y1 - y0, x1 - x0)))
    if (height, width) == size:
        return pixels
    whole = pixels.of((height, width)).astype(np.uint8)
    return Pixels(0, 0, cv2.resize(whole, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT).astype(bool))
