"""What a COCO file is: the lists of its JSON, their keys, and the values that each may have.

Numbers may also be written as text ("128") or, for yes and no, as true and false: other programs do so. Other keys are
ignored.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, with_config
from pydantic_core import ErrorDetails
from typing_extensions import TypedDict

from fullseg.errors import DataError

NoOrYes = Annotated[int, Field(ge=0, le=1)]
Side = Annotated[int, Field(ge=1, lt=1 << 31)]  # px
Name = Annotated[str, Field(min_length=1)]
Coordinate = Annotated[float, Field(allow_inf_nan=False)]  # px
LISTED = 5  # errors in one message
SHOWN = 60  # characters of a value in a message
PLAIN = ConfigDict(coerce_numbers_to_str=True)


class ImageEntry(TypedDict):
    """An image."""

    id: int
    file_name: Name
    height: Side
    width: Side
    annotator: NotRequired[int | None]  # ours: number of the person, if the image has several partitions
    median: NotRequired[NoOrYes | None]  # ours: whether this partition has the median number of regions


class NamedImage(TypedDict):
    """An image of which only id and name are used."""

    id: int
    file_name: Name


class Segment(TypedDict):
    """A region of COCO panoptic."""

    id: int
    category_id: int
    iscrowd: NotRequired[NoOrYes]
    area: NotRequired[Any]  # square pixels; part of the fingerprint of the data


class PanopticAnnotation(TypedDict):
    """The partition of one image."""

    image_id: int
    file_name: Name  # of the png
    segments_info: list[Segment]


class InstanceAnnotation(TypedDict):
    """An object of COCO instances."""

    id: int
    image_id: int
    category_id: int
    segmentation: Any  # polygons or ``RunLengths``; it is checked per object
    iscrowd: NotRequired[NoOrYes]


@with_config(PLAIN)
class PanopticCategory(TypedDict):
    """A class of COCO panoptic."""

    id: int
    name: Name
    isthing: NoOrYes


@with_config(PLAIN)
class ObjectCategory(TypedDict):
    """A class of COCO instances."""

    id: int
    name: Name


class RunLengths(TypedDict):
    """Pixels as run lengths, column by column."""

    size: tuple[int, int]  # H, W
    counts: list[Annotated[int, Field(ge=0)]] | str  # lengths of the runs, or these compressed by pycocotools


POLYGONS, RUN_LENGTHS = TypeAdapter(list[list[Coordinate]]), TypeAdapter(RunLengths)

PANOPTIC = {"images": ImageEntry, "annotations": PanopticAnnotation, "categories": PanopticCategory}
INSTANCES = {"images": ImageEntry, "annotations": InstanceAnnotation, "categories": ObjectCategory}
NAMES = {"images": NamedImage}
EXPECTED = {  # in the words of this project, by pydantic's type of error
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "string_too_short": "text that is not empty",
    "list_type": "a list",
    "dict_type": "an object with named values",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "less_than": "less than {lt}",
}


def read_json(path: Path, lists: Mapping[str, Any]) -> dict[str, list[dict[str, Any]]]:
    """Read some lists of a COCO JSON file, and check all values that are used.

    Args:
        path: of the file.
        lists: the type of an entry of each list, by the name of the list: ``PANOPTIC``, ``INSTANCES`` or ``NAMES``.

    Returns:
        The lists by name.

    Raises:
        DataError: if the file is missing or broken, if a list, a key or a value is not as it should be, or if two
            images or two categories have the same id.
    """
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        raise DataError(f"{path} cannot be read as JSON ({error}): download or write it again") from error
    found = {}
    for name, kind in lists.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise DataError(f"{path}: the list {name!r} is missing; write it as COCO JSON")
        found[name] = _checked(content[name], name, kind, path)
    for name in {"images", "categories"} & lists.keys():
        if len({entry["id"] for entry in found[name]}) < len(found[name]):
            raise DataError(f"{path}: two of the {name} have the same id; give each its own")
    return found


def _checked(entries: list[Any], name: str, kind: Any, path: Path) -> list[dict[str, Any]]:  # noqa: ANN401  a type
    try:
        checked: list[dict[str, Any]] = TypeAdapter(list[kind]).validate_python(entries)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=True)
        listed = "; ".join(_say(problem, name, entries) for problem in problems[:LISTED])
        more = f"; and {len(problems) - LISTED} more" if len(problems) > LISTED else ""
        raise DataError(f"{path}: {listed}{more}. Write it as COCO JSON") from error
    return checked


def _say(problem: ErrorDetails, name: str, entries: Sequence[Any]) -> str:
    """Say in which record a value is wrong, which one it is, and what was expected."""
    number, *keys = problem["loc"]
    record = entries[number] if isinstance(number, int) else None
    file_name = record.get("file_name") if isinstance(record, dict) else None
    named = f" ({file_name})" if isinstance(file_name, str) else ""
    inner = "".join(f": {key}" if isinstance(key, str) else f"[{key}]" for key in keys[:-1])
    where = f"{name}[{number}]{named}{inner}"
    if problem["type"] == "missing":
        return f"{where} has no {keys[-1]!r}"
    key = f"{where}: {keys[-1]}" if keys else where
    return f"{key} is {_shown(problem['input'])}, expected {_expected(problem)}"


def polygons_of(segmentation: object) -> list[list[float]]:
    """Return polygons, of each part x1, y1, x2, y2, ...; raise ValueError if a value is no finite number."""
    polygons: list[list[float]] = _of_kind(POLYGONS, segmentation)
    return polygons


def run_lengths_of(segmentation: object) -> RunLengths:
    """Return run lengths; raise ValueError if they are none."""
    run_lengths: RunLengths = _of_kind(RUN_LENGTHS, segmentation)
    return run_lengths


def _of_kind(kind: TypeAdapter[Any], segmentation: object) -> Any:  # noqa: ANN401  as ``kind`` says
    try:
        return kind.validate_python(segmentation)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = "".join(f"[{key!r}]" for key in problem["loc"] if not str(key).startswith("list["))
        raise ValueError(f"segmentation{where} is {_shown(problem['input'])}, expected {_expected(problem)}") from error


def _expected(problem: ErrorDetails) -> str:
    """Return what a value should have been."""
    words = EXPECTED.get(problem["type"])
    return words.format(**problem.get("ctx", {})) if words else problem["msg"]


def _shown(value: object) -> str:
    text = "null" if value is None else repr(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
