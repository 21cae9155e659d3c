"""The png of ids: written, read, and refused if it is damaged."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg.errors import DataError
from fullseg.formats.panoptic_png import categories_as_json, decode_ids, read_ids, write_panoptic_png
from fullseg.types import VOID, Category


def test_what_is_written_is_read_with_all_three_bytes(tmp_path: Path) -> None:
    region_map = np.array([[VOID, 0, 254], [255, 65534, 2**24 - 2]])
    write_panoptic_png(tmp_path / "a.png", region_map)
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), region_map + 1)
    np.testing.assert_array_equal(decode_ids((tmp_path / "a.png").read_bytes()), region_map + 1)


def test_a_missing_empty_or_damaged_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write_panoptic_png(path, np.random.default_rng(0).integers(0, 9, (20, 20)))
    whole = path.read_bytes()
    path.unlink()
    for content in (None, b"", whole[: len(whole) // 2]):
        if content is not None:
            path.write_bytes(content)
        with pytest.raises(DataError, match=r"a.png cannot be read \(missing, damaged, or not RGB or grey\)"):
            read_ids(path)


def test_every_category_has_a_colour_of_its_own_and_isthing_as_a_number() -> None:
    described = categories_as_json([Category(3, "dog", isthing=True), Category(8, "sky", isthing=False)])
    assert [(one["id"], one["name"], one["isthing"]) for one in described] == [(3, "dog", 1), (8, "sky", 0)]
    assert described[0]["color"] != described[1]["color"]


@pytest.mark.parametrize(("kind", "most"), [(np.uint8, 255), (np.uint16, 65_535)])
def test_the_values_of_a_grey_png_are_the_ids(tmp_path: Path, kind: type, most: int) -> None:
    ids = np.array([[0, 1, 2], [most, most - 1, 7]], kind)
    Image.fromarray(ids).save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_ids(tmp_path / "a.png"), ids)


def test_alpha_of_a_png_is_ignored(tmp_path: Path) -> None:
    pixels = np.array([[[1, 2, 3, 0], [255, 0, 9, 255]]], np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    assert read_ids(tmp_path / "a.png").tolist() == [[1 + 2 * 256 + 3 * 65536, 255 + 9 * 65536]]
