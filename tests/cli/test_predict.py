import json
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from fullseg.__main__ import main
from fullseg.formats.annotation_file import write_annotations
from fullseg.formats.panoptic_png import read_ids
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.predictor import Predictor
from fullseg.types import VOID, Annotations

REGION = {"extreme_points": [[0, 5], [4, 0], [9, 5], [4, 9]]}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", 'expected {"regions": [...]}'),
        ({"regions": [REGION, 3]}, "region 1: expected"),
        ({"regions": [{}]}, "region 0: extreme_points: expected 4 points [x, y], found None"),
        ({"regions": [{"extreme_points": [[1, 2]] * 3}]}, "expected 4 points [x, y]"),
        ({"regions": [{**REGION, "scribbles": [[]]}]}, "region 0: scribble: expected one or more points"),
        ({"regions": [{**REGION, "scribbles": [[["a", 2]]]}]}, "region 0: scribble: expected a list of [x, y]"),
        ({"regions": [{"extreme_points": [[0, 5], [4, 0], [90, 5], [4, 9]]}]}, "a.json does not fit"),
    ],
)
def test_predict_names_what_is_wrong_with_annotations(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str], content: object, message: str
) -> None:
    (tmp_path / "a.json").write_text(content if isinstance(content, str) else json.dumps(content))
    Image.new("RGB", (12, 11)).save(tmp_path / "i.png")

    status = _predict(tmp_path, tiny_checkpoint)

    assert status == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "a.json" in error
    assert not (tmp_path / "out").exists()


def test_predict_writes_coco_panoptic_and_a_picture(tmp_path: Path, tiny_checkpoint: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"regions": [REGION, {"extreme_points": [[10, 10]] * 4}]}))
    Image.new("L", (12, 11), 100).save(tmp_path / "i.png")

    assert _predict(tmp_path, tiny_checkpoint) == 0

    content = json.loads((tmp_path / "out" / "panoptic.json").read_text())
    segments = content["annotations"][0]["segments_info"]
    assert [segment["area"] for segment in segments] == [100, 1]
    ids = np.array(Image.open(tmp_path / "out" / "panoptic" / content["annotations"][0]["file_name"])).astype(int)
    ids = ids[..., 0] + 256 * ids[..., 1] + 65536 * ids[..., 2]
    assert (ids[:10, :10] == segments[0]["id"]).all()
    assert ids[10, 10] == segments[1]["id"]
    assert (ids == 0).sum() == 12 * 11 - 101
    assert Image.open(tmp_path / "out" / "overlay.png").size == (12, 11)

    assert _predict(tmp_path, tiny_checkpoint) == 2  # it never overwrites a folder


def test_predict_names_a_broken_image(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"regions": [REGION]}))
    assert _predict(tmp_path, tiny_checkpoint) == 2
    assert "no image" in capsys.readouterr().err
    (tmp_path / "i.png").write_bytes(b"nothing")
    assert _predict(tmp_path, tiny_checkpoint) == 2
    assert "i.png is not an image" in capsys.readouterr().err


def test_predict_names_the_annotations_and_the_image_that_they_do_not_fit(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_inputs(tmp_path, {"extreme_points": [[0, 5], [4, 0], [11.6, 5], [4, 9]]})  # 12 px wide: up to 11.5

    assert _predict(tmp_path, tiny_checkpoint) == 2

    expected = "region 0: extreme point (x=11.6, y=5) lies outside the image of 12 x 11 pixels (W x H)"
    assert capsys.readouterr().err == f"error: {tmp_path}/a.json does not fit {tmp_path}/i.png: {expected}\n"


def test_predict_keeps_the_traceback_of_a_fault_of_its_own(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_inputs(tmp_path, REGION)

    def fail(*_: object, **__: object) -> None:
        raise ValueError("a fault of fullseg")

    monkeypatch.setattr("fullseg.model.predictor.ImageState.update", fail)
    with pytest.raises(ValueError, match=r"^a fault of fullseg$"):
        _predict(tmp_path, tiny_checkpoint)


@pytest.mark.parametrize("chosen", [[], ["--kriging", "fixed"], ["--kriging", "fixed", "--diffusion", "fixed"]])
def test_predict_lets_annotations_spread_as_it_is_told(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch, chosen: list[str]
) -> None:
    _write_inputs(tmp_path, REGION)
    seen: list[tuple[bool, bool]] = []
    update = ImageState.update

    def record(state: ImageState, *rest: Any, **given: Any) -> None:
        spreading = state.segmenter.spreading
        seen.append((bool(spreading and spreading.kriging), bool(spreading and spreading.diffusion)))
        update(state, *rest, **given)

    monkeypatch.setattr("fullseg.model.predictor.ImageState.update", record)

    assert _predict(tmp_path, tiny_checkpoint, *chosen) == 0
    assert seen == [("--kriging" in chosen, "--diffusion" in chosen)]


def test_a_file_may_have_only_some_regions_of_the_image(tmp_path: Path, tiny_checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    Image.fromarray(seen).save(tmp_path / "i.png")
    quads = np.array([[[2, 25], [30, 2], [57, 25], [30, 47]], [[20, 20], [30, 10], [50, 20], [30, 30]]], np.float32)
    write_annotations(tmp_path / "a.json", Annotations(quads, []))
    predictor = Predictor.from_checkpoint(tiny_checkpoint)
    predictor.set_image(seen)
    for out, given in (("whole", []), ("partly", ["--partly"])):
        common = ["--checkpoint", str(tiny_checkpoint), "--annotations", str(tmp_path / "a.json")]
        assert main(["predict", *common, str(tmp_path / "i.png"), "--out", str(tmp_path / out), *given]) == 0
        [png] = (tmp_path / out / "panoptic").glob("*.png")
        expected = predictor.predict(Annotations(quads, []), partly=bool(given))
        np.testing.assert_array_equal(read_ids(png) != 0, expected != VOID)
    assert (predictor.predict(Annotations(quads, [])) != expected).any()


def test_a_large_image_is_seen_as_the_annotator_shows_it(tmp_path: Path, tiny_checkpoint: Path) -> None:
    rng = np.random.default_rng(0)
    seen = rng.integers(0, 256, (50, 60, 3), dtype=np.uint8)
    full = seen.repeat(4, axis=0).repeat(4, axis=1)
    Image.fromarray(full).save(tmp_path / "i.png")
    quads = np.array([[[1, 30], [30, 1], [58, 30], [30, 48]], [[5, 20], [20, 5], [40, 20], [20, 40]]], np.float32)
    regions = [{"extreme_points": (4 * quad + 1.5).tolist()} for quad in quads]  # centres of blocks of 4 x 4 pixels
    (tmp_path / "a.json").write_text(json.dumps({"regions": regions}))

    assert _predict(tmp_path, tiny_checkpoint, "--side", "60") == 0

    predictor = Predictor.from_checkpoint(tiny_checkpoint)
    predictor.set_image(seen)
    expected = predictor.enlarged(full, predictor.predict(Annotations(quads, [])))
    found = read_ids(tmp_path / "out" / "panoptic" / "i.png").astype(np.int64) - 1
    np.testing.assert_array_equal(found, expected)


def test_an_image_too_large_to_be_read_is_an_error(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _write_inputs(tmp_path, REGION)
    rows = zlib.compress(b"\0" * 10)  # the header alone says the size
    header = struct.pack(">IIBBBBB", 20_000, 10_000, 8, 0, 0, 0, 0)
    chunks = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    ]
    (tmp_path / "i.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    assert _predict(tmp_path, tiny_checkpoint) == 2
    assert "i.png has 20000 x 10000 pixels, more than 100,000,000: make it smaller" in capsys.readouterr().err


@pytest.mark.parametrize("device", ["gpu", "cuda:99", "cpu:x", ""])
def test_a_device_that_is_not_there_is_an_error(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str], device: str
) -> None:
    _write_inputs(tmp_path, REGION)
    assert _predict(tmp_path, tiny_checkpoint, "--device", device) == 2
    assert f"device {device!r} cannot be used" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def _write_inputs(folder: Path, region: object) -> None:
    (folder / "a.json").write_text(json.dumps({"regions": [region]}))
    Image.new("RGB", (12, 11)).save(folder / "i.png")


def _predict(folder: Path, checkpoint: Path, *more: str) -> int:
    arguments = ["--checkpoint", checkpoint, "--annotations", folder / "a.json", folder / "i.png"]
    return main(["predict", *map(str, arguments), "--out", str(folder / "out"), *more])
