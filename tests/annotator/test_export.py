"""Exports, read back by others: our reader of COCO panoptic, pycocotools, and the rules of panopticapi."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pycocotools.coco import COCO

from fullseg import VOID
from fullseg.annotator import export
from fullseg.annotator.actions import read_action
from fullseg.annotator.export import Exports, export_image
from fullseg.annotator.work import History, Work
from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.formats.panoptic_png import read_ids
from tests.annotator.conftest import CATEGORIES

SIZE = (12, 16)
QUAD = [[0, 5], [5, 0], [12, 5], [5, 9]]


def work_of(count: int) -> Work:
    history = History((Work(SIZE),))
    for number in range(count):
        history = history.after(read_action({"kind": "add", "points": QUAD, "name": f"region {number}"}))
    return history.work


def some_map(seed: int, count: int) -> NDArray[np.int64]:
    return np.random.default_rng(seed).integers(VOID, count, SIZE).astype(np.int64)


def check_by_panopticapis_rules(folder: Path) -> None:
    """Check all that panopticapi's evaluation checks: ids in png and json agree, none is 0, areas are right."""
    content = json.loads((folder / "panoptic.json").read_text())
    images = {image["id"]: image for image in content["images"]}
    known = {category["id"] for category in content["categories"]}
    assert all({"id", "name", "isthing", "color"} <= set(category) for category in content["categories"])
    assert sorted(annotation["image_id"] for annotation in content["annotations"]) == sorted(images)
    for annotation in content["annotations"]:
        png = np.asarray(Image.open(folder / "panoptic" / annotation["file_name"]), np.int64)
        ids = png[..., 0] + 256 * png[..., 1] + 65536 * png[..., 2]
        assert ids.shape == tuple(images[annotation["image_id"]][key] for key in ("height", "width"))
        found, areas = np.unique(ids[ids > 0], return_counts=True)
        segments = annotation["segments_info"]
        assert [segment["id"] for segment in segments] == found.tolist()
        assert [segment["area"] for segment in segments] == areas.tolist()
        assert all(segment["category_id"] in known and segment["iscrowd"] == 0 for segment in segments)
        for segment in segments:
            x, y, width, height = segment["bbox"]
            rows, columns = np.nonzero(ids == segment["id"])
            assert (x, y, width, height) == (
                columns.min(),
                rows.min(),
                np.ptp(columns) + 1,
                np.ptp(rows) + 1,
            )


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(0, 6))
def test_the_export_is_what_the_person_saw(tmp_path_factory: pytest.TempPathFactory, seed: int, count: int) -> None:
    folder = tmp_path_factory.mktemp("export")
    region_map = some_map(seed, count)
    ids = [(3, 8)[number % 2] for number in range(count)]
    exported = export_image(folder, "deep/a.jpg", work_of(count), region_map, ids, {3}, 1)
    Exports(folder).collect(CATEGORIES, folder)
    check_by_panopticapis_rules(folder)
    np.testing.assert_array_equal(np.asarray(Image.open(folder / "labels" / "deep/a.jpg.png")), region_map + 1)
    assert exported.unassigned == np.count_nonzero(region_map == VOID)
    assert exported.segments == len(np.unique(region_map[region_map != VOID]))
    assert all(path.is_file() for path in exported.files)
    assert not list(folder.rglob(".*"))
    instances = json.loads((folder / "instances.json").read_text())
    coco = COCO()
    coco.dataset = instances
    coco.createIndex()
    union = np.zeros(SIZE, int)
    for one in instances["annotations"]:
        pixels = coco.annToMask(one)
        np.testing.assert_array_equal(pixels, region_map == int(one["name"].removeprefix("region ")))
        assert one["category_id"] == 3  # stuff is not exported as instances
        union += pixels
    np.testing.assert_array_equal(union, np.isin(region_map, range(0, count, 2)))


def test_our_own_reader_takes_it(tmp_path: Path) -> None:
    for number, name in enumerate(("a.png", "b.png")):
        export_image(tmp_path, name, work_of(3), some_map(number, 3), [8, 3, 3], {3}, 1)
        (tmp_path / "images").mkdir(exist_ok=True)
        Image.new("RGB", SIZE[::-1]).save(tmp_path / "images" / name)
    Exports(tmp_path).collect(CATEGORIES, tmp_path / "images")
    data = CocoPanoptic(
        tmp_path, "val", cache=tmp_path, annotators="all", fraction=Parts(1, 1, 1), max_regions=10, skip_bad=False
    )
    for number in range(2):
        np.testing.assert_array_equal(data[number].region_map, some_map(number, 3))
        assert data[number].classes.tolist() == [1, 0, 0]


def test_more_than_255_regions_have_a_label_each(tmp_path: Path) -> None:
    region_map = np.arange(300).reshape(15, 20)
    export_image(tmp_path, "a.png", work_of(300), region_map, [3] * 300, {3}, 1)
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "labels/a.png.png")), region_map + 1)


def test_exporting_again_replaces(tmp_path: Path) -> None:
    for seed in (0, 1):
        export_image(tmp_path, "a.png", work_of(3), some_map(seed, 3), [3, 3, 3], {3}, 1)
        Exports(tmp_path).collect(CATEGORIES, tmp_path)
    check_by_panopticapis_rules(tmp_path)
    content: dict[str, Any] = json.loads((tmp_path / "panoptic.json").read_text())
    assert len(content["images"]) == len(content["annotations"]) == 1
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "labels/a.png.png")), some_map(1, 3) + 1)


LONG = "長" * 83 + ".jpg"  # 253 bytes: a file name may have 255


def test_what_was_exported_stays_when_its_image_has_gone_and_any_name_can_be_exported(tmp_path: Path) -> None:
    names = ["a.png", "deep/" + LONG, "z.png"]  # no such images are there any more
    for number, name in enumerate(names):
        export_image(tmp_path, name, work_of(3), some_map(number, 3), [3, 3, 3], {3}, 1)

    Exports(tmp_path).collect(CATEGORIES, tmp_path)

    check_by_panopticapis_rules(tmp_path)
    content: dict[str, Any] = json.loads((tmp_path / "panoptic.json").read_text())
    assert [image["file_name"] for image in content["images"]] == names
    for image, annotation in zip(content["images"], content["annotations"], strict=True):
        ids = read_ids(tmp_path / "panoptic" / annotation["file_name"])
        np.testing.assert_array_equal(ids, some_map(names.index(image["file_name"]), 3) + 1)


def test_a_broken_part_is_named_and_blocks_no_other(tmp_path: Path) -> None:
    for name in ("a.png", "b.png"):
        export_image(tmp_path, name, work_of(3), some_map(0, 3), [3, 3, 3], {3}, 1)
    (tmp_path / "parts" / "a.png.json").write_text("{")
    exports = Exports(tmp_path)
    exports.collect(CATEGORIES, tmp_path)
    content: dict[str, Any] = json.loads((tmp_path / "panoptic.json").read_text())
    assert [image["file_name"] for image in content["images"]] == ["b.png"]
    assert exports.unreadable == [tmp_path / "parts" / "a.png.json"]


def test_parts_are_read_again_only_if_they_have_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    exports, read = Exports(tmp_path), []
    original = json.loads
    monkeypatch.setattr(export.json, "loads", lambda text: read.append(text) or original(text))
    for number, expected in ((0, 1), (1, 1), (2, 1)):
        export_image(tmp_path, f"{number}.png", work_of(3), some_map(0, 3), [3, 3, 3], {3}, 1)
        read.clear()
        exports.collect(CATEGORIES, tmp_path)
        assert len(read) == expected
    export_image(tmp_path, "1.png", work_of(3), some_map(5, 3), [3, 3, 3], {3}, 1)
    read.clear()
    exports.collect(CATEGORIES, tmp_path)
    assert len(read) == 1
