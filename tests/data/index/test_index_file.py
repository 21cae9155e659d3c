"""A split's index: built once, opened quickly, shared by processes, and never older than what it was made of."""

import gc
import hashlib
import json
import multiprocessing
import os
import pickle
import time
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fullseg.config.parts import Parts
from fullseg.data import coco_panoptic
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.index import partitions
from fullseg.data.index.parts import images_of_part
from fullseg.errors import DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import Category

COUNT, KINDS = 5_000, 8  # samples, and different pairs of files among them
HEIGHT, WIDTH = 12, 16  # px


def read(root: Path, cache: Path, **options: Any) -> CocoPanoptic:
    defaults = {"annotators": "all", "fraction": Parts(1, 1, 1), "max_regions": 400, "skip_bad": False}
    return CocoPanoptic(root, "train", cache=cache, **(defaults | options))


def write_many(root: Path, count: int) -> None:
    """Write a split whose files are hard links to a few; three to ten regions, a crowd in some."""
    folder, rng = root / "train", np.random.default_rng(0)
    for name in ("images", "panoptic", "kinds"):
        (folder / name).mkdir(parents=True)
    segments = []
    for kind in range(KINDS):
        ids = rng.choice(np.arange(1, 1 << 24), 3 + kind, replace=False)
        pixels = ids[np.arange(HEIGHT * WIDTH).reshape(HEIGHT, WIDTH) % len(ids)]
        rgb = np.stack([pixels, pixels >> 8, pixels >> 16], axis=-1).astype(np.uint8)
        Image.fromarray(rgb).save(folder / "kinds" / f"{kind}.png")
        Image.fromarray(rgb).save(folder / "kinds" / f"{kind}.jpg")
        segments.append(ids.tolist())
    images, annotations = [], []
    for k in range(count):
        for place, suffix in (("images", "jpg"), ("panoptic", "png")):
            os.link(folder / "kinds" / f"{k % KINDS}.{suffix}", folder / place / f"{k:012}.{suffix}")
        images.append({"id": 3 * k, "file_name": f"{k:012}.jpg", "height": HEIGHT, "width": WIDTH})
        parts = [
            {"id": number, "category_id": int(rng.integers(1, 131)), "iscrowd": int(k % 3 == 0 and place == 0)}
            for place, number in enumerate(segments[k % KINDS])
        ]
        annotations.append({"image_id": 3 * k, "file_name": f"{k:012}.png", "segments_info": parts})
    categories = [{"id": k, "name": f"class {k}", "isthing": int(k < 80)} for k in range(130, 0, -1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (folder / "panoptic.json").write_text(json.dumps(content))


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the root of a split of 5,000 samples."""
    root = tmp_path_factory.mktemp("many")
    write_many(root, COUNT)
    return root


@pytest.fixture(scope="module")
def cache(many: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """Return a folder with its index, and how many seconds it took to build."""
    folder = tmp_path_factory.mktemp("cache")
    start = time.perf_counter()
    read(many, folder)
    return folder, time.perf_counter() - start


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """Return the root of a split of three samples."""
    samples = [
        NewSample(f"{k}.png", np.zeros((4, 5, 3), np.uint8), np.zeros((4, 5), int), np.array([0])) for k in "abc"
    ]
    write_coco_panoptic(tmp_path / "train", (Category(1, "thing", True),), samples)
    return tmp_path


def test_opening_again_is_at_least_five_times_as_fast(many: Path, cache: tuple[Path, float]) -> None:
    folder, seconds = cache
    start = time.perf_counter()
    data = read(many, folder)
    assert 5 * (time.perf_counter() - start) < seconds
    assert len(data) == COUNT


def test_records_are_those_of_a_plain_reader_of_the_json(many: Path, cache: tuple[Path, float]) -> None:
    content = json.loads((many / "train" / "panoptic.json").read_text())
    numbers = {category["id"]: place for place, category in enumerate(content["categories"])}
    data = read(many, cache[0])
    for index, (entry, annotation) in enumerate(zip(content["images"], content["annotations"], strict=True)):
        regions = [segment for segment in annotation["segments_info"] if not segment["iscrowd"]]
        assert data.name(index) == entry["file_name"]
        if index % 10 < 2:  # files are slower to read
            partition = data[index]
            assert partition.name == entry["file_name"]
            assert partition.classes.tolist() == [numbers[segment["category_id"]] for segment in regions]
            png = np.asarray(Image.open(many / "train" / "panoptic" / annotation["file_name"])).astype(int)
            ids = png[..., 0] + 256 * png[..., 1] + 65536 * png[..., 2]
            expected = np.full(ids.shape, -1)
            for region, segment in enumerate(regions):
                expected[ids == segment["id"]] = region
            np.testing.assert_array_equal(partition.region_map, expected)


def test_eighths_are_disjoint_complete_equally_large_and_by_a_rule_that_anybody_can_compute(
    many: Path, cache: tuple[Path, float]
) -> None:
    parts = []
    for part in range(1, 9):
        data = read(many, cache[0], fraction=Parts(part, part, 8))
        names = [data.name(index) for index in range(len(data))]
        hashes = [int(hashlib.sha256(name.encode()).hexdigest()[:16], 16) for name in names]
        assert {number % 8 for number in hashes} == {part - 1}
        assert abs(len(names) - COUNT / 8) < 0.1 * COUNT / 8  # 2.7 standard deviations
        listed, total = images_of_part(many, "train", Parts(part, part, 8))
        assert [name for _, name in listed] == names
        assert [number for number, _ in listed] == [3 * int(name[:12]) for name in names]
        assert total == COUNT
        parts += names
    assert sorted(parts) == [f"{k:012}.jpg" for k in range(COUNT)]


def test_what_a_loader_process_keeps_does_not_grow_with_the_records(
    many: Path, cache: tuple[Path, float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not what the files hold: that would take long.
    for place, name in ((partitions, "read_image"), (coco_panoptic, "read_ids"), (coco_panoptic, "_region_map")):
        monkeypatch.setattr(place, name, lambda *_: np.zeros((1, 1)))
    write_many(tmp_path, 500)
    kept = [
        _unshared_of_workers(read(root, folder), len(read(root, folder)))
        for root, folder in ((tmp_path, tmp_path), (many, cache[0]))
    ]
    assert kept[1] - kept[0] < 1_000_000  # bytes; a list of records grows by 3 million


def _unshared_of_workers(data: CocoPanoptic, count: int) -> float:
    """Return the bytes that two forked workers have each for itself, on average, after all records were read."""
    fork = multiprocessing.get_context("fork")
    barrier, results = fork.Barrier(2), [fork.Pipe(duplex=False) for _ in range(2)]
    workers = [fork.Process(target=_read_all, args=(data, count, barrier, pipe[1])) for pipe in results]
    for worker in workers:
        worker.start()
    kept = [pipe[0].recv() for pipe in results]
    for worker in workers:
        worker.join()
    return sum(kept) / 2


def _read_all(data: CocoPanoptic, count: int, barrier: Barrier, pipe: Connection) -> None:
    gc.collect()  # it writes to every object that the test's process has; and what any reading needs
    for index in range(300):
        data[index]
    before = _unshared()
    for index in range(count):
        data[index]
    barrier.wait()  # a page that both have read is shared
    pipe.send(_unshared() - before)
    barrier.wait()


def _unshared() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))


def test_a_process_that_is_not_forked_opens_the_file_itself(many: Path, cache: tuple[Path, float]) -> None:
    data = read(many, cache[0])
    sent = pickle.dumps(data)
    assert len(sent) < 10 * COUNT  # its rows
    again = pickle.loads(sent)
    assert again.fingerprint() == data.fingerprint()
    np.testing.assert_array_equal(again[77].region_map, data[77].region_map)


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the json of every index that is built, filled as it happens."""
    calls: list[Path] = []
    original = coco_panoptic.build_index

    def recorded(files: Any) -> Any:
        calls.append(files.json)
        return original(files)

    monkeypatch.setattr(coco_panoptic, "build_index", recorded)
    return calls


def test_it_is_built_once_and_again_only_when_the_data_changes(few: Path, built: list[Path]) -> None:
    cache = few / "cache"
    for _ in range(2):
        assert len(read(few, cache)) == 3
        assert len(read(few, cache, max_regions=1, fraction=Parts(1, 1, 1), annotators="median")) == 3
    assert len(built) == 1
    [first] = (cache / "index").glob("*.arrow")

    json_file = few / "train" / "panoptic.json"
    json_file.write_text(json_file.read_text().replace('"thing"', '"other"'))
    assert read(few, cache).categories == (Category(1, "other", True),)
    (few / "train" / "images" / "b.png").unlink()
    with pytest.raises(DataError, match=r"1 of 3 samples are bad(?s:.*)b\.png: .*images/b\.png is missing"):
        read(few, cache)
    with pytest.raises(DataError, match=r"images/b\.png is missing"):  # from the index
        read(few, cache)
    with pytest.warns(UserWarning, match=r"left out 1 of 3 samples as bad:\n  b\.png: .*images/b\.png is missing"):
        assert len(read(few, cache, skip_bad=True)) == 2
    assert len(built) == 3
    [last] = (cache / "index").glob("*.arrow")  # the older ones are gone
    assert last.name.startswith("train-panoptic-")
    assert last != first


def test_most_regions_are_asked_at_every_opening(tmp_path: Path, built: list[Path]) -> None:
    two = np.repeat([[0], [1]], 3, axis=1)
    samples = [
        NewSample(name, np.zeros((2, 3, 3), np.uint8), regions, np.zeros(2, int))
        for name, regions in (("one.png", 0 * two), ("two.png", two))
    ]
    write_coco_panoptic(tmp_path / "train", (Category(1, "thing", True),), samples)
    assert len(read(tmp_path, tmp_path, max_regions=2)) == 2
    with pytest.raises(DataError, match=r"1 of 2 samples are bad; (?s:.*)two\.png: 2 regions, more than data\.max_reg"):
        read(tmp_path, tmp_path, max_regions=1)
    assert len(built) == 1


@pytest.mark.parametrize(
    "spoil", [lambda b: b[:0], lambda b: b[: len(b) // 2], lambda b: b[:9] * 99, lambda b: b[::-1]]
)
def test_unreadable_file_is_built_anew(few: Path, built: list[Path], spoil: Any) -> None:
    fingerprint = read(few, few).fingerprint()
    [path] = (few / "index").glob("*.arrow")
    path.write_bytes(spoil(path.read_bytes()))
    assert read(few, few).fingerprint() == fingerprint
    assert read(few, few)[2].name == "c.png"
    assert len(built) == 2


def test_interrupted_building_leaves_nothing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(coco_panoptic, "build_index", interrupted)
        with pytest.raises(KeyboardInterrupt):
            read(few, few)
    assert [path.suffix for path in (few / "index").iterdir()] == [".lock"]
    assert len(read(few, few)) == 3


def test_cache_that_cannot_be_written_to_names_the_option(few: Path, built: list[Path]) -> None:
    (few / "file").touch()
    with pytest.raises(
        DataError, match=r"file/index: the index of .*panoptic\.json cannot be written there .*set data\.cache to"
    ):
        read(few, few / "file")
    assert built == []  # said before the work, not after


def test_one_of_several_processes_builds_and_the_others_wait(few: Path) -> None:
    fork = multiprocessing.get_context("fork")
    count, barrier = fork.Value("i", 0), fork.Barrier(4)
    original = coco_panoptic.build_index

    def slow(files: Any) -> Any:
        with count.get_lock():
            count.value += 1
        time.sleep(0.3)
        return original(files)

    def rank() -> None:
        coco_panoptic.build_index = slow
        barrier.wait()
        raise SystemExit(len(read(few, few)))

    ranks = [fork.Process(target=rank) for _ in range(4)]
    for process in ranks:
        process.start()
    for process in ranks:
        process.join()
    assert [process.exitcode for process in ranks] == [3, 3, 3, 3]
    assert count.value == 1


def test_value_of_a_wrong_type_is_an_error_that_names_the_json(few: Path) -> None:
    path = few / "train" / "panoptic.json"
    content = json.loads(path.read_text())
    content["images"][0]["annotator"] = "Ann"
    path.write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"train/panoptic\.json: images.0. .*: annotator is 'Ann', expected a whole"):
        read(few, few)
