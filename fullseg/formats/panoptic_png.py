"""COCO panoptic of one region map: a png of segment ids, and what the JSON says of the segments and their categories.

The png holds id = R + 256 G + 65536 B at every pixel, and 0 for VOID.
"""

import colorsys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from fullseg.errors import DataError
from fullseg.types import Category

GREY, RGB = 2, 3  # axes of a grey image, and channels of a coloured one
GOLDEN_RATIO = 0.618034  # hues that are multiples of it, modulo 1, lie far apart, however many there are


def colour_of(index: int) -> list[int]:
    """Return the colour of the index-th category or region: red, green and blue, each from 0 to 255."""
    return [round(255 * part) for part in colorsys.hsv_to_rgb(index * GOLDEN_RATIO % 1, 0.8, 0.9)]


def write_panoptic_png(path: Path, region_map: NDArray[np.int64]) -> None:
    """Write a region map as a png of ids. The id of a region is region + 1.

    Args:
        path: of the png.
        region_map: (H, W) int64, region in [0, 2^24 - 1) or VOID.
    """
    ids = np.ascontiguousarray(region_map + 1, dtype="<u4")
    Image.fromarray(np.ascontiguousarray(ids.view(np.uint8).reshape(*ids.shape, 4)[..., :3])).save(path)


def segments_info(region_map: NDArray[np.int64], category_ids: Sequence[int]) -> list[dict[str, Any]]:
    """Return the list ``segments_info`` that describes the png of a region map in the JSON.

    Args:
        region_map: (H, W) int64, region in [0, N) or VOID.
        category_ids: of the N regions.

    Returns:
        One segment per region that has a pixel. Readers reject a segment without pixels.
    """
    ids = (region_map + 1).astype(np.int32)
    areas = np.bincount(ids.ravel(), minlength=len(category_ids) + 1)
    segments = []
    for region, box in enumerate(ndimage.find_objects(ids)):
        if areas[region + 1] == 0:
            continue
        rows, columns = box
        segments.append(
            {
                "id": region + 1,
                "category_id": int(category_ids[region]),
                "area": int(areas[region + 1]),
                "bbox": [columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start],
                "iscrowd": 0,
            }
        )
    return segments


def categories_as_json(categories: Sequence[Category]) -> list[dict[str, Any]]:
    """Return the list ``categories`` of the JSON. The official panopticapi requires a colour per category."""
    return [
        {"id": int(one.id), "name": one.name, "isthing": int(one.isthing), "color": colour_of(index)}
        for index, one in enumerate(categories)
    ]


def read_ids(path: Path) -> NDArray[np.integer]:
    """Return the segment ids (H, W) in a png of COCO panoptic.

    Raises:
        DataError: if the file is missing or damaged.
    """
    ids = decode_ids(path.read_bytes()) if path.is_file() else None
    if ids is None:
        raise DataError(f"{path} cannot be read (missing, damaged, or not RGB or grey): download or write it again")
    return ids


def decode_ids(png: bytes) -> NDArray[np.integer] | None:
    """Return the segment ids (H, W) in the bytes of a png, or None if they are damaged.

    In a grey png of 8 or 16 bits, as other programs write it, the grey value is the id.
    """
    if not png:
        return None
    # OpenCV, not Pillow: it is three times as fast, and it noticed all of 150 flipped bits in a png.
    pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)  # (H, W), (H, W, 3) BGR or (H, W, 4) BGRA
    if pixels is None or (pixels.ndim > GREY and pixels.dtype != np.uint8):
        return None
    if pixels.ndim == GREY:
        return pixels.astype(np.uint32)
    conversion = cv2.COLOR_BGR2RGBA if pixels.shape[2] == RGB else cv2.COLOR_BGRA2RGBA
    ids: NDArray[np.integer] = cv2.cvtColor(pixels, conversion).view("<u4")[..., 0]
    return ids & 0xFFFFFF
