import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullseg.data.index.parts import name_hash
from fullseg.errors import DataError
from fullseg.formats.panoptic_png import read_ids
from fullseg.journals.courses import finished_images
from fullseg.journals.snapshot import held_back_of, write_snapshot
from fullseg.types import Category
from tests.annotated_people import Annotated

REGION = [Category(1, "region", isthing=False)]


@given(st.sets(st.text(min_size=1, max_size=8), min_size=1, max_size=60), st.text(min_size=1, max_size=8))
def test_an_image_that_was_held_back_stays_so_when_more_are_finished(names: set[str], more: str) -> None:
    before, after = held_back_of(sorted(names)), held_back_of(sorted({*names, more}))
    by_hash = {name for name in names if name_hash(name) % 5 == 0}
    assert by_hash <= after
    assert before == by_hash or len(before) == 1


def test_a_snapshot_has_the_finished_labels_of_all_images_each_in_one_split(people: Annotated, tmp_path: Path) -> None:
    finished, _ = finished_images(people.folder, people.out)
    snapshot = write_snapshot(tmp_path, people.out, finished, REGION, with_classes=False)
    assert set(snapshot.held_back) == held_back_of([one.name for one in finished])
    assert len(snapshot.train) + len(snapshot.held_back) == len(finished)
    truth = {f"{sample.name.split('.')[0]}": sample.region_map for sample in people.samples}
    for split, names in (("train", snapshot.train), ("val", snapshot.held_back)):
        folder = snapshot.folder / split
        content = json.loads((folder / "panoptic.json").read_text())
        found = {one["file_name"].rsplit("-", 1)[0]: one["id"] for one in content["images"]}
        assert sorted(f"{name}.png" for name in found) == sorted(names)
        png = {one["image_id"]: one["file_name"] for one in content["annotations"]}
        for name, number in found.items():
            ids = read_ids(folder / "panoptic" / png[number]).astype(np.int64)
            assert np.array_equal(ids - 1, np.maximum(truth[name], -1))


def test_the_same_images_make_the_same_snapshot_and_others_another(people: Annotated, tmp_path: Path) -> None:
    finished, _ = finished_images(people.folder, people.out)
    first = write_snapshot(tmp_path, people.out, finished, REGION, with_classes=False)
    stamp = (first.folder / "train" / "panoptic.json").stat().st_mtime_ns
    again = write_snapshot(tmp_path, people.out, finished, REGION, with_classes=False)
    assert again == first
    assert (first.folder / "train" / "panoptic.json").stat().st_mtime_ns == stamp
    assert write_snapshot(tmp_path, people.out, finished[:-1], REGION, with_classes=False).name != first.name


def test_too_few_images_and_unknown_classes_are_named(people: Annotated, tmp_path: Path) -> None:
    finished, _ = finished_images(people.folder, people.out)
    with pytest.raises(DataError, match="3 finished images: a model can learn from 4 or more"):
        write_snapshot(tmp_path, people.out, finished[:3], REGION, with_classes=False)
    shutil.copytree(people.out / "export", tmp_path / "out" / "export")
    others = [Category(1, "sky", isthing=False), Category(2, "tree", isthing=True)]
    with pytest.raises(DataError, match=r"the class of region 1 is none of the model's; learn with a model"):
        write_snapshot(tmp_path, tmp_path / "out", finished, others, with_classes=True)
    both = [others[0], Category(9, "Region", isthing=False)]
    snapshot = write_snapshot(tmp_path, tmp_path / "out", finished, both, with_classes=True)
    content = json.loads((snapshot.folder / "train" / "panoptic.json").read_text())
    assert {one["category_id"] for image in content["annotations"] for one in image["segments_info"]} == {9}
