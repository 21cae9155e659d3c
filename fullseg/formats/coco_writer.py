"""Writes COCO panoptic, the format of imported and generated data sets."""

import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fullseg.errors import DataError
from fullseg.formats.image_file import size_of
from fullseg.formats.locks import locked
from fullseg.formats.panoptic_png import categories_as_json, segments_info, write_panoptic_png
from fullseg.types import VOID, Category


class NewSample(NamedTuple):
    """One partition of an image into N regions, to be written. Partitions of one image have the same ``file_name``."""

    file_name: str  # of the image, without folder; its suffix decides on the format of an image given as an array
    image: NDArray[np.uint8] | Path  # (H, W, 3) RGB, or a file to copy
    region_map: NDArray[np.int64]  # (H, W), region in [0, N) or VOID
    classes: NDArray[np.int64]  # (N,), position among the categories
    annotator: int | None = None  # number of the person who drew it, if the image has several partitions
    median: bool | None = None  # whether it has the median number of regions among the partitions of its image


def write_coco_panoptic(folder: Path, categories: Sequence[Category], samples: Iterable[NewSample]) -> None:
    """Write ``folder/{images,panoptic,panoptic.json}`` as the official panopticapi accepts it.

    Samples are consumed one by one. A region without a pixel is left out. The folder appears when it is complete; until
    then everything lies in a hidden folder beside it.

    Args:
        folder: must not exist yet.
        categories: of the data set.
        samples: what to write, in this order.

    Raises:
        DataError: if the folder exists or cannot be written.
        ValueError: if sizes or numbers of regions differ within a sample, or two samples have the same png.
    """
    if folder.exists():
        raise DataError(f"{folder} exists: remove it to write it again")
    partial = folder.parent / f"{_partial_name(folder)}{secrets.token_hex(4)}"  # two processes must not share one
    try:
        with _naming_the_folder(folder):
            for part in ("images", "panoptic"):
                (partial / part).mkdir(parents=True)
        content = _write_samples(partial, categories, samples)
        (partial / "panoptic.json").write_text(json.dumps(content), encoding="utf-8")
        if folder.exists():
            raise DataError(f"{folder} was written by another process meanwhile")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)  # it is gone already if nothing failed


def import_coco_panoptic(
    folder: Path, categories: Sequence[Category], samples: Iterable[NewSample], *, exist_ok: bool
) -> None:
    """Write a data set that several processes may want to write at the same time: one writes, the others wait.

    Args:
        folder: that gets ``images``, ``panoptic`` and ``panoptic.json``.
        categories: of the data set.
        samples: what to write, in this order.
        exist_ok: leave the folder as it is if it exists. No sample is consumed then.

    Raises:
        DataError: if the folder cannot be written, or if it exists and ``exist_ok`` is false.
    """
    with ExitStack() as stack:
        with _naming_the_folder(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            lock = folder.parent / f".{folder.name}.lock"
            stack.enter_context(locked(lock, f"{folder}: another process writes this data set"))
        if exist_ok and folder.exists():
            return
        for interrupted in folder.parent.glob(f"{_partial_name(folder)}*"):  # of a process that was killed
            shutil.rmtree(interrupted)
        write_coco_panoptic(folder, categories, samples)


def _partial_name(folder: Path) -> str:
    """Return the beginning of the names that a folder has while it is being written."""
    return f".{folder.name}.partial-"


@contextmanager
def _naming_the_folder(folder: Path) -> Iterator[None]:
    """Turn an error of the file system's permissions into a DataError that names the folder."""
    try:
        yield
    except PermissionError as error:
        raise DataError(f"{folder} cannot be written ({error}): choose another folder") from error


def _write_samples(folder: Path, categories: Sequence[Category], samples: Iterable[NewSample]) -> dict[str, Any]:
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    pngs: set[str] = set()
    for number, sample in enumerate(samples, start=1):
        png = Path(sample.file_name).stem + ("" if sample.annotator is None else f"_{sample.annotator}") + ".png"
        if png in pngs:
            raise ValueError(f"{_name(sample)}: another sample has the same {png}; name every image and annotator once")
        pngs.add(png)
        _write_image(folder / "images" / sample.file_name, sample)
        segments = _write_png(folder / "panoptic" / png, sample, categories)
        annotations.append({"image_id": number, "file_name": png, "segments_info": segments})
        height, width = sample.region_map.shape
        images.append({"id": number, "file_name": sample.file_name, "height": height, "width": width})
        if sample.annotator is not None:
            images[-1]["annotator"] = int(sample.annotator)  # JSON cannot hold numpy numbers
        if sample.median is not None:
            images[-1]["median"] = bool(sample.median)
    return {"images": images, "annotations": annotations, "categories": categories_as_json(categories)}


def _write_image(path: Path, sample: NewSample) -> None:
    if not path.exists():  # the sample of another annotator may have written it
        if isinstance(sample.image, Path):
            shutil.copyfile(sample.image, path)
        else:
            Image.fromarray(sample.image).save(path)
    wanted = sample.region_map.shape[0], sample.region_map.shape[1]
    height, width = size_of(path, wanted)
    if wanted != (height, width):
        found = " x ".join(map(str, sample.region_map.shape[::-1]))
        raise ValueError(f"{_name(sample)}: the region map is {found}, but the image {width} x {height}")


def _write_png(path: Path, sample: NewSample, categories: Sequence[Category]) -> list[dict[str, Any]]:
    low, high = int(sample.region_map.min()), int(sample.region_map.max())
    if low < VOID or high >= len(sample.classes):
        raise ValueError(f"{_name(sample)}: regions {low} .. {high}, but {len(sample.classes)} classes")
    write_panoptic_png(path, sample.region_map)
    return segments_info(sample.region_map, [int(categories[index].id) for index in sample.classes])


def _name(sample: NewSample) -> str:
    return sample.file_name if sample.annotator is None else f"{sample.file_name}#{sample.annotator}"
