"""Imports partitions in COCO panoptic that were made elsewhere, so that a person can correct them."""

import io
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.annotator.actions import MOST_REGIONS, ExtremePoints, Import, Imported
from fullseg.annotator.masks import encode_mask
from fullseg.formats.panoptic_png import decode_ids
from fullseg.types import Category


class ImportedError(ValueError):
    """Files that cannot be imported. The message says why."""


def read_panoptic(
    png: bytes,
    described: object,
    name: str,
    full_size: tuple[int, int],
    size: tuple[int, int],
    categories: Sequence[Category],
) -> tuple[Import, list[str]]:
    """Read one image's partition.

    Each segment becomes a locked region. Unlocked, it keeps its pixels where no stroke says otherwise. The region's
    extreme points follow from its pixels. Crowds become VOID.

    Args:
        png: bytes of the panoptic png.
        described: content of the panoptic json, or only its annotation of this image.
        name: the image's name.
        full_size: (H, W) of the image file. The png must have the same size.
        size: (h, w) of the image as the network sees it.
        categories: the annotator's. A segment's category is found by its name, or by its id if the json has no names.

    Returns:
        The action, and one text for each thing that was left out.

    Raises:
        ImportedError: if a file is malformed or of another image, or if png and json do not agree.
    """
    ids = _read_ids(png, full_size)
    annotation, names = _find(described, name)
    segments = _segments(annotation)
    unknown = np.setdiff1d(np.unique(ids), [0, *segments])
    if unknown.size:
        raise ImportedError(f"the png has id {unknown[0]}, which segments_info does not name")
    if len(segments) > MOST_REGIONS:
        raise ImportedError(f"there are {len(segments)} regions, more than {MOST_REGIONS}")
    seen = cv2.resize(ids, size[::-1], interpolation=cv2.INTER_NEAREST_EXACT)
    left_out: list[str] = []
    regions: list[Imported] = []
    kept: list[int] = []
    for number, segment in segments.items():
        whole, pixels = ids == number, seen == number
        if segment.get("iscrowd", 0) or not whole.any():
            why = "a crowd" if segment.get("iscrowd", 0) else "without a pixel"
            left_out.append(f"segment {number} is {why}")
            continue
        kept.append(number)
        category = _category(segment.get("category_id"), names, categories)
        if category is None:
            left_out.append(f"the class of segment {number}, which is not in the list")
        label = segment.get("name", "")
        label = label[:200].encode("utf-8", "replace").decode() if isinstance(label, str) else ""
        regions.append(
            Imported(
                points=_extremes(whole, size),
                name=label,
                category=None if segment.get("confirmed") is False else category,  # a guess stays one
                mask=encode_mask(pixels),
                full_mask=encode_mask(whole) if full_size != size else None,
            )
        )
    nobodys = ~np.isin(ids, kept)
    return Import(regions=tuple(regions), void=encode_mask(nobodys)), left_out


def _read_ids(png: bytes, size: tuple[int, int]) -> NDArray[np.int32]:
    """Return the ids (H, W) in a png, after its header was checked: a small file may claim to be a huge image."""
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as image:
            if (image.height, image.width) != size:
                found = f"{image.width} x {image.height}"
                raise ImportedError(f"the png is {found} pixels, the image {size[1]} x {size[0]}")
            if image.mode not in ("RGB", "RGBA", "L", "I;16"):
                raise ImportedError(f"the png's pixels are {image.mode}, but ids are in RGB or in grey")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        if isinstance(error, ImportedError):
            raise
        raise ImportedError(f"the png cannot be read: {error}") from error
    ids = decode_ids(png)
    if ids is None:
        raise ImportedError("the png cannot be read: it is damaged")
    return ids.astype(np.int32)  # cv2.resize takes no uint32


def _find(described: object, name: str) -> tuple[Mapping[str, Any], dict[Any, str]]:
    """Return the image's annotation, and the names of the json's categories by id."""
    if not isinstance(described, dict):
        raise ImportedError("the json is not an object")
    if "annotations" not in described:
        return described, {}
    try:
        names = {category["id"]: str(category["name"]) for category in described.get("categories", [])}
        files = {image["id"]: image["file_name"] for image in described.get("images", [])}
        same = [entry for entry in described["annotations"] if files.get(entry["image_id"]) == name]
        stem = PurePosixPath(name).stem
        same = same or [e for e in described["annotations"] if PurePosixPath(e["file_name"]).stem in (stem, name)]
    except (TypeError, KeyError, AttributeError) as error:
        raise ImportedError(f"the json is not COCO panoptic: {error!r}") from error
    if len(same) != 1:
        raise ImportedError(f"the json has {len(same)} annotations of {name}, expected one")
    return same[0], names


def _segments(annotation: Mapping[str, Any]) -> dict[int, Mapping[str, Any]]:
    segments = annotation.get("segments_info")
    if not isinstance(segments, list) or not all(isinstance(segment, dict) for segment in segments):
        raise ImportedError("the json's annotation has no segments_info")
    ids = [segment.get("id") for segment in segments]
    if not all(type(number) is int and 0 < number < 1 << 24 for number in ids) or len(set(ids)) < len(ids):
        raise ImportedError("segments_info: every segment needs an id of its own from 1 to 16777215")
    return dict(zip(ids, segments, strict=True))


def _category(number: object, names: Mapping[Any, str], categories: Sequence[Category]) -> int | None:
    wanted = names.get(number) if isinstance(number, int) else None
    for category in categories:
        if (category.name == wanted) if names else (category.id == number):
            return category.id
    return None


def _extremes(pixels: NDArray[np.bool_], size: tuple[int, int]) -> ExtremePoints:
    """Return a region's middle pixel (x, y) in its leftmost column, top row, rightmost column and bottom row.

    Args:
        pixels: (H, W) bool of the image file.
        size: (h, w) of the image to which the points belong.
    """
    factors = [there / here for there, here in zip(size, pixels.shape, strict=True)]
    rows, columns = np.nonzero(pixels)
    ends = []
    for along, value in ((columns, columns.min()), (rows, rows.min()), (columns, columns.max()), (rows, rows.max())):
        at = np.flatnonzero(along == value)
        middle = at[len(at) // 2]
        x, y = (
            (int(place) + 0.5) * factor - 0.5
            for place, factor in ((columns[middle], factors[1]), (rows[middle], factors[0]))
        )
        ends.append((min(max(0.0, x), size[1] - 1.0), min(max(0.0, y), size[0] - 1.0)))
    left, top, right, bottom = ends
    return left, top, right, bottom
