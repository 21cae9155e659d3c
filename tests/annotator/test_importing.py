"""Imports of partitions made elsewhere: what is read, and what is refused."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fullseg.annotator.importing import ImportedError, read_panoptic
from fullseg.annotator.masks import decode_mask
from tests.annotator.conftest import CATEGORIES

SIZE = (12, 16)
DESCRIBED = {
    "annotations": [
        {
            "image_id": 4,
            "file_name": "a.png",
            "segments_info": [
                {"id": 1, "category_id": 3, "name": "Rex"},
                {"id": 70_000, "category_id": 5},
                {"id": 300, "category_id": 3, "iscrowd": 1},
            ],
        }
    ],
    "images": [{"id": 4, "file_name": "a.jpg"}],
    "categories": [{"id": 3, "name": "dog"}, {"id": 5, "name": "fish"}],
}


def ids() -> NDArray[np.int64]:
    """Return a map of ids that use all three bytes: three stripes on VOID."""
    ids = np.zeros(SIZE, np.int64)
    ids[2:6], ids[6:9], ids[9:11, 3:9] = 1, 70_000, 300
    return ids


def png_of(mode: str = "RGB", ids: NDArray[np.int64] = ids()) -> bytes:  # noqa: B008  never changed
    parts = [ids % 256, ids // 256 % 256, ids // 65536, np.full_like(ids, 9)]
    pixels = np.stack(parts[: len(mode)], axis=-1).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0] if mode == "L" else pixels).save(file, "PNG")
    return file.getvalue()


def read(png: bytes, described: object = DESCRIBED, size: tuple[int, int] = SIZE) -> Any:
    return read_panoptic(png, described, "a.jpg", size, SIZE, CATEGORIES)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_regions_have_their_pixels_and_categories_by_name(mode: str) -> None:
    action, left_out = read(png_of(mode))
    dog, fish = action.regions
    np.testing.assert_array_equal(decode_mask(dog.mask, SIZE), ids() == 1)
    np.testing.assert_array_equal(decode_mask(fish.mask, SIZE), ids() == 70_000)
    assert (dog.name, dog.category, fish.category) == ("Rex", 3, None)
    assert dog.points == ((0, 4), (8, 2), (15, 4), (8, 5))  # the middle pixels of its outermost columns and rows
    assert left_out == ["the class of segment 70000, which is not in the list", "segment 300 is a crowd"]


def test_without_names_a_category_is_found_by_its_id() -> None:
    annotation = {"segments_info": [{"id": number, "category_id": 8} for number in (1, 300, 70_000)]}
    action, left_out = read(png_of(), annotation)
    assert [region.category for region in action.regions] == [8, 8, 8]
    assert left_out == []


@pytest.mark.parametrize(
    ("png", "message"),
    [
        (b"", "the png cannot be read"),
        (b"no image", "the png cannot be read"),
        (png_of()[:60], "the png cannot be read: it is damaged"),
        (png_of("LA"), "the png's pixels are LA, but ids are in RGB or in grey"),
        (png_of(ids=ids()[1:]), "the png is 16 x 11 pixels, the image 16 x 12"),
        (png_of(ids=ids() + 1), "the png has id 2, which segments_info does not name"),
    ],
)
def test_a_png_that_cannot_be_right_is_refused(png: bytes, message: str) -> None:
    with pytest.raises(ImportedError, match=message):
        read(png)


@pytest.mark.parametrize(
    ("described", "message"),
    [
        ([], "the json is not an object"),
        ({"annotations": [3]}, "the json is not COCO panoptic"),
        ({"annotations": []}, "the json has 0 annotations of a.jpg, expected one"),
        ({"segments_info": "no"}, "no segments_info"),
        ({"segments_info": [{"id": 0}]}, "an id of its own"),
        ({"segments_info": [{"id": 1}, {"id": 1}]}, "an id of its own"),
    ],
)
def test_a_json_that_cannot_be_right_is_refused(described: object, message: str) -> None:
    with pytest.raises(ImportedError, match=message):
        read(png_of(), described)


def test_a_class_that_an_export_calls_a_guess_is_not_taken_for_a_persons() -> None:
    (annotation,) = DESCRIBED["annotations"]
    first, *others = annotation["segments_info"]
    for confirmed, category in ((False, None), (True, 3)):
        segments = [{**first, "confirmed": confirmed}, *others]
        described = {**DESCRIBED, "annotations": [{**annotation, "segments_info": segments}]}
        action, left_out = read(png_of(), described)
        assert action.regions[0].category == category
        assert len(left_out) == 2  # as above
