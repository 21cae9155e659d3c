"""What a COCO file is: every wrong value is named with its file, its record and what was expected."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fullseg.errors import DataError
from fullseg.formats.coco_schema import INSTANCES, PANOPTIC, read_json


def panoptic() -> dict[str, Any]:
    return {
        "images": [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 12}],
        "annotations": [
            {"image_id": 1, "file_name": "a.png", "segments_info": [{"id": 1, "category_id": 7, "iscrowd": 0}]}
        ],
        "categories": [{"id": 7, "name": "person", "isthing": 1}],
    }


def instances() -> dict[str, Any]:
    content = panoptic()
    content["annotations"] = [{"id": 3, "image_id": 1, "category_id": 7, "segmentation": [[0, 0, 5, 0, 5, 5]]}]
    return content


def read(path: Path, content: object, lists: Any = PANOPTIC) -> dict[str, Any]:
    path.write_text(json.dumps(content))
    return read_json(path, lists)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        (("images", 0, "id"), {"$oid": "5f"}, "images[0] (a.jpg): id is {'$oid': '5f'}, expected a whole number"),
        (("images", 0, "id"), "5f3a", "images[0] (a.jpg): id is '5f3a', expected a whole number"),
        (("images", 0, "file_name"), None, "images[0]: file_name is null, expected text"),
        (("images", 0, "file_name"), "", "images[0] (): file_name is '', expected text that is not empty"),
        (("images", 0, "width"), 0, "images[0] (a.jpg): width is 0, expected at least 1"),
        (("images", 0, "width"), 1.5, "images[0] (a.jpg): width is 1.5, expected a whole number"),
        (("images", 0, "height"), float("nan"), "height is nan, expected"),
        (
            ("annotations", 0, "image_id"),
            {"$oid": "5f"},
            "annotations[0] (a.png): image_id is {'$oid': '5f'}, expected",
        ),
        (("annotations", 0, "segments_info"), None, "annotations[0] (a.png): segments_info is null, expected a list"),
        (
            ("annotations", 0, "segments_info", 0, "category_id"),
            None,
            "annotations[0] (a.png): segments_info[0]: category_id is null, expected a whole number",
        ),
        (("annotations", 0, "segments_info", 0, "iscrowd"), 2, "iscrowd is 2, expected at most 1"),
        (("categories", 0, "isthing"), "maybe", "categories[0]: isthing is 'maybe', expected a whole number"),
        (("categories", 0), 5, "categories[0] is 5, expected an object with named values"),
    ],
)
def test_a_wrong_value_is_named(place: tuple[Any, ...], value: Any, said: str, tmp_path: Path) -> None:
    content = panoptic()
    inner: Any = content
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = value

    with pytest.raises(DataError, match=re.escape(said)) as caught:
        read(tmp_path / "p.json", content)
    assert str(tmp_path / "p.json") in str(caught.value)


def test_numbers_as_text_and_byte_order_marks_are_read(tmp_path: Path) -> None:
    content = panoptic()
    content["images"][0] |= {"id": "1", "width": "12", "height": "9"}
    content["annotations"][0]["segments_info"][0] |= {"category_id": "7", "iscrowd": False}
    content["categories"][0]["isthing"] = "0"
    (tmp_path / "p.json").write_bytes(b"\xef\xbb\xbf" + json.dumps(content).encode())

    found = read_json(tmp_path / "p.json", PANOPTIC)

    assert found["images"] == [{"id": 1, "file_name": "a.jpg", "height": 9, "width": 12}]
    assert found["annotations"][0]["segments_info"] == [{"id": 1, "category_id": 7, "iscrowd": 0}]
    assert found["categories"] == [{"id": 7, "name": "person", "isthing": 0}]


def test_of_many_wrong_values_five_are_listed(tmp_path: Path) -> None:
    content = panoptic()
    content["images"] = [{"id": k, "file_name": f"{k}.jpg", "height": 9} for k in range(9)]
    with pytest.raises(DataError, match=r"images\[4\] \(4.jpg\) has no 'width'; and 4 more. Write it as COCO JSON"):
        read(tmp_path / "p.json", content)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_value_anywhere_is_read_or_refused_with_the_name_of_the_file(tmp_path: Path, data: st.DataObject) -> None:
    make, lists = data.draw(st.sampled_from([(panoptic, PANOPTIC), (instances, INSTANCES)]))
    content: Any = make()
    inner = content
    for _ in range(data.draw(st.integers(0, 4))):
        if isinstance(inner, dict | list) and inner:
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            key = data.draw(st.sampled_from(keys))
            parent, inner = inner, inner[key]
    if inner is content:
        content = data.draw(anything)
    else:
        parent[key] = data.draw(anything)
    try:
        found = read(tmp_path / "p.json", content, lists)
    except DataError as error:
        assert str(tmp_path / "p.json") in str(error)  # noqa: PT017  most values are refused, some are right
    else:
        assert set(found) == set(lists)
