"""Exports read again: by the annotator, as training data, and by the evaluation."""

import base64
import json
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.workspace import Workspace
from fullseg.config.parts import Parts
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.panoptic_quality import evaluate
from fullseg.formats.panoptic_png import read_ids, write_panoptic_png
from fullseg.metrics.panoptic import quality_of
from tests.annotator.conftest import CATEGORIES
from tests.annotator.test_server import act, add_all, labels


def test_the_export_imported_again_is_the_same_to_the_last_pixel(client: TestClient, tmp_path: Path) -> None:
    revision = add_all(client)
    before = labels(client, revision)[0]
    client.post("/api/images/0/export", json={"revision": revision})
    out = tmp_path / "out" / "export"
    png = base64.b64encode((out / "panoptic/a.png.png").read_bytes()).decode()
    content = {"revision": revision, "png": png, "json": json.loads((out / "panoptic.json").read_text())}
    state = client.post("/api/images/0/import", json=content).json()
    assert state["left_out"] == []
    assert [(region["category"], region["locked"]) for region in state["regions"]] == [(8, True), (3, True), (3, True)]
    np.testing.assert_array_equal(labels(client, revision + 1)[0], before)
    again = act(client, revision + 1, {"kind": "undo"})
    assert [region["id"] for region in again["regions"]] == [1, 2, 3]


def upright(height: int = 80, width: int = 120) -> np.ndarray:
    """Return a red box in the upper left of something white."""
    pixels = np.full((height, width, 3), 255, np.uint8)
    pixels[8:40, 10:70] = (200, 0, 0)
    return pixels


def save_of_every_kind(folder: Path) -> list[str]:
    """Write one picture as many kinds of files, which a person sees alike; return their names in order."""
    folder.mkdir()
    picture = Image.fromarray(upright())
    turn = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    for orientation, back in turn.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        picture.transpose(back).save(folder / f"o{orientation}.jpg", exif=exif, quality=95)
    picture.convert("P", palette=Image.Palette.ADAPTIVE).save(folder / "palette.png")
    picture.convert("RGBA").save(folder / "alpha.png")
    picture.convert("CMYK").save(folder / "cmyk.JPG", quality=95)
    grey = np.asarray(picture.convert("L"), np.uint16)
    Image.fromarray(grey * 100 + 1000).save(folder / "grey16.png")
    Image.fromarray(grey.astype(np.float32) / 7).save(folder / "float.tif")
    return sorted(path.name for path in folder.iterdir())


def test_the_export_of_any_image_is_training_data_and_can_be_evaluated_and_imported(
    tmp_path: Path, tiny_checkpoint: Path
) -> None:
    names, out = save_of_every_kind(tmp_path / "photos"), tmp_path / "photos" / "fullseg"
    workspace = Workspace(
        tmp_path / "photos", out, cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES
    )
    box = {"kind": "add", "points": [[10, 20], [40, 8], [69, 20], [40, 39]], "category": 3}
    for name in names:
        opened = workspace.act(name, 0, box, 1.0)
        workspace.export(name, opened.revision)

    data = CocoPanoptic(
        out / "export",
        "train",
        cache=tmp_path,
        annotators="all",
        fraction=Parts(1, 1, 1),
        max_regions=9,
        skip_bad=False,
    )
    assert [data.name(index) for index in range(len(data))] == names
    for index in range(len(data)):
        partition = data[index]
        dark = partition.image.min(axis=2) < 150
        assert partition.image.shape == (80, 120, 3)
        overlap = (dark & (partition.region_map == 0)).sum() / (dark | (partition.region_map == 0)).sum()
        assert overlap > 0.9, partition.name

    found = evaluate(out / "export" / "panoptic.json", out / "export" / "panoptic.json")
    assert quality_of(found.by_iou, {3}).panoptic == 1
    content = json.loads((out / "export" / "panoptic.json").read_text())
    for name, annotation in zip(names, content["annotations"], strict=True):
        before = workspace.labels(name, 1)[1].region_map
        png = (out / "export" / "panoptic" / annotation["file_name"]).read_bytes()
        opened, left_out = workspace.replace(name, 1, png, content)
        assert left_out == []
        np.testing.assert_array_equal(workspace.labels(name, opened.revision)[1].region_map, before)
    workspace.journal.close()


def test_a_large_partition_comes_out_of_the_annotator_as_it_went_in(tmp_path: Path, tiny_checkpoint: Path) -> None:
    height, width, name = 700, 1500, "large.png"
    ids = np.ones((height, width), np.int64)
    ids[:, 700:] = 2
    ids[200:201, 100:1400], ids[50:600, 900:901] = 3, 4  # one pixel wide, in an image that is seen at two thirds
    ids[600:620, 1300:1320] = 0  # VOID
    for number in range(5, 15):
        ids[400 + 10 * number, 300 + 7 * number] = number
    (tmp_path / "photos").mkdir()
    Image.new("RGB", (width, height), "gray").save(tmp_path / "photos" / name)
    write_panoptic_png(tmp_path / "ids.png", ids - 1)
    segments = [{"id": number, "category_id": 3} for number in range(1, 15)]
    described = {"segments_info": segments}
    workspace = Workspace(
        tmp_path / "photos", tmp_path / "out", cache(lambda: Predictor.from_checkpoint(tiny_checkpoint)), CATEGORIES
    )

    opened, left_out = workspace.replace(name, 0, (tmp_path / "ids.png").read_bytes(), described)
    assert left_out == []
    assert workspace.export(name, opened.revision).segments == 14
    exported = read_ids(tmp_path / "out" / "export" / "panoptic" / f"{name}.png")
    np.testing.assert_array_equal(exported, ids)

    region = opened.history.work.regions[1].id  # the right half is corrected; all others stay as they are
    opened = workspace.act(name, opened.revision, {"kind": "unlock", "region": region}, 1.0)
    workspace.export(name, opened.revision)
    again = read_ids(tmp_path / "out" / "export" / "panoptic" / f"{name}.png")
    for number in (1, *range(3, 15)):
        np.testing.assert_array_equal(again == number, ids == number)
    workspace.journal.close()
