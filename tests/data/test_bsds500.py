"""The import of BSDS500: regions, annotators, broken files, and several processes at once."""

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage
from scipy.io import loadmat, savemat

from fullseg.config.parts import Parts
from fullseg.data.bsds500 import connected_regions, import_bsds500
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.errors import DataError
from fullseg.types import VOID, Category


def read(root: Path, split: str = "val", annotators: str = "all") -> CocoPanoptic:
    return CocoPanoptic(
        root, split, cache=root, annotators=annotators, fraction=Parts(1, 1, 1), max_regions=1000, skip_bad=False
    )


def visible(folder: Path) -> list[str]:
    """Return the names in a folder that are not hidden, as lock files are."""
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def write_original(root: Path, name: str, partitions: list[NDArray[np.uint16]], split: str = "val") -> None:
    """Write an image and its .mat, nested as in the original files."""
    height, width = partitions[0].shape
    for folder in ("images", "groundTruth"):
        (root / folder / split).mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), "teal").save(root / "images" / split / f"{name}.jpg")
    truths = np.empty((1, len(partitions)), dtype=object)
    for k, labels in enumerate(partitions):
        truth = np.empty((1, 1), dtype=[("Segmentation", object), ("Boundaries", object)])
        truth[0, 0] = (labels, np.zeros_like(labels))
        truths[0, k] = truth
    savemat(root / "groundTruth" / split / f"{name}.mat", {"groundTruth": truths})


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


def test_two_splits_become_one(tmp_path: Path) -> None:
    write_original(tmp_path, "7", [stripes(2)], "val")
    write_original(tmp_path, "9", [stripes(3), stripes(5)], "train")
    import_bsds500(tmp_path, tmp_path / "out", "train+val")
    found = read(tmp_path / "out", "train+val")
    assert [found.region_map(index).max() + 1 for index in range(len(found))] == [3, 5, 2]
    with pytest.raises(DataError, match=r"no BSDS500 data: looked for .*test"):
        import_bsds500(tmp_path, tmp_path / "out", "train+test")


def regions_by_flooding(labels: NDArray[np.integer], min_region_area: int) -> NDArray[np.int64]:
    """Number the regions of a map (H, W) by their first pixel, each flooded from there; small ones are VOID."""
    region_map = np.full(labels.shape, VOID - 1)
    number = 0
    for first in np.ndindex(labels.shape):
        if region_map[first] != VOID - 1:
            continue
        pixels, waiting = {first}, [first]
        while waiting:
            y, x = waiting.pop()
            near = [(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)]
            new = [
                at
                for at in near
                if 0 <= at[0] < labels.shape[0]
                and 0 <= at[1] < labels.shape[1]
                and labels[at] == labels[first]
                and at not in pixels
            ]
            pixels.update(new)
            waiting += new
        large = len(pixels) >= min_region_area
        for at in pixels:
            region_map[at] = number if large else VOID
        number += large
    return region_map


@given(
    arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32, np.int64]),
        st.tuples(st.integers(1, 12), st.integers(1, 12)),
        elements=st.integers(0, 3),
    ),
    st.integers(1, 5),
    st.booleans(),
)
@settings(max_examples=200, deadline=None)
def test_regions_are_those_found_by_flooding(labels: NDArray[np.integer], min_region_area: int, negative: bool) -> None:
    if negative and labels.dtype.kind == "i":
        labels = labels - 2
    region_map, num_regions = connected_regions(labels, min_region_area)
    np.testing.assert_array_equal(region_map, regions_by_flooding(labels, min_region_area))
    assert num_regions == region_map.max() + 1


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
    with pytest.warns(UserWarning, match=r"b\.jpg: left out, because no region has 50 px"):
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
    assert not (tmp_path / "out").exists() or visible(tmp_path / "out") == []


def test_existing_import_is_not_overwritten(tmp_path: Path) -> None:
    write_original(tmp_path / "in", "a", [stripes(2)])
    import_bsds500(tmp_path / "in", tmp_path / "out", "val")
    with pytest.raises(DataError, match="out/val exists"):
        import_bsds500(tmp_path / "in", tmp_path / "out", "val")


def start_import(source: Path, cache: Path) -> "subprocess.Popen[str]":
    """Import as a run does that finds no imported data, in a process of its own."""
    code = (
        "import sys; from pathlib import Path; from fullseg.config.schema import DataConfig; "
        "from fullseg.data.prepare import prepare; "
        "print(prepare(DataConfig(format='bsds500', root=sys.argv[1], cache=sys.argv[2], train_split='val')))"
    )
    command = [sys.executable, "-c", code, str(source), str(cache)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_until_written(cache: Path, count: int) -> Path:
    """Wait until an import has written some images; return its hidden folder."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if len(found := list(cache.glob("bsds500-*/.val.partial-*/images/*.jpg"))) >= count:
            return found[0].parents[1]
        time.sleep(0.01)
    raise TimeoutError("nothing is written")


@pytest.fixture
def many_photographs(tmp_path: Path) -> Path:
    for number in range(200):  # enough to be killed or met in the middle
        write_original(tmp_path / "in", f"{number:03}", [stripes(2), stripes(3)])
    return tmp_path / "in"


@pytest.mark.slow
def test_two_runs_that_import_at_once_both_go_on_with_the_whole_data_set(
    many_photographs: Path, tmp_path: Path
) -> None:
    first = start_import(many_photographs, tmp_path / "cache")
    wait_until_written(tmp_path / "cache", 1)
    first.send_signal(signal.SIGSTOP)  # for as long as the second needs to start and to wait
    second = start_import(many_photographs, tmp_path / "cache")
    assert second.stderr is not None
    assert second.stderr.readline().endswith("another process writes this data set: waiting until it is done\n")
    first.send_signal(signal.SIGCONT)
    results = [process.communicate(timeout=120) for process in (first, second)]
    assert [process.returncode for process in (first, second)] == [0, 0], results
    [folder] = {Path(output.strip()) for output, _ in results}
    assert len(read(folder)) == 400
    assert visible(folder) == ["index", "val"]


@pytest.mark.slow
def test_a_killed_import_leaves_no_data_set_and_the_next_one_removes_its_parts(
    many_photographs: Path, tmp_path: Path
) -> None:
    killed = start_import(many_photographs, tmp_path / "cache")
    partial = wait_until_written(tmp_path / "cache", 10)
    killed.kill()
    killed.communicate()
    assert partial.is_dir()
    assert visible(partial.parent) == []
    again = start_import(many_photographs, tmp_path / "cache")
    output, errors = again.communicate(timeout=120)
    assert again.returncode == 0, errors
    assert "waiting" not in errors  # the killed process holds no lock
    assert len(read(Path(output.strip()))) == 400
    assert list(partial.parent.glob(".val.partial-*")) == []


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_original(tmp_path / "in", "a", [stripes(2)])

    def refuse(path: Path, **_: Any) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(DataError, match=r"out/val cannot be written .*choose another folder"):
        import_bsds500(tmp_path / "in", tmp_path / "out", "val")
