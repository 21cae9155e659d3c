"""Single objects: every one exactly once, with the pixels that pycocotools gives it, whatever overlaps what."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as run_lengths
from pycocotools.coco import COCO

from fullseg.config.parts import Parts
from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.coco_instances import CocoInstances
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.prepare import prepare
from fullseg.errors import DataError
from fullseg.metrics.region_iou import region_iou
from fullseg.types import BACKGROUND, VOID, Category

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools, with numpy 2
HEIGHT, WIDTH = 30, 40
PERSON, KITE = {"id": 1, "name": "person"}, {"id": 38, "name": "kite"}


def square(x: float, y: float, side: float) -> list[list[float]]:
    return [[x, y, x + side, y, x + side, y + side, x, y + side]]


def rle(mask: NDArray[np.bool_], compressed: bool = False) -> dict[str, Any]:
    """Return run lengths as COCO's json has them: a list, or pycocotools' text."""
    if compressed:
        return {"size": list(mask.shape), "counts": run_lengths.encode(np.asfortranarray(mask))["counts"].decode()}
    flat = np.concatenate([[False], mask.ravel(order="F"), [False]])
    edges = np.flatnonzero(flat[1:] != flat[:-1])
    counts = np.diff(np.concatenate([[0], edges, [mask.size]])).tolist()
    return {"size": list(mask.shape), "counts": counts}


def objects(*segmentations: Any, **fields: Any) -> list[dict[str, Any]]:
    return [{"image_id": 7, "category_id": 38, "segmentation": s, "iscrowd": 0} | fields for s in segmentations]


def write(root: Path, found: list[dict[str, Any]], split: str = "val2017", **changes: Any) -> Path:
    """Write a split of a.jpg (id 7), b.jpg (id 8) and c.jpg (id 9), of 30 x 40 px."""
    names = {7: "a.jpg", 8: "b.jpg", 9: "c.jpg"}
    content = {
        "images": [{"id": k, "file_name": name, "height": HEIGHT, "width": WIDTH} for k, name in names.items()],
        "annotations": [{"id": 100 + k} | annotation for k, annotation in enumerate(found)],
        "categories": [PERSON, KITE],
    }
    for folder in (root / "annotations", root / split):
        folder.mkdir(parents=True, exist_ok=True)
    for number, name in names.items():
        Image.new("RGB", (WIDTH, HEIGHT), (number, len(split), split.count("2"))).save(root / split / name)
    (root / "annotations" / f"instances_{split}.json").write_text(json.dumps(content | changes))
    return root


def read(root: Path, split: str = "val2017", **options: Any) -> CocoInstances:
    return CocoInstances(
        root, split, cache=root, **({"fraction": Parts(1, 1, 1), "max_regions": 99, "skip_bad": False} | options)
    )


def masks_of(root: Path) -> list[NDArray[np.bool_]]:
    """Return what pycocotools reads from val2017, in the order of the json."""
    coco = COCO(root / "annotations" / "instances_val2017.json")
    return [coco.annToMask(annotation).astype(bool) for annotation in coco.dataset["annotations"]]


def test_regions_have_the_pixels_and_classes_of_pycocotools(tmp_path: Path) -> None:
    blob = np.zeros((HEIGHT, WIDTH), bool)
    blob[20:28, 3:9] = True
    blob[22, 5] = False
    two_parts = [*square(25, 2, 6.6), *square(33.3, 9.2, 5)]
    shapes = [square(1.2, 2.7, 9), two_parts, rle(blob), rle(np.roll(blob, 20, axis=1), compressed=True)]
    annotations = objects(*shapes[:2]) + objects(*shapes[2:], category_id=1)
    data = read(write(tmp_path, annotations))

    assert data.categories == (Category(1, "person", True), Category(38, "kite", True))
    assert len(data) == 1
    assert data.name(0) == data[0].name == "a.jpg"
    assert data[0].classes.tolist() == [1, 1, 0, 0]
    expected = np.full((HEIGHT, WIDTH), BACKGROUND)
    for region, mask in enumerate(masks_of(tmp_path)):
        assert mask.any()
        expected[mask] = region
    np.testing.assert_array_equal(data[0].region_map, expected)
    assert data[0].region_map.dtype == data[0].classes.dtype == np.int64
    assert data[0].image.shape == (HEIGHT, WIDTH, 3)
    assert abs(int(data[0].image[0, 0, 0]) - 7) < 3


def test_overlapping_objects_are_in_layers_the_larger_first(tmp_path: Path) -> None:
    small, large, apart, middle = square(4, 4, 3), square(0, 0, 12), square(30, 20, 5), square(5, 5, 6)
    data = read(write(tmp_path, objects(small, large, apart, middle) + objects(small, image_id=9)))

    assert [data.name(index) for index in range(len(data))] == ["a.jpg#0", "a.jpg#1", "a.jpg#2", "c.jpg"]
    masks = masks_of(tmp_path)
    for index, layer in enumerate(([1, 2], [3], [0], [4])):
        partition = data[index]
        assert partition.name == data.name(index)
        for region, number in enumerate(layer):
            np.testing.assert_array_equal(partition.region_map == region, masks[number])
        assert ((partition.region_map == BACKGROUND) == ~np.any([masks[number] for number in layer], axis=0)).all()


def test_crowd_is_void_where_no_object_of_the_layer_is(tmp_path: Path) -> None:
    crowd = np.zeros((HEIGHT, WIDTH), bool)
    crowd[:10] = True
    other = np.roll(crowd, 20, axis=0)
    data = read(
        write(tmp_path, objects(square(5, 5, 10), square(8, 8, 4)) + objects(rle(crowd), rle(other), iscrowd=1))
    )

    for layer in range(2):
        region_map, mask = data[layer].region_map, masks_of(tmp_path)[layer]
        np.testing.assert_array_equal(region_map, np.select([mask, crowd | other], [0, VOID], BACKGROUND))


def test_images_and_objects_without_a_pixel_are_left_out(tmp_path: Path) -> None:
    nothing = rle(np.zeros((HEIGHT, WIDTH), bool))
    annotations = objects(square(5, 5, 4), nothing) + objects(nothing, image_id=8)
    data = read(write(tmp_path, annotations + objects(rle(np.ones((HEIGHT, WIDTH), bool)), iscrowd=1, image_id=9)))

    assert [data.name(index) for index in range(len(data))] == ["a.jpg"]  # b has no pixel, c only a crowd
    assert data[0].classes.tolist() == [1]


@pytest.mark.parametrize("empty", [[], [[]], [[1, 1]], [[1, 1, 5, 5]], [[2, 2, 2, 2, 2, 2]]])
def test_an_annotation_without_a_shape_makes_no_image_bad(empty: list[list[float]], tmp_path: Path) -> None:
    data = read(write(tmp_path, objects(square(5, 5, 4), empty)))
    assert [data.name(index) for index in range(len(data))] == ["a.jpg"]
    assert (data[0].region_map == 0).sum() == 16


def test_numbers_as_text_are_numbers(tmp_path: Path) -> None:
    plain = read(write(tmp_path / "a", objects(square(5, 5, 4))))[0].region_map
    shape = {"size": ["30", "40"], "counts": [str(count) for count in rle(plain == 0)["counts"]]}
    data = read(write(tmp_path / "b", objects([[str(v) for v in (5, 5, 9, 5, 9, 9, 5, 9)]], shape)))
    assert len(data) == 2  # two layers of one shape
    for index in range(2):
        np.testing.assert_array_equal(data[index].region_map, plain)


@st.composite
def some_objects(draw: st.DrawFn) -> list[NDArray[np.bool_]]:
    count, rng = draw(st.integers(1, 9)), np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    masks = []
    for _ in range(count):
        mask = np.zeros((HEIGHT, WIDTH), bool)
        (y, x), (height, width) = rng.integers(0, (HEIGHT, WIDTH)), rng.integers(1, 20, 2)
        mask[y : y + height, x : x + width] = rng.random((HEIGHT, WIDTH))[y : y + height, x : x + width] < rng.random()
        masks.append(mask)
    return masks


@given(some_objects())
@settings(max_examples=60, deadline=None)
def test_every_object_is_there_exactly_once_and_no_layer_could_be_spared(masks: list[NDArray[np.bool_]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = write(Path(folder), objects(square(0, 0, 2), image_id=8) + objects(*map(rle, masks)))
        data = read(root)
        partitions = [data[index] for index in range(len(data))]
    layers = [p.region_map for p in partitions if p.name.startswith("a.jpg")]
    found = [(region_map == k).tobytes() for region_map in layers for k in range(region_map.max() + 1)]
    assert sorted(found) == sorted(mask.tobytes() for mask in masks if mask.any())
    for place, layer in enumerate(layers):  # the largest of a layer overlaps one that is no smaller in each before it
        sizes = np.bincount(layer[layer >= 0])
        mask = layer == sizes.argmax()
        for before in layers[:place]:
            beaten = np.unique(before[mask & (before >= 0)])
            assert any((before == region).sum() >= sizes.max() for region in beaten)


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        (objects(square(1, 1, 3), category_id=5), "category id 5 is not among the categories"),
        (
            objects({"size": [9, 9], "counts": [81]}),
            r"annotation 100 cannot be read \(size \[9, 9\] instead of \[30, 40",
        ),
        (objects({"size": [30, 40], "counts": [3, 4]}), "run lengths of 7 pixels instead of 1200"),
        (objects({"size": [30, 40], "counts": [1300, -100]}), "annotation 100 cannot be read"),
        (objects([[1, 1, float("nan"), 1, 5, 5]]), r"segmentation\[0\]\[2\] is nan, expected a finite number"),
        (objects([[1, 1, float("inf"), 1, 5, 5]]), r"segmentation\[0\]\[2\] is inf, expected a finite number"),
        (objects([[1, 1, 1e300, 1, 5, 5]]), r"a polygon reaches 1e\+300 px, in an image of 40 x 30"),
        (objects([[1, 1, 5, 1, 5]]), "a polygon has 5 numbers; it needs an x and a y per point"),
        (objects([[[1, 1], [5, 1], [5, 5]]]), r"segmentation\[0\]\[0\] is \[1, 1\], expected a number"),
        (objects({"size": [30, 40], "counts": [1200, "x"]}), "expected a whole number"),
        (objects({"size": [30, 40]}), "expected"),
        (objects("square"), "the segmentation of annotation 100 cannot be read"),
        (objects([["a", "b"]]), "the segmentation of annotation 100 cannot be read"),
        (objects(None), "the segmentation of annotation 100 cannot be read"),
    ],
)
def test_bad_sample_is_named_or_left_out(tmp_path: Path, annotation: list[dict[str, Any]], message: str) -> None:
    root = write(tmp_path, annotation + objects(square(1, 1, 3), image_id=8))
    for _ in range(2):  # as it is built, and from the index
        with pytest.raises(DataError, match=rf"1 of 2 samples are bad(?s:.*)a\.jpg: .*{message}"):
            read(root)
    with pytest.warns(UserWarning, match=message):
        data = read(root, skip_bad=True)
    assert [data.name(index) for index in range(len(data))] == ["b.jpg"]


def test_missing_damaged_and_other_images_are_named(tmp_path: Path) -> None:
    root = write(tmp_path, [o for k in (7, 8, 9) for o in objects(square(1, 1, 3), image_id=k)])
    (root / "val2017" / "a.jpg").unlink()
    (root / "val2017" / "b.jpg").write_text("no")
    Image.new("RGB", (5, 5)).save(root / "val2017" / "c.jpg")
    with pytest.raises(DataError, match="3 of 3 samples are bad") as caught:
        read(root)
    for said in ("a.jpg is missing", "b.jpg is not an image", "c.jpg is 5 x 5, but the JSON says 40 x 30"):
        assert said in str(caught.value)
    with pytest.raises(DataError, match=r"2 regions, more than data\.max_regions=1"):
        read(write(tmp_path / "many", objects(square(1, 1, 3), square(9, 9, 3))), max_regions=1)


def test_what_is_missing_is_named_with_the_command_that_gets_it(tmp_path: Path) -> None:
    with pytest.raises(
        DataError, match=r"instances_train\.json is missing; .*fullseg data coco .*--part instances2014"
    ):
        read(tmp_path, "train")
    root = write(tmp_path, objects(square(1, 1, 3)))
    (root / "val2017").rename(root / "elsewhere")
    with pytest.raises(DataError, match=r"/val2017 is missing; .*--part instances2014 instances2017"):
        read(root)


@pytest.mark.parametrize("name", ["images", "annotations", "categories"])
def test_json_without_what_is_needed_names_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(DataError, match=rf"instances_val2017\.json: {name}\[0\] has no 'id'"):
        read(write(tmp_path, [], **{"annotations": objects(square(1, 1, 3), id=1)} | {name: [{}]}))


def test_parts_are_those_of_the_file_names_and_layers_stay_together(tmp_path: Path) -> None:
    annotations = [o for k in (7, 8, 9) for o in objects(square(1, 1, 9), square(2, 2, 3), image_id=k)]
    root = write(tmp_path, annotations)
    names: list[str] = []
    for part in (1, 2):
        data = read(root, fraction=Parts(part, part, 2))  # a and c are in one part, b in the other
        names += [data.name(index) for index in range(len(data))]
    assert sorted(names) == [f"{image}.jpg#{layer}" for image in "abc" for layer in (0, 1)]
    assert (
        len({read(root, fraction=Parts(part, part, 2)).fingerprint() for part in (1, 2)} | {read(root).fingerprint()})
        == 3
    )


def test_fingerprint_changes_with_a_pixel_of_an_object(tmp_path: Path) -> None:
    prints = [
        read(write(tmp_path / str(k), objects(square(1, 1, side)))).fingerprint() for k, side in enumerate((5, 5, 6))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_loaders_deliver_single_objects_with_background(tmp_path: Path) -> None:
    for split in ("train2014", "val2017"):
        write(tmp_path, objects(square(2, 2, 20), square(5, 5, 6), square(30, 3, 8)), split)
    splits = {"train_split": "train2014", "val_split": "val2017", "cache": str(tmp_path / "cache")}
    config = DataConfig(
        format="coco_instances",
        root=str(tmp_path),
        batch_size=2,
        workers=0,
        crop_size=32,
        regions_per_image=1,
        **splits,
    )
    assert prepare(config) == tmp_path
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=3), seed=0)
    data.setup("fit")
    [batch] = list(data.train_dataloader())
    assert sorted(batch.names) == ["a.jpg#0", "a.jpg#1"]
    assert batch.regions_per_image.tolist() == [1, 1]
    assert (batch.region_maps == BACKGROUND).any(dim=2).any(dim=1).all()
    assert [b.regions_per_image.tolist() for b in data.val_dataloader()] == [[2], [1]]
    for b in data.val_dataloader():
        truth = b.region_maps[0]
        assert region_iou(truth.clamp(min=VOID), truth, int(b.regions_per_image[0])).tolist() == len(b.classes) * [1.0]
