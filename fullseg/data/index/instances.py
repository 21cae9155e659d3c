"""The index of a COCO instances split: its objects as run lengths, in layers without overlap."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from pycocotools import mask as run_lengths

from fullseg.data.index.files import Entry, group_by_image, read_headers
from fullseg.data.index.index_file import make_batch
from fullseg.data.index.panoptic import LONG
from fullseg.data.index.parts import name_hash
from fullseg.data.progress import with_progress
from fullseg.errors import DataError
from fullseg.formats.coco_schema import INSTANCES, polygons_of, read_json, run_lengths_of
from fullseg.types import Category

COLUMNS = {
    "height": pa.int32(),  # of the image, in pixels
    "width": pa.int32(),
    "regions": pa.list_(pa.binary()),  # run lengths of each, compressed by pycocotools
    "classes": pa.list_(pa.int32()),  # of the regions, positions among the categories
    "crowd": pa.binary(),  # run lengths of the union of all crowds; null: there is none
}
FARTHEST = 10  # sides of the image: a polygon may reach so far beyond it
RunLengths = Mapping[str, Any]  # of pycocotools: "size" is [H, W], "counts" the compressed run lengths


class InstanceFiles(NamedTuple):
    """The files of a COCO instances split."""

    json: Path
    images: Path  # folder


class _Region(NamedTuple):
    shape: RunLengths
    area: int  # in square pixels, at least 1
    class_number: int


def find_instances(root: Path, split: str) -> InstanceFiles:
    """Find ``annotations/instances_<split>.json`` and the folder of images ``<split>/``, both below ``root``.

    Raises:
        DataError: if one of them is missing.
    """
    files = InstanceFiles(root / "annotations" / f"instances_{split}.json", root / split)
    for path, there in ((files.json, files.json.is_file()), (files.images, files.images.is_dir())):
        if not there:
            raise DataError(
                f"no COCO instances of {split}: {path} is missing; `fullseg data coco --root {root} --part "
                "instances2014 instances2017` downloads train2014 and val2017 (data.train_split, data.val_split)"
            )
    return files


def build_index(files: InstanceFiles) -> pa.RecordBatch:
    """Check a split, turn its polygons into run lengths, divide these into layers, and return the index.

    Problems of one image are noted in its row.

    Raises:
        DataError: if the JSON cannot be read, or if a list or a key is missing.
    """
    content = read_json(files.json, INSTANCES)
    categories = tuple(Category(entry["id"], entry["name"], isthing=True) for entry in content["categories"])
    class_of = {category.id: index for index, category in enumerate(categories)}
    annotations = group_by_image(content.pop("annotations"))
    samples = [(entry, annotations.get(entry["id"], [])) for entry in content["images"]]
    samples = [(entry, found) for entry, found in samples if not all(a.get("iscrowd", 0) for a in found)]
    return make_batch(_rows(samples, files, class_of), COLUMNS, categories, files.json)


def _rows(
    samples: Sequence[tuple[Entry, list[Entry]]], files: InstanceFiles, class_of: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    headers = read_headers((files.images / e["file_name"], e["width"], e["height"], True) for e, _ in samples)
    rows = with_progress(samples, f"indexing {files.json}, once", len(samples), at_least=LONG)
    for (entry, found), header in zip(rows, headers, strict=True):
        size = {"height": entry["height"], "width": entry["width"]}
        common = {"file_name": entry["file_name"], "median": True, "name_hash": name_hash(entry["file_name"]), **size}
        common["image_key"] = header.key
        problems = [*([header.problem] if header.problem else ()), *_unknown(found, class_of)]
        regions: list[_Region] = []
        crowd = None
        if not header.problem:  # the size in the JSON is true
            try:
                regions, crowd = _read_shapes(entry, found, class_of)
            except ValueError as error:
                problems.append(str(error))
        if problems:
            lists: dict[str, Any] = {"number": None, "regions": (), "classes": (), "crowd": None}
            yield common | lists | {"num_regions": 0, "problem": "; ".join(problems), "hash": bytes(16)}
            continue
        layers = layers_of(regions)
        for number, layer in enumerate(layers):
            row: dict[str, Any] = {
                "number": number if len(layers) > 1 else None,
                "num_regions": len(layer),
                "problem": "",
                "regions": [regions[k].shape["counts"] for k in layer],
                "classes": [regions[k].class_number for k in layer],
                "crowd": crowd,
            }
            yield common | row | {"hash": _hash(entry, row)}


def _unknown(found: Sequence[Entry], class_of: Mapping[int, int]) -> Iterator[str]:
    unknown = [annotation["category_id"] for annotation in found if annotation["category_id"] not in class_of]
    if unknown:
        yield f"category id {unknown[0]} is not among the categories"


def _read_shapes(
    entry: Entry, found: Sequence[Entry], class_of: Mapping[int, int]
) -> tuple[list[_Region], bytes | None]:
    """Return the regions that have a pixel, in the order of the JSON, and the run lengths of all crowds together.

    Raises:
        ValueError: if a segmentation cannot be read.
    """
    size = [entry["height"], entry["width"]]
    regions, crowd = [], []
    for annotation in found:
        try:
            shape = _run_lengths(annotation["segmentation"], size)
        except Exception as error:  # pycocotools also raises plain Exception
            raise ValueError(f"the segmentation of annotation {annotation['id']} cannot be read ({error})") from error
        if annotation.get("iscrowd", 0):
            crowd.append(shape)
        elif area := int(run_lengths.area(shape)):
            regions.append(_Region(shape, area, class_of.get(annotation["category_id"], -1)))
    return regions, run_lengths.merge(crowd)["counts"] if crowd else None


def _run_lengths(segmentation: Any, size: list[int]) -> RunLengths:  # noqa: ANN401  polygons or run lengths
    """Return a segmentation as compressed run lengths, with the same pixels as pycocotools' ``annToMask``.

    Args:
        segmentation: list of polygons, or run lengths, compressed or not.
        size: [H, W] in pixels.

    Raises:
        ValueError: if it is neither, or does not fit the image.
    """
    if isinstance(segmentation, list):
        return _from_polygons(polygons_of(segmentation), size)
    given = run_lengths_of(segmentation)
    if list(given["size"]) != size:
        raise ValueError(f"size {list(given['size'])} instead of {size}")
    counts = given["counts"]
    if isinstance(counts, list):
        if sum(counts) != size[0] * size[1]:
            raise ValueError(f"run lengths of {sum(counts)} pixels instead of {size[0] * size[1]}")
        packed: RunLengths = run_lengths.frPyObjects({"size": size, "counts": counts}, *size)
        return packed
    compressed = {"size": size, "counts": counts.encode()}
    run_lengths.decode(compressed)  # this raises an error if it is damaged
    return compressed


def _from_polygons(polygons: list[list[float]], size: list[int]) -> RunLengths:
    """Return the union of polygons. One of fewer than three points has no pixel."""
    far = FARTHEST * max(size)
    for polygon in polygons:
        if len(polygon) % 2:
            raise ValueError(f"a polygon has {len(polygon)} numbers; it needs an x and a y per point")
        if polygon and max(map(abs, polygon)) > far:
            raise ValueError(f"a polygon reaches {max(polygon, key=abs):g} px, in an image of {size[1]} x {size[0]}")
    # pycocotools would read four numbers as a box.
    shapes = [polygon for polygon in polygons if len(polygon) >= 6]
    if not shapes:
        nothing: RunLengths = run_lengths.encode(np.zeros(size, np.uint8, order="F"))
        return nothing
    merged: RunLengths = run_lengths.merge(run_lengths.frPyObjects(shapes, *size))
    return merged


def layers_of(regions: Sequence[_Region]) -> list[list[int]]:
    """Divide the regions of an image into layers without overlap.

    The largest region comes first. Each goes into the first layer in which it overlaps no other.

    Args:
        regions: N regions of one image.

    Returns:
        The layers, each a rising list of numbers in [0, N). Every region is in exactly one of them.
    """
    shapes = [region.shape for region in regions]
    overlap = np.asarray(run_lengths.iou(shapes, shapes, len(shapes) * [0])) > 0 if shapes else np.zeros((0, 0))
    layers: list[list[int]] = []
    for number in sorted(range(len(regions)), key=lambda k: -regions[k].area):
        free = [layer for layer in layers if not overlap[number, layer].any()]
        if free:
            free[0].append(number)
        else:
            layers.append([number])
    return [sorted(layer) for layer in layers]


def _hash(entry: Entry, row: Mapping[str, Any]) -> bytes:
    """Return a hash (16 bytes) of a sample's content, without its folder and its ids in the JSON, which may change."""
    shapes = [part.hex() for part in (*row["regions"], row["crowd"] or b"")]
    listed = [entry["file_name"], entry["height"], entry["width"], row["number"], row["classes"], shapes]
    return hashlib.sha256(json.dumps(listed).encode()).digest()[:16]
