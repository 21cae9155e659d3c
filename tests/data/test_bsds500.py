from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat, savemat

from fullseg.data.bsds500 import connected_regions, import_bsds500
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.errors import DataError
from fullseg.types import VOID, Category


def read(root: Path, split: str = "val", annotators: str = "all") -> CocoPanoptic:
    return CocoPanoptic(
        root, split, cache=root, annotators=annotators, fraction=(1, 1), max_regions=1000, skip_bad=False
    )


def write_original(root: Path, name: str, partitions: list[NDArray[np.uint16]]) -> None:
    """Write an image and its .mat, nested as in the original files."""
    height, width = partitions[0].shape
    for folder in ("images", "groundTruth"):
        (root / folder / "val").mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "teal").save(root / "images" / "val" / f"{name}.jpg")
    truths = np.empty((1, len(partitions)), dtype=object)
    for k, labels in enumerate(partitions):
        truth = np.empty((1, 1), dtype=[("Segmentation", object), ("Boundaries", object)])
        truth[0, 0] = (labels, np.zeros_like(labels))
        truths[0, k] = truth
    savemat(root / "groundTruth" / "val" / f"{name}.mat", {"groundTruth": truths})


def stripes(count: int, height: int = 7, width: int = 30) -> NDArray[np.uint16]:
    """Return `count` vertical stripes of equal width, labelled from 1."""
    return np.repeat(np.arange(1, count + 1, dtype=np.uint16), width // count)[None].repeat(height, axis=0)


def test_labels_are_split_into_4_connected_regions_and_small_ones_become_void() -> None:
    labels = np.array(
        [
            [5, 5, 2, 2, 5],
            [5, 2, 5, 5, 5],  # the 2 below and the 5s touch at corners only
            [3, 3, 3, 3, 3],
        ],
        dtype=np.uint16,
    )
    region_map, num_regions = connected_regions(labels, min_region_area=1)
    np.testing.assert_array_equal(region_map, [[0, 0, 1, 1, 2], [0, 3, 2, 2, 2], [4, 4, 4, 4, 4]])
    assert num_regions == 5

    region_map, num_regions = connected_regions(labels, min_region_area=3)
    np.testing.assert_array_equal(region_map, [[0, 0, -1, -1, 1], [0, -1, 1, 1, 1], [2, 2, 2, 2, 2]])
    assert num_regions == 3
    assert region_map.dtype == np.int64

    region_map, num_regions = connected_regions(labels, min_region_area=6)
    assert num_regions == 0
    assert (region_map == VOID).all()


@pytest.mark.parametrize("base", ["", "BSDS500/data"])
def test_every_annotator_becomes_a_sample_of_one_shared_image(tmp_path: Path, base: str) -> None:
    write_original(tmp_path / "in" / base, "b", [stripes(5), stripes(2), stripes(3), stripes(1)])
    write_original(tmp_path / "in" / base, "a", [stripes(2)])
    import_bsds500(tmp_path / "in", tmp_path / "out", "val", min_region_area=1)
    data = read(tmp_path / "out")

    assert data.categories == (Category(1, "region", True),)
    assert [data.name(index) for index in range(5)] == ["a.jpg#0", "b.jpg#0", "b.jpg#1", "b.jpg#2", "b.jpg#3"]
    assert [len(data[index].classes) for index in range(5)] == [2, 5, 2, 3, 1]
    np.testing.assert_array_equal(data[3].region_map, stripes(3).astype(np.int64) - 1)
    original = (tmp_path / "in" / base / "images" / "val" / "b.jpg").read_bytes()
    assert (tmp_path / "out" / "val" / "images" / "b.jpg").read_bytes() == original


@pytest.mark.parametrize(
    ("counts", "median"),
    [([5], 0), ([5, 2], 1), ([5, 1, 3], 2), ([5, 2, 3, 1], 1), ([3, 3, 3], 1), ([3, 3], 0), ([6, 2, 2, 2], 2)],
)
def test_median_is_the_lower_middle_by_number_of_regions(tmp_path: Path, counts: list[int], median: int) -> None:
    write_original(tmp_path / "in", "a", [stripes(count) for count in counts])
    import_bsds500(tmp_path / "in", tmp_path / "out", "val", min_region_area=1)
    data = read(tmp_path / "out", annotators="median")

    assert [data.name(index) for index in range(len(data))] == [f"a.jpg#{median}"]


def test_partition_without_a_region_is_left_out_and_the_others_keep_their_numbers(tmp_path: Path) -> None:
    write_original(tmp_path / "in", "a", [stripes(30), stripes(2), stripes(3)])  # 7, 105 and 70 px a region
    write_original(tmp_path / "in", "b", [stripes(30)])
    with pytest.warns(UserWarning, match=r"b\.jpg: left out, no region has 50 px"):
        import_bsds500(tmp_path / "in", tmp_path / "out", "val", min_region_area=50)
    data = read(tmp_path / "out")

    assert [data.name(index) for index in range(len(data))] == ["a.jpg#1", "a.jpg#2"]
    assert read(tmp_path / "out", annotators="median").name(0) == "a.jpg#1"


def test_real_partitions_keep_every_pixel_and_every_region_is_connected(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "bsds500"
    if not source.is_dir():
        pytest.skip(f"no BSDS500 at {source}")
    names = [path.stem for path in sorted((source / "images" / "val").glob("*.jpg"))[:3]]
    for folder, suffix in (("images", ".jpg"), ("groundTruth", ".mat")):
        (tmp_path / "in" / folder / "val").mkdir(parents=True)
        for name in names:
            (tmp_path / "in" / folder / "val" / (name + suffix)).symlink_to(source / folder / "val" / (name + suffix))
    import_bsds500(tmp_path / "in", tmp_path / "out", "val", min_region_area=50)
    data = read(tmp_path / "out")

    index = 0
    for name in names:
        for truth in loadmat(source / "groundTruth" / "val" / f"{name}.mat")["groundTruth"].ravel():
            labels = truth["Segmentation"][0, 0]
            check_against_labels(data[index].region_map, len(data[index].classes), labels, min_region_area=50)
            index += 1
    assert index == len(data)
    medians = read(tmp_path / "out", annotators="median")
    assert [medians.name(k).partition("#")[0] for k in range(len(medians))] == [f"{name}.jpg" for name in names]


def check_against_labels(
    region_map: NDArray[np.int64], num_regions: int, labels: NDArray[np.uint16], min_region_area: int
) -> None:
    """Compare with one `ndimage.label` per label."""
    areas = []
    void = 0
    for label in np.unique(labels):
        components, count = ndimage.label(labels == label)
        sizes = np.bincount(components.ravel(), minlength=count + 1)[1:]
        areas += [int(size) for size in sizes if size >= min_region_area]
        void += int(sizes[sizes < min_region_area].sum())
    assert sorted(int((region_map == region).sum()) for region in range(num_regions)) == sorted(areas)
    assert int((region_map == VOID).sum()) == void
    for region in range(num_regions):
        assert ndimage.label(region_map == region)[1] == 1
        assert len(np.unique(labels[region_map == region])) == 1


def test_missing_folders_name_both_places_and_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        import_bsds500(tmp_path, tmp_path / "out", "train")
    for part in (f"{tmp_path}/{{images,groundTruth}}/train", "BSDS500/data/{images,groundTruth}/train", "data.root"):
        assert part in str(caught.value)


def test_folder_without_images_is_named(tmp_path: Path) -> None:
    write_original(tmp_path, "a", [stripes(2)])
    (tmp_path / "images" / "val" / "a.jpg").unlink()
    with pytest.raises(DataError, match=r"no \*\.jpg in .*images/val"):
        import_bsds500(tmp_path, tmp_path / "out", "val")


def write_other(path: Path) -> None:
    savemat(path, {"something": 1})


def write_small(path: Path) -> None:
    write_original(path.parents[2], "a", [stripes(2, height=6)])
    Image.new("RGB", (30, 7)).save(path.parents[2] / "images" / "val" / "a.jpg")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (Path.unlink, r"groundTruth/val/a\.mat is missing, but there is .*images/val/a\.jpg"),
        (lambda path: path.write_bytes(b"nothing"), r"a\.mat holds no groundTruth with Segmentation"),
        (lambda path: path.write_bytes(path.read_bytes()[:150]), r"a\.mat holds no groundTruth with Segmentation"),
        (write_other, r"a\.mat holds no groundTruth with Segmentation"),
        (write_small, r"a\.mat, annotator 0: Segmentation is uint16 \(6, 30\), but the image is .* \(7, 30\)"),
        (lambda path: (path.parents[2] / "images/val/a.jpg").write_text("no"), r"images/val/a\.jpg is not an image"),
    ],
)
def test_bad_file_is_named_with_the_remedy_and_nothing_is_left_behind(
    tmp_path: Path, change: Callable[[Path], object], message: str
) -> None:
    write_original(tmp_path / "in", "a", [stripes(2)])
    change(tmp_path / "in" / "groundTruth" / "val" / "a.mat")
    with pytest.raises(DataError, match=message) as caught:
        import_bsds500(tmp_path / "in", tmp_path / "out", "val")
    assert "fetch BSR_bsds500.tgz" in str(caught.value)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_existing_import_is_not_overwritten(tmp_path: Path) -> None:
    write_original(tmp_path / "in", "a", [stripes(2)])
    import_bsds500(tmp_path / "in", tmp_path / "out", "val")
    with pytest.raises(FileExistsError, match="out/val exists"):
        import_bsds500(tmp_path / "in", tmp_path / "out", "val")
