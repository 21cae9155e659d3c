"""The index of a COCO panoptic split: what its JSON and the headers of its files say of every sample."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from fullseg.data.index.files import Entry, Files, group_by_image, read_headers
from fullseg.data.index.index_file import make_batch
from fullseg.data.index.parts import name_hash
from fullseg.data.progress import with_progress
from fullseg.formats.coco_schema import PANOPTIC, read_json
from fullseg.types import Category

ID_LIMIT = 1 << 24  # a pixel of the png has three bytes for an id
COLUMNS = {
    "png": pa.string(),  # file name of the png
    "ids": pa.list_(pa.int32()),  # of the regions, in the png
    "classes": pa.list_(pa.int32()),  # of the regions, positions among the categories
    "crowd": pa.list_(pa.int32()),  # ids of the crowd segments, in the png
}
LONG = 5_000  # samples: fewer are read before a progress bar could be of use


def build_index(files: Files) -> pa.RecordBatch:
    """Check the JSON of a split and the headers of its files, and return the index.

    Problems of one sample are noted in its row.

    Raises:
        DataError: if the JSON cannot be read, or if a list or a key is missing.
    """
    content = read_json(files.json, PANOPTIC)
    categories = tuple(Category(c["id"], c["name"], bool(c["isthing"])) for c in content["categories"])
    class_of = {category.id: index for index, category in enumerate(categories)}
    annotations = group_by_image(content.pop("annotations"))
    samples = [(entry, annotations.get(entry["id"], [])) for entry in content["images"]]
    return make_batch(_rows(samples, files, class_of), COLUMNS, categories, files.json)


def _rows(
    samples: Sequence[tuple[Entry, list[Entry]]], files: Files, class_of: Mapping[int, int]
) -> Iterator[dict[str, Any]]:
    headers = read_headers(
        (folder / name, entry["width"], entry["height"], folder == files.images)
        for entry, found in samples
        if len(found) == 1
        for folder, name in ((files.images, entry["file_name"]), (files.panoptic, found[0]["file_name"]))
    )
    for entry, found in with_progress(samples, f"indexing {files.json}, once", len(samples), at_least=LONG):
        row = {
            "file_name": entry["file_name"],
            "number": entry.get("annotator"),
            "median": entry.get("median") != 0,  # missing or null: it is the only one
            "name_hash": name_hash(entry["file_name"]),
            **dict.fromkeys(("ids", "classes", "crowd"), ()),
        }
        if len(found) != 1:
            wrong = f"{len(found)} annotations in the JSON instead of 1"
            yield row | {"num_regions": 0, "problem": wrong, "hash": bytes(16), "image_key": 0, "png": ""}
            continue
        segments = found[0]["segments_info"]
        regions = [segment for segment in segments if not segment.get("iscrowd", 0)]
        image, png = next(headers), next(headers)
        wrong_files = [header.problem for header in (image, png) if header.problem]
        problems = [*wrong_files, *_problems(segments, len(regions), class_of)]
        row |= {"num_regions": len(regions), "problem": "; ".join(problems), "png": found[0]["file_name"]}
        row["image_key"] = image.key
        row["hash"] = hashlib.sha256(_identity(entry, segments)).digest()[:16]
        if not problems:
            row["ids"] = [segment["id"] for segment in regions]
            row["classes"] = [class_of[segment["category_id"]] for segment in regions]
            row["crowd"] = [segment["id"] for segment in segments if segment.get("iscrowd", 0)]
        yield row


def _identity(entry: Entry, segments: list[Entry]) -> bytes:
    """Return the content of a sample as bytes, without its folder and its ids in the JSON, which may change."""
    keys = ("id", "category_id", "iscrowd", "area")
    listed = [[segment.get(key) for key in keys] for segment in segments]
    return json.dumps([entry["file_name"], entry.get("annotator"), entry["height"], entry["width"], listed]).encode()


def _problems(segments: list[Entry], num_regions: int, class_of: Mapping[int, int]) -> Iterator[str]:
    ids = [segment["id"] for segment in segments]
    if wrong := [found for found in ids if not isinstance(found, int) or not 0 < found < ID_LIMIT]:
        yield f"segment id {wrong[0]!r} is not in 1 .. {ID_LIMIT - 1}"
    if len(set(ids)) < len(ids):
        yield f"segment id {next(found for found in ids if ids.count(found) > 1)} occurs twice"
    if unknown := sorted({segment["category_id"] for segment in segments} - class_of.keys()):
        yield f"category id {unknown[0]} is not among the categories"
    if num_regions == 0:
        yield "no region" + (", only crowd" if segments else "")
