import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image

from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.index.partitions import Partition
from fullseg.errors import DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import VOID, Category

CACHE = tempfile.TemporaryDirectory()
CATEGORIES = (Category(7, "person", True), Category(200, "sky", False))


def read(root: Path, split: str = "val", **options: Any) -> CocoPanoptic:
    """Read a split; its index stays in a folder of this file's tests."""
    defaults = {"annotators": "all", "fraction": Parts(1, 1, 1), "max_regions": 400, "skip_bad": False}
    return CocoPanoptic(root, split, cache=Path(CACHE.name), **(defaults | options))


def ids_of(png: Path) -> NDArray[np.int64]:
    """Decode a png by the definition of the format, independently of the reader."""
    red, green, blue = np.asarray(Image.open(png)).astype(np.int64).transpose(2, 0, 1)
    return red + 256 * green + 65536 * blue


def sample(name: str, **options: Any) -> NewSample:
    """Return 9 x 12 px (height x width): void in the first two rows, then region 0 (sky) above region 1 (person)."""
    region_map = np.full((9, 12), VOID)
    region_map[2:5], region_map[5:] = 0, 1
    image = np.arange(9 * 12 * 3, dtype=np.uint8).reshape(9, 12, 3)
    return NewSample(name, image, region_map, np.array([1, 0]), **options)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a data set with good.png, other.png in val."""
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [sample("good.png"), sample("other.png")])
    return tmp_path


def edit(root: Path, change: Any) -> None:
    """Change the json of val, by a function of its content."""
    path = root / "val" / "panoptic.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_real_coco_regions_have_the_areas_boxes_and_classes_of_the_json(shared_data: Path) -> None:
    root = shared_data / "coco_panoptic_sample"
    content = json.loads((root / "panoptic.json").read_text())
    data = read(root)

    assert len(data) == 2
    assert len(data.categories) == 133
    assert data.categories[0] == Category(1, "person", isthing=True)
    counts = {}
    for index, entry in enumerate(content["images"]):
        partition = data[index]
        segments = next(a for a in content["annotations"] if a["image_id"] == entry["id"])["segments_info"]
        regions = [segment for segment in segments if not segment["iscrowd"]]
        counts[data.name(index)] = (len(segments), len(regions))
        assert partition.name == data.name(index) == entry["file_name"]
        assert partition.image.shape == (entry["height"], entry["width"], 3)
        assert partition.image.dtype == np.uint8
        assert partition.image.flags.writeable  # torch.from_numpy warns otherwise
        assert partition.region_map.dtype == partition.classes.dtype == np.int64
        areas = [int((partition.region_map == region).sum()) for region in range(len(regions))]
        assert areas == [segment["area"] for segment in regions]
        assert [data.categories[c].id for c in partition.classes] == [segment["category_id"] for segment in regions]
        for region, segment in enumerate(regions):
            rows, columns = np.nonzero(partition.region_map == region)
            box = [columns.min(), rows.min(), np.ptp(columns) + 1, np.ptp(rows) + 1]
            assert box == segment["bbox"]
        crowd = sum(segment["area"] for segment in segments if segment["iscrowd"])
        void = int((ids_of(root / "panoptic" / f"{Path(entry['file_name']).stem}.png") == 0).sum())
        assert int((partition.region_map == VOID).sum()) == crowd + void
    assert counts == {"000000142238.jpg": (18, 17), "000000439180.jpg": (32, 30)}


def test_official_folders_and_split_folders_hold_the_same_data_as_the_plain_one(
    shared_data: Path, tmp_path: Path
) -> None:
    plain = shared_data / "coco_panoptic_sample"
    (tmp_path / "official" / "annotations").mkdir(parents=True)
    (tmp_path / "official" / "val2017").symlink_to(plain / "images")
    (tmp_path / "official" / "annotations" / "panoptic_val2017").symlink_to(plain / "panoptic")
    shutil.copy(plain / "panoptic.json", tmp_path / "official" / "annotations" / "panoptic_val2017.json")
    (tmp_path / "ours").mkdir()
    (tmp_path / "ours" / "val").symlink_to(plain)

    expected = read(plain)
    for root in (tmp_path / "official", tmp_path / "ours"):
        data = read(root)
        assert data.fingerprint() == expected.fingerprint()
        assert len(data) == len(expected)
        np.testing.assert_array_equal(data[1].region_map, expected[1].region_map)
        np.testing.assert_array_equal(data[1].image, expected[1].image)


region_maps = st.tuples(st.integers(1, 23), st.integers(1, 23), st.integers(1, 300)).flatmap(
    lambda s: st.tuples(arrays(np.int64, s[:2], elements=st.integers(VOID, s[2] - 1)), st.just(s[2]))
)


@settings(max_examples=40, deadline=None)
@given(region_maps, st.integers(0, 2**32 - 1))
def test_what_is_written_is_read_back_without_the_regions_that_have_no_pixel(
    case: tuple[NDArray[np.int64], int], seed: int
) -> None:
    region_map, num_regions = case
    region_map.flat[0] = num_regions - 1  # one region at least
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, num_regions)
    image = rng.integers(0, 256, (*region_map.shape, 3), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        write_coco_panoptic(Path(folder) / "val", CATEGORIES, [NewSample("a.png", image, region_map, classes)])
        partition = read(Path(folder))[0]

    left = sorted(set(region_map.ravel().tolist()) - {VOID})
    expected = np.full_like(region_map, VOID)
    for new, old in enumerate(left):
        expected[region_map == old] = new
    np.testing.assert_array_equal(partition.region_map, expected)
    np.testing.assert_array_equal(partition.image, image)
    np.testing.assert_array_equal(partition.classes, classes[left])


def test_written_json_says_what_the_png_shows_and_all_that_panopticapi_reads(tmp_path: Path) -> None:
    region_map = np.zeros((20, 30), dtype=np.int64)
    region_map[3:8, 11:29] = 299  # beyond one byte
    region_map[:2] = VOID
    new = NewSample("a.png", np.zeros((20, 30, 3), np.uint8), region_map, np.arange(300) % 2, np.int64(4), np.True_)
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [new])

    content = json.loads((tmp_path / "val" / "panoptic.json").read_text())
    ids = ids_of(tmp_path / "val" / "panoptic" / "a_4.png")
    assert content["images"] == [
        {"id": 1, "file_name": "a.png", "height": 20, "width": 30, "annotator": 4, "median": True}
    ]
    annotation = content["annotations"][0]
    assert (annotation["image_id"], annotation["file_name"]) == (1, "a_4.png")
    assert annotation["segments_info"] == [
        {"id": 1, "category_id": 7, "area": 20 * 30 - 60 - 90, "bbox": [0, 2, 30, 18], "iscrowd": 0},
        {"id": 300, "category_id": 200, "area": 90, "bbox": [11, 3, 18, 5], "iscrowd": 0},
    ]
    for segment in annotation["segments_info"]:
        assert int((ids == segment["id"]).sum()) == segment["area"]
    assert int((ids == 0).sum()) == 60
    assert [(c["id"], c["name"], c["isthing"]) for c in content["categories"]] == [(7, "person", 1), (200, "sky", 0)]
    assert len({tuple(c["color"]) for c in content["categories"]}) == 2
    assert all(0 <= value <= 255 for c in content["categories"] for value in c["color"])


def test_two_annotators_share_an_image_and_are_chosen_by_number_or_median(tmp_path: Path) -> None:
    source = tmp_path / "source.jpg"
    Image.fromarray(np.full((9, 12, 3), 90, np.uint8)).save(source)
    samples = [sample("a.jpg", annotator=k, median=k == 1)._replace(image=source) for k in (0, 1)]
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [*samples, sample("plain.png")])

    assert (tmp_path / "val" / "images" / "a.jpg").read_bytes() == source.read_bytes()
    assert sorted(p.name for p in (tmp_path / "val" / "panoptic").iterdir()) == ["a_0.png", "a_1.png", "plain.png"]

    def names(annotators: str) -> list[str]:
        data = read(tmp_path, annotators=annotators)
        return [data.name(index) for index in range(len(data))]

    assert names("all") == ["a.jpg#0", "a.jpg#1", "plain.png"]
    assert names("median") == ["a.jpg#1", "plain.png"]
    assert names("0") == ["a.jpg#0", "plain.png"]
    with pytest.raises(DataError, match=r"panoptic\.json: no image has annotator 2; choose all, median or one of 0, 1"):
        names("2")
    with pytest.raises(ValueError, match="annotators 'best': choose all, median or the number"):
        names("best")


def test_fractions_are_disjoint_complete_and_keep_annotators_together(tmp_path: Path) -> None:
    samples = [sample(f"{k:02}.png", annotator=a) for k in range(40) for a in (0, 1)]
    write_coco_panoptic(tmp_path / "val", CATEGORIES, samples)
    parts = []
    for part in (1, 2, 3):
        data = read(tmp_path, fraction=Parts(part, part, 3))
        parts.append([data.name(index) for index in range(len(data))])

    assert sorted(name for part in parts for name in part) == sorted(f"{s.file_name}#{s.annotator}" for s in samples)
    images = [{name.partition("#")[0] for name in part} for part in parts]
    assert all(len(part) == 2 * len(names) for part, names in zip(parts, images, strict=True))
    assert all(8 <= len(part) <= 40 for part in parts)  # 26.7 each on average
    together = read(tmp_path, fraction=Parts(2, 3, 3))  # several parts at once
    assert sorted(together.name(index) for index in range(len(together))) == sorted(parts[1] + parts[2])
    with pytest.raises(ValueError, match="parts 4 to 4 of 3"):
        read(tmp_path, fraction=Parts(4, 4, 3))


def test_fingerprint_depends_on_the_samples_and_not_on_the_folder(root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "val", tmp_path / "moved")
    expected = read(root).fingerprint()

    assert len(expected) == 16
    assert int(expected, 16) >= 0
    assert read(tmp_path, "moved").fingerprint() == expected
    edit(root, lambda c: segments(c)[0].update(area=35))
    changed = read(root).fingerprint()
    assert changed != expected
    edit(root, lambda c: c["images"].pop())
    assert read(root).fingerprint() not in (expected, changed)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1"])
def test_image_of_any_mode_is_read_as_rgb(root: Path, mode: str) -> None:
    path = root / "val" / "images" / "good.png"
    grey = Image.fromarray(np.full((9, 12), 255, np.uint8)).convert("RGB").convert(mode)
    grey.save(path, format="TIFF" if mode == "CMYK" else "PNG")
    image = read(root)[0].image

    assert image.shape == (9, 12, 3)
    assert (image == 255).all()


def test_an_image_is_turned_by_exif_unless_its_labels_were_drawn_on_the_stored_pixels(root: Path) -> None:
    exif = Image.Exif()
    for orientation, red in ((6, (0, 0)), (3, (8, 11))):  # 6: 90 degrees, which only the stored pixels fit
        exif[0x0112] = orientation
        pixels = np.zeros((9, 12, 3), np.uint8)
        pixels[0, 0] = [255, 0, 0]
        Image.fromarray(pixels).save(root / "val" / "images" / "good.png", exif=exif)
        image = read(root)[0].image
        assert image.shape == (9, 12, 3)
        assert image[red].tolist() == [255, 0, 0]


def test_nothing_there_names_all_places_that_were_tried(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, "train")
    for place in ("train/panoptic.json", "annotations/panoptic_train2017.json", "panoptic.json"):
        assert str(tmp_path / place) in str(caught.value)
    assert "data.root" in str(caught.value)


def test_missing_folder_of_the_png_is_named(root: Path) -> None:
    shutil.rmtree(root / "val" / "panoptic")
    with pytest.raises(DataError, match=r"the folder .*val/panoptic is not: unpack"):
        read(root)


def test_broken_json_is_named(root: Path) -> None:
    (root / "val" / "panoptic.json").write_text('{"images": [')
    with pytest.raises(DataError, match=r"val/panoptic\.json cannot be read as JSON .*download or write it again"):
        read(root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("categories"), "panoptic.json: the list 'categories' is missing"),
        (lambda c: c["images"][1].pop("height"), r"images\[1\] \(other.png\) has no 'height'"),
        (lambda c: c["annotations"][0].pop("image_id"), r"annotations\[0\] \(good.png\) has no 'image_id'"),
        (
            lambda c: c["annotations"][1].update(segments_info=None),
            r"annotations\[1\] \(other.png\): segments_info is null, expected a list",
        ),
        (
            lambda c: c["annotations"][1]["segments_info"][0].pop("category_id"),
            r"\(other.png\): segments_info\[0\] has no",
        ),
        (lambda c: c["images"][1].update(id=1), "two of the images have the same id"),
        (lambda c: c["categories"][1].update(id=7), "two of the categories have the same id"),
    ],
)
def test_json_without_what_is_needed_names_file_and_key(root: Path, change: Any, message: str) -> None:
    edit(root, change)
    with pytest.raises(DataError, match=message) as caught:
        read(root, skip_bad=True)  # not a matter of single samples
    assert "val/panoptic.json" in str(caught.value)


def test_color_of_categories_and_iscrowd_may_be_missing(root: Path) -> None:
    def change(content: dict[str, Any]) -> None:
        for entry in content["categories"]:
            del entry["color"]
        for annotation in content["annotations"]:
            for segment in annotation["segments_info"]:
                del segment["iscrowd"]

    expected = read(root)[0].region_map
    edit(root, change)
    np.testing.assert_array_equal(read(root)[0].region_map, expected)


def segments(content: dict[str, Any]) -> list[dict[str, Any]]:
    return content["annotations"][0]["segments_info"]


BAD_JSON = [
    (lambda c: c["images"][0].update(width=13), "images/good.png is 12 x 9, but the JSON says 13 x 9"),
    (lambda c: c["annotations"].pop(0), "0 annotations in the JSON instead of 1"),
    (lambda c: c["annotations"].append(c["annotations"][0]), "2 annotations in the JSON instead of 1"),
    (lambda c: segments(c)[1].update(category_id=55), "category id 55 is not among the categories"),
    (lambda c: segments(c)[1].update(id=1), "segment id 1 occurs twice"),
    (lambda c: segments(c)[1].update(id=0), "segment id 0 is not in 1 .. 16777215"),
    (lambda c: segments(c).clear(), "no region"),
    (lambda c: [s.update(iscrowd=1) for s in segments(c)], "no region, only crowd"),
    (lambda c: segments(c).append({"id": 3, "category_id": 7}), "3 regions, more than data.max_regions=2"),
]
BAD_FILES = [
    (lambda val: (val / "images" / "good.png").unlink(), "images/good.png is missing"),
    (lambda val: (val / "images" / "good.png").write_text("no"), "images/good.png is not an image that can be read"),
    (lambda val: (val / "panoptic" / "good.png").unlink(), "panoptic/good.png is missing"),
    (lambda val: (val / "panoptic" / "good.png").write_text(""), "panoptic/good.png is not an image that can be read"),
    (
        lambda val: Image.new("RGB", (12, 8)).save(val / "panoptic" / "good.png"),
        "panoptic/good.png is 12 x 8, but the JSON says 12 x 9",
    ),
]


def check_bad(root: Path, message: str) -> None:
    with pytest.raises(DataError) as caught:
        read(root, max_regions=2)
    for part in ("1 of 2 samples are bad; fix or remove them, or set data.skip_bad=true", "good.png: ", message):
        assert part in str(caught.value)
    with pytest.warns(UserWarning, match=r"left out 1 of 2 samples as bad:\n  good.png: ") as warned:
        data = read(root, max_regions=2, skip_bad=True)
    assert message in str(warned[0].message)
    assert [data.name(index) for index in range(len(data))] == ["other.png"]
    assert (data[0].region_map >= 0).sum() == 7 * 12


@pytest.mark.parametrize(("change", "message"), BAD_JSON)
def test_sample_that_the_json_makes_bad_is_named_or_left_out(root: Path, change: Any, message: str) -> None:
    edit(root, change)
    check_bad(root, message)


@pytest.mark.parametrize(("change", "message"), BAD_FILES)
def test_sample_with_a_bad_file_is_named_or_left_out(root: Path, change: Any, message: str) -> None:
    change(root / "val")
    check_bad(root, message)


def test_many_bad_samples_are_counted_and_ten_are_listed(tmp_path: Path) -> None:
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [sample(f"{k:02}.png") for k in range(13)])
    for k in range(12):
        (tmp_path / "val" / "images" / f"{k:02}.png").unlink()
    with pytest.raises(DataError, match="12 of 13 samples are bad") as caught:
        read(tmp_path)
    assert str(caught.value).count(" is missing") == 10
    assert str(caught.value).endswith("...")


def test_no_sample_left_is_an_error_even_when_bad_ones_are_skipped(root: Path) -> None:
    with pytest.raises(DataError, match="no sample is left of 2; all are bad"):
        read(root, max_regions=1, skip_bad=True)
    empty = next(part for part in range(1, 1000) if not {"good.png", "other.png"} & set(names_of(root, part)))
    with pytest.raises(DataError, match="no sample is left of 0; widen the fraction"):
        read(root, fraction=Parts(empty, empty, 999))


def names_of(root: Path, part: int) -> list[str]:
    try:
        data = read(root, fraction=Parts(part, part, 999))
    except DataError:
        return []
    return [data.name(index) for index in range(len(data))]


@pytest.mark.parametrize("suffix", [".jpg", ".png"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9])
def test_truncated_image_is_an_error_when_it_is_read(tmp_path: Path, suffix: str, kept: float) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    region_map = np.zeros((40, 60), dtype=np.int64)
    new = NewSample(f"a{suffix}", noise, region_map, np.array([0]))
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [new])
    path = tmp_path / "val" / "images" / f"a{suffix}"
    truncate(path, kept)
    with pytest.raises(DataError, match=rf"images/a{suffix} cannot be read \(.*\): download or write it again"):
        read(tmp_path)[0]


@pytest.mark.parametrize("kept", [0.4, 0.6, 0.9])
def test_truncated_png_of_the_regions_is_an_error_when_it_is_read(tmp_path: Path, kept: float) -> None:
    region_map = np.random.default_rng(0).integers(0, 50, (40, 60))
    new = NewSample("a.png", np.zeros((40, 60, 3), np.uint8), region_map, np.zeros(50, dtype=np.int64))
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [new])
    truncate(tmp_path / "val" / "panoptic" / "a.png", kept)
    with pytest.raises(DataError, match=r"panoptic/a.png cannot be read \(missing, damaged, or not RGB or grey\)"):
        read(tmp_path)[0]


def truncate(path: Path, kept: float) -> None:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * kept)])


def test_png_ids_and_segments_info_must_agree(root: Path) -> None:
    edit(root, lambda c: segments(c)[1].update(id=70000))
    data = read(root)
    with pytest.raises(DataError, match=r"panoptic/good.png: ids \[2\] are not in segments_info"):
        data[0]
    edit(root, lambda c: segments(c).append({"id": 2, "category_id": 7}))
    with pytest.raises(DataError, match=r"panoptic/good.png: ids \[70000\] of segments_info have no pixel"):
        read(root)[0]
    assert data[1].name == "other.png"


def test_interrupted_writing_leaves_nothing_that_could_be_taken_for_complete(tmp_path: Path) -> None:
    def samples() -> Any:
        yield sample("a.png")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_coco_panoptic(tmp_path / "val", CATEGORIES, samples())
    assert list(tmp_path.iterdir()) == []


def test_existing_folder_is_never_overwritten(root: Path) -> None:
    before = (root / "val" / "panoptic.json").read_bytes()
    with pytest.raises(DataError, match="val exists: remove it"):
        write_coco_panoptic(root / "val", CATEGORIES, [sample("new.png")])
    assert (root / "val" / "panoptic.json").read_bytes() == before


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        ([sample("a.png"), sample("a.jpg")], "a.jpg: another sample has the same a.png"),
        (
            [sample("a.png", annotator=1)._replace(image=np.zeros((9, 11, 3), np.uint8))],
            "a.png#1: the region map is 12",
        ),
        ([sample("a.png")._replace(classes=np.array([0]))], "a.png: regions -1 .. 1, but 1 classes"),
        ([sample("a.png")._replace(region_map=np.full((9, 12), -2))], "a.png: regions -2 .. -2"),
    ],
)
def test_sample_that_contradicts_itself_or_another_is_not_written(
    tmp_path: Path, samples: list[NewSample], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        write_coco_panoptic(tmp_path / "val", CATEGORIES, samples)
    assert list(tmp_path.iterdir()) == []


def test_partition_is_what_the_sequence_protocol_yields(root: Path) -> None:
    partitions = list(read(root))  # type: ignore[call-overload]
    assert [type(partition) for partition in partitions] == [Partition, Partition]
    assert [partition.classes.tolist() for partition in partitions] == [[1, 0], [1, 0]]
