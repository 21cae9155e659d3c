"""Panoptic quality of files, by hand; the command."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullseg.__main__ import main
from fullseg.data.panoptic_quality import evaluate
from fullseg.errors import DataError
from fullseg.formats.panoptic_png import write_panoptic_png
from fullseg.metrics.panoptic import PanopticCounts, quality_of
from fullseg.types import VOID

SKY, CAT = 7, 3  # category ids
CATEGORIES = [{"id": SKY, "name": "sky", "isthing": 0}, {"id": CAT, "name": "cat", "isthing": 1}]


def write(path: Path, *images: tuple[list[list[int]], list[int], list[int]], first: int = 1) -> Path:
    """Write images, each of a region map, the categories of its regions and those that are crowds."""
    (path.with_suffix("")).mkdir(parents=True)
    content: dict[str, Any] = {"images": [], "annotations": [], "categories": CATEGORIES}
    for number, (rows, categories, crowds) in enumerate(images):
        region_map = np.array(rows, np.int64)
        height, width = region_map.shape
        entry = {"id": first + number, "file_name": f"{number}.jpg", "height": height, "width": width}
        segments = [
            {"id": region + 1, "category_id": category, "iscrowd": int(region in crowds)}
            for region, category in enumerate(categories)
        ]
        content["images"].append(entry)
        content["annotations"].append(
            {"image_id": first + number, "file_name": f"{number}.png", "segments_info": segments}
        )
        write_panoptic_png(path.with_suffix("") / f"{number}.png", region_map)
    path.write_text(json.dumps(content))
    return path


V = VOID


@pytest.mark.parametrize(
    ("prediction", "truth", "crowds", "sky", "cat"),
    [
        # A hole of one pixel in the sky, 7 of 8; the cat as it is.
        ([[0, 0, 0, 0, 0, 0, 0, V, 1, 1]], [[0, 0, 0, 0, 0, 0, 0, 0, 1, 1]], [], (7 / 8, 1, 0, 0), (1, 1, 0, 0)),
        # Unlabelled pixels of the truth do not count in the union.
        ([[0, 0, 0, 0, 0, 0, 1, 1, 1, 1]], [[0, 0, 0, 0, V, V, 1, 1, 1, 1]], [], (1, 1, 0, 0), (1, 1, 0, 0)),
        # A prediction that lies on unlabelled pixels alone is no false positive; the sky is missed.
        ([[V, V, V, V, 0, 0, 1, 1, 1, 1]], [[0, 0, 0, 0, V, V, 1, 1, 1, 1]], [], (0, 0, 0, 1), (1, 1, 0, 0)),
        # Exactly half on unlabelled pixels: a false positive, and 2 of 4 is no match.
        ([[0, 0, 0, 0, 1, 1, 1, 1]], [[0, 0, V, V, 1, 1, 1, 1]], [], (1, 1, 0, 0), (1, 1, 0, 0)),
        ([[V, V, 0, 0, 0, 0, 1, 1]], [[0, 0, 0, 0, V, V, 1, 1]], [], (0, 0, 1, 1), (1, 1, 0, 0)),
        # The truth's cat is a crowd: neither missed nor matched, and who predicts cat there is excused.
        ([[0, 0, 0, 0, 1, 1, 1, 1]], [[0, 0, 0, 0, 1, 1, 1, 1]], [1], (1, 1, 0, 0), (0, 0, 0, 0)),
        # Sky on a crowd of cats is not excused; the crowd's pixels count in the union: 4 of 8 is no match.
        ([[0, 0, 0, 0, 0, 0, 0, 0]], [[0, 0, 0, 0, 1, 1, 1, 1]], [1], (0, 0, 1, 1), (0, 0, 0, 0)),
        # The right place, the wrong class.
        ([[1, 1, 1, 1]], [[0, 0, 0, 0]], [], (0, 0, 0, 1), (0, 0, 1, 0)),
    ],
)
def test_by_hand(
    prediction: list[list[int]],
    truth: list[list[int]],
    crowds: list[int],
    sky: tuple[float, ...],
    cat: tuple[float, ...],
    tmp_path: Path,
) -> None:
    categories = [SKY, CAT]
    found = evaluate(
        write(tmp_path / "p.json", (prediction, categories, []), first=50),
        write(tmp_path / "t.json", (truth, categories, crowds)),
    )
    assert found.by_iou[SKY] == pytest.approx(sky)
    assert found.by_iou[CAT] == pytest.approx(cat)
    assert found.images == 1


def test_adds_up_over_images_and_means_over_classes(tmp_path: Path) -> None:
    first = ([[0, 0, 1, 1]], [SKY, CAT], [])
    truth = write(tmp_path / "t.json", first, ([[0, 0, 0, 0]], [CAT], []))
    prediction = write(tmp_path / "p.json", first, ([[0, 0, 0, V]], [CAT], []))
    found = evaluate(prediction, truth)
    assert found.by_iou == {SKY: PanopticCounts(1, 1, 0, 0), CAT: PanopticCounts(1.75, 2, 0, 0)}
    assert quality_of(found.by_iou, {SKY, CAT}) == pytest.approx(((1 + 0.875) / 2, (1 + 0.875) / 2, 1, 2))
    assert quality_of(found.by_iou, {CAT}).panoptic == 0.875
    assert np.isnan(quality_of({}, {CAT}).panoptic)


def test_the_command_prints_and_writes_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = ([[0, 0, 1, 1]], [SKY, CAT], [])
    truth = write(tmp_path / "t.json", image)
    assert main(["evaluate", str(truth), str(truth), "--classes", "--out", str(tmp_path / "pq.json")]) == 0
    output = capsys.readouterr().out
    assert "things" in output
    assert "cat" in output
    content = json.loads((tmp_path / "pq.json").read_text())
    assert content["all"] == {"pq": 1, "sq": 1, "rq": 1, "boundary_pq": 1}
    assert set(content["classes"]) == {"sky", "cat"}


def test_says_what_is_missing(tmp_path: Path) -> None:
    image = ([[0, 0, 1, 1]], [SKY, CAT], [])
    truth, less = write(tmp_path / "t.json", image, image), write(tmp_path / "p.json", image)
    with pytest.raises(DataError, match=r"p.json: 1 of the 2 images of .*t.json are missing: 1.jpg"):
        evaluate(less, truth)
    (tmp_path / "t" / "1.png").unlink()
    with pytest.raises(DataError, match=r"t/1.png cannot be read \(missing, damaged"):
        evaluate(truth, truth)
    write_panoptic_png(tmp_path / "t" / "1.png", np.array([[0, 0, 1, 5]]))
    with pytest.raises(DataError, match=r"1.png: id 6 is not in segments_info of .*t.json"):
        evaluate(truth, truth)


def test_real_coco_against_itself(shared_data: Path) -> None:
    [path] = (shared_data / "coco_panoptic_sample").rglob("panoptic*.json")
    found = evaluate(path, path)
    everything = {category.id for category in found.categories}
    assert quality_of(found.by_iou, everything)[:3] == (1, 1, 1)
    assert quality_of(found.by_boundary, everything)[:3] == (1, 1, 1)


def edited(path: Path, out: Path, change: Any) -> Path:
    """Return a copy of a file and its png files whose JSON was changed."""
    shutil.copytree(path.with_suffix(""), out.with_suffix(""))
    content = json.loads(path.read_text())
    change(content)
    out.write_text(json.dumps(content))
    return out


def test_classes_belong_together_by_name_not_by_id(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", ([[0, 0, 1, 1]], [SKY, CAT], []))

    def exchange(content: dict[str, Any]) -> None:
        content["categories"] = [{"id": CAT, "name": "sky", "isthing": 0}, {"id": SKY, "name": "cat", "isthing": 1}]
        for segment in content["annotations"][0]["segments_info"]:
            segment["category_id"] = {CAT: SKY, SKY: CAT}[segment["category_id"]]

    found = evaluate(edited(truth, tmp_path / "p.json", exchange), truth)
    assert found.by_iou == {SKY: PanopticCounts(1, 1, 0, 0), CAT: PanopticCounts(1, 1, 0, 0)}


def test_several_partitions_of_an_image_are_compared_each_with_its_own(tmp_path: Path) -> None:
    other = ([[1, 1, 0, 0, 0, 0]], [SKY, CAT], [])
    truth = write(tmp_path / "t.json", ([[0, 0, 0, 0, 1, 1]], [SKY, CAT], []), other)

    def same_image(content: dict[str, Any]) -> None:
        for number, entry in enumerate(content["images"]):
            entry |= {"file_name": "a.jpg", "annotator": number}

    several = edited(truth, tmp_path / "several.json", same_image)
    found = evaluate(several, several)
    assert found.images == 2
    assert quality_of(found.by_iou, {SKY, CAT}).panoptic == 1
    with pytest.raises(DataError, match=r"t.json: 2 of the 2 images of .*several.json are missing: a.jpg#0, a.jpg#1"):
        evaluate(truth, several)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda c: c["categories"][0].update(name="Sky"), r"p.json: the classes 'Sky' are not among .* 'cat', 'sky'"),
        (lambda c: c["categories"][0].update(name="cat"), "p.json: two categories have the name 'cat'"),
        (
            lambda c: c["categories"][1].update(isthing=0),
            "p.json: 'cat' is of the stuff there, in .* of the things",
        ),
        (lambda c: c["images"].append(c["images"][0] | {"id": 9}), "p.json: 1 images have no annotation"),
        (lambda c: c["annotations"].append(c["annotations"][0]), "p.json: image 1 has 2 annotations"),
        (
            lambda c: (
                c["images"].append(c["images"][0] | {"id": 9}),
                c["annotations"].append(c["annotations"][0] | {"image_id": 9}),
            ),
            "p.json: two images are called 0.jpg; give each its own file_name",
        ),
        (
            lambda c: c["annotations"][0]["segments_info"][0].update(category_id=99),
            "category id 99 of 0.png is not among the categories",
        ),
    ],
)
def test_what_cannot_be_compared_is_refused(change: Any, said: str, tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", ([[0, 0, 1, 1]], [SKY, CAT], []))
    with pytest.raises(DataError, match=said):
        evaluate(edited(truth, tmp_path / "p.json", change), truth)


def test_two_sizes_of_an_image_are_named(tmp_path: Path) -> None:
    small, large = (write(tmp_path / f"{n}.json", ([[0] * n], [SKY], [])) for n in (4, 5))
    with pytest.raises(DataError, match=r"4.json: 0.jpg is 4 x 1 pixels, in .*5.json 5 x 1"):
        evaluate(small, large)


def test_it_needs_no_pytorch(tmp_path: Path) -> None:
    truth = write(tmp_path / "t.json", ([[0, 0, 1, 1]], [SKY, CAT], []))
    code = f"import sys; from fullseg.__main__ import main; main(['evaluate', {str(truth)!r}, {str(truth)!r}]); "
    code += "print([name for name in ('torch', 'lightning', 'matplotlib') if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip().endswith("[]")
