import hashlib
import json
from pathlib import Path

import pytest

from fullseg.__main__ import main


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


def test_data_scenes_writes_both_splits(tmp_path: Path) -> None:
    assert main(["data", "scenes", "--out", str(tmp_path / "s"), "--train", "2", "--val", "1"]) == 0
    assert len(list((tmp_path / "s" / "train" / "images").iterdir())) == 2
    assert main(["data", "scenes", "--out", str(tmp_path / "s"), "--train", "2", "--val", "1"]) == 2
