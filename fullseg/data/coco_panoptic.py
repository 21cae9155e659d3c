"""COCO panoptic on disk, the one format of all data sets inside fullseg: its reader (see coco_writer)."""

import hashlib
import json
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.data.coco_index import (
    BROKEN_IMAGE,
    Category,
    DataError,
    Entry,
    find_files,
    identity,
    load_index,
    problems,
    sample_name,
    select,
)
from fullseg.data.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import VOID

__all__ = ["Category", "CocoPanoptic", "DataError", "NewSample", "Partition", "write_coco_panoptic"]

VOID_ID = 0  # in the png
SHOWN = 10  # bad samples that one message lists


class Partition(NamedTuple):
    """One image and one division of it into N regions."""

    name: str  # the image's file name, followed by '#k' for annotator k where an image has several
    image: NDArray[np.uint8]  # (H, W, 3) RGB
    region_map: NDArray[np.int64]  # (H, W), region in [0, N) in the order of segments_info, or VOID (crowd, too)
    classes: NDArray[np.int64]  # (N,), index into ``CocoPanoptic.categories``


class _Record(NamedTuple):
    name: str
    image: str
    png: str
    ids: NDArray[np.int64]  # (N,), of the regions in the png
    classes: NDArray[np.int64]  # (N,)
    crowd: NDArray[np.int64]  # ids of the crowd segments


class CocoPanoptic:
    """A sequence of partitions, from ``root/<split>``, the official COCO folders below ``root``, or ``root`` itself.

    Args:
        root: folder of the data set.
        split: ``train``, ``val``, ... (``train`` stands for COCO's ``train2017``).
        annotators: partitions of an image that are samples: ``all``, ``median``, or an annotator's number. An image
            entry without the fields ``annotator`` and ``median`` is always one.
        fraction: (k, n) keeps the k-th of n parts by a hash of the image's file name, 1 <= k <= n.
        max_regions: an image of more regions is bad.
        skip_bad: warn of bad samples and leave them out, instead of raising.

    Attributes:
        categories: in the order of the file.

    Raises:
        DataError: if files are missing or unreadable, if samples are bad as far as the json and the headers of the
            files tell (their pixels are checked when they are read), or if no sample is left.
        ValueError: for a wrong ``annotators`` or ``fraction``.
    """

    categories: tuple[Category, ...]

    def __init__(
        self, root: Path, split: str, *, annotators: str, fraction: tuple[int, int], max_regions: int, skip_bad: bool
    ) -> None:
        self._files = find_files(root, split)
        content = load_index(self._files.json)
        self.categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"])
        class_of = {category.id: index for index, category in enumerate(self.categories)}
        annotations: dict[int, list[Entry]] = {}
        for annotation in content["annotations"]:
            annotations.setdefault(annotation["image_id"], []).append(annotation)
        selected = select(content["images"], annotators, fraction, self._files.json)
        hasher = hashlib.sha256(json.dumps(self.categories).encode())
        self._records: list[_Record] = []
        bad: list[str] = []
        for entry in selected:
            found = annotations.get(entry["id"], [])
            if wrong := list(problems(entry, found, self._files, class_of, max_regions)):
                bad.append(f"{sample_name(entry)}: {'; '.join(wrong)}")
            else:
                self._records.append(_record(entry, found[0], class_of))
                hasher.update(identity(entry, found[0]))
        self._fingerprint = hasher.hexdigest()[:16]
        _report(bad, len(selected), self._files.json, skip_bad=skip_bad)

    def __len__(self) -> int:
        return len(self._records)

    def __getitem__(self, index: int) -> Partition:
        """Read one partition; raise DataError if its files are truncated, or if png and json name other segments."""
        record = self._records[index]
        png = self._files.panoptic / record.png
        ids = read_ids(png)
        if ids is None:
            raise DataError(f"{png} cannot be read (truncated or damaged): download or write it again")
        region_map = _region_map(ids, record, png)
        return Partition(record.name, _read_image(self._files.images / record.image), region_map, record.classes.copy())

    def name(self, index: int) -> str:
        """Return the name of a partition without reading it."""
        return self._records[index].name

    def fingerprint(self) -> str:
        """Return 16 hex digits that identify the samples: categories, names, sizes, segments (not their folder)."""
        return self._fingerprint


def _record(entry: Entry, annotation: Entry, class_of: Mapping[int, int]) -> _Record:
    segments = annotation["segments_info"]
    regions = [segment for segment in segments if not segment.get("iscrowd", 0)]
    return _Record(
        name=sample_name(entry),
        image=entry["file_name"],
        png=annotation["file_name"],
        ids=np.array([segment["id"] for segment in regions], dtype=np.int64),
        classes=np.array([class_of[segment["category_id"]] for segment in regions], dtype=np.int64),
        crowd=np.array([segment["id"] for segment in segments if segment.get("iscrowd", 0)], dtype=np.int64),
    )


def _report(bad: list[str], total: int, path: Path, *, skip_bad: bool) -> None:
    listed = "".join(f"\n  {line}" for line in bad[:SHOWN]) + ("\n  ..." if len(bad) > SHOWN else "")
    if bad and not skip_bad:
        remedy = "fix or remove them, or set data.skip_bad=true to train without them"
        raise DataError(f"{path}: {len(bad)} of {total} samples are bad; {remedy}:{listed}")
    if len(bad) == total:
        reason = f"all are bad:{listed}" if bad else "widen the fraction or the choice of annotators"
        raise DataError(f"{path}: no sample is left of {total}; {reason}")
    if bad:
        warnings.warn(f"{path}: left out {len(bad)} of {total} samples as bad:{listed}", stacklevel=3)


def _read_image(path: Path) -> NDArray[np.uint8]:
    try:
        # Pillow, not OpenCV, which fills what a truncated file lacks with grey. Pillow also leaves the pixels as they
        # are stored, and so must we: COCO's png are drawn on them, before any EXIF rotation.
        with Image.open(path) as image:
            return np.array(image.convert("RGB"))  # (H, W, 3), a copy, since Pillow's own is read-only
    except BROKEN_IMAGE as error:
        raise DataError(f"{path} cannot be read ({error}): download or write it again") from error


def read_ids(path: Path) -> NDArray[np.integer] | None:
    """Return the ids (H, W) in a png, R + 256 G + 65536 B; None if it is missing or damaged."""
    # OpenCV, not Pillow: three times as fast, and it notices every damage to a png (150 of 150 flipped bits).
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)  # (H, W, 3) BGR
    if pixels is None:
        return None
    ids: NDArray[np.integer] = cv2.cvtColor(pixels, cv2.COLOR_BGR2RGBA).view("<u4")[..., 0]
    return ids & 0xFFFFFF


def _region_map(ids: NDArray[np.integer], record: _Record, path: Path) -> NDArray[np.int64]:
    flat = ids.ravel()
    # Sorting the few thousand runs of equal ids instead of all pixels is what makes this fast.
    starts = np.flatnonzero(np.concatenate(([True], flat[1:] != flat[:-1])))
    found, run_ids = np.unique(flat[starts], return_inverse=True)
    known = np.concatenate(([VOID_ID], record.crowd, record.ids))
    if (unknown := np.setdiff1d(found, known)).size:
        raise DataError(f"{path}: ids {unknown[:SHOWN].tolist()} are not in segments_info; fix either")
    if (empty := np.setdiff1d(known[1:], found)).size:
        raise DataError(f"{path}: ids {empty[:SHOWN].tolist()} of segments_info have no pixel; fix either")
    regions = np.concatenate((np.full(1 + record.crowd.size, VOID), np.arange(record.ids.size)))
    order = np.argsort(known)
    region_of_found = regions[order][np.searchsorted(known[order], found)]
    return np.repeat(region_of_found[run_ids], np.diff(starts, append=flat.size)).reshape(ids.shape)
