import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fullseg.__main__ import main
from fullseg.formats.annotation_file import read_annotations, write_annotations
from fullseg.types import Annotations, Scribble

REGION = {"extreme_points": [[0, 5], [4, 0], [9, 5], [4, 9]]}


def test_annotations_survive_a_round_trip(tmp_path: Path) -> None:
    points = np.random.default_rng(0).random((3, 4, 2)).astype(np.float32)
    scribbles = [Scribble(2, points[0]), Scribble(0, points[1, :1])]
    write_annotations(tmp_path / "a.json", Annotations(points, scribbles))

    read = read_annotations(tmp_path / "a.json")

    np.testing.assert_array_equal(read.extreme_points, points)
    assert [scribble.region for scribble in read.scribbles] == [0, 2]  # by region in the file
    np.testing.assert_array_equal(read.scribbles[1].points, points[0])


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


def test_ids_of_a_part_are_printed_with_the_rule(tiny_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    entries = json.loads((tiny_data / "train" / "panoptic.json").read_text())["images"]
    printed = []
    for part in (1, 2):
        assert main(["data", "ids", "--root", str(tiny_data), "--fraction", f"{part}/2"]) == 0
        said = capsys.readouterr()
        lines = said.out.splitlines()
        assert f"{len(lines)} of 8 images, part {part}/2: " in said.err
        assert "SHA-256" in said.err
        hashes = [int(hashlib.sha256(line.split("\t")[1].encode()).hexdigest()[:16], 16) for line in lines]
        assert {number % 2 for number in hashes} <= {part - 1}
        printed += lines
    assert sorted(printed) == sorted(f"{entry['id']}\t{entry['file_name']}" for entry in entries)
    assert main(["data", "ids", "--root", str(tiny_data), "--fraction", "3/2"]) == 2
    assert "--fraction='3/2': write k/n, the k-th of n parts" in capsys.readouterr().err


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

    assert _predict(tmp_path, tiny_checkpoint) == 2  # never overwrites


def test_predict_names_a_broken_image(
    tmp_path: Path, tiny_checkpoint: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.json").write_text(json.dumps({"regions": [REGION]}))
    assert _predict(tmp_path, tiny_checkpoint) == 2
    assert "no image" in capsys.readouterr().err
    (tmp_path / "i.png").write_bytes(b"nothing")
    assert _predict(tmp_path, tiny_checkpoint) == 2
    assert "i.png can't be read as an image" in capsys.readouterr().err


def test_wrong_options_are_one_message_and_cost_no_time() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['train', 'experiments/defalt.yaml']\n"
        "try: runpy.run_module('fullseg', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop: print(stop.code, [name for name in ('torch', 'timm') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert result.stdout == "2 []\n"
    assert result.stderr == (
        "error: no experiment file experiments/defalt.yaml; did you mean experiments/default.yaml?\n"
    )


def test_help_describes_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert "model.roi_size=41\n      Side of the RoI that the head sees, in cells" in text
    assert "seed=0" in text


def test_data_scenes_writes_both_splits(tmp_path: Path) -> None:
    assert main(["data", "scenes", "--out", str(tmp_path / "s"), "--train", "2", "--val", "1"]) == 0
    assert len(list((tmp_path / "s" / "train" / "images").iterdir())) == 2
    assert main(["data", "scenes", "--out", str(tmp_path / "s"), "--train", "2", "--val", "1"]) == 2


def _predict(folder: Path, checkpoint: Path) -> int:
    arguments = ["--checkpoint", checkpoint, "--annotations", folder / "a.json", folder / "i.png"]
    return main(["predict", *map(str, arguments), "--out", str(folder / "out")])
