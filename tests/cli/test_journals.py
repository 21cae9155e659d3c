"""The commands that read what people annotated."""

import json
import shutil
from pathlib import Path

import pytest
import yaml

from fullseg.__main__ import main
from fullseg.config.load import load_config
from tests.annotated_people import Annotated


def test_replay_compares_models_and_each_can_be_reported(
    people: Annotated, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.ckpt"
    shutil.copyfile(tiny_checkpoint, other)
    to = tmp_path / "replay"
    models = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(other)]
    assert main(["replay", str(people.folder), *models, "--rounds", "2", "--to", str(to)]) == 0
    printed = capsys.readouterr().out
    assert "8 finished images" in printed
    assert "s to mark a region (paper: 7 s)" in printed
    content = json.loads((to / "replay.json").read_text())
    folders = [to / name for name in content["models"]]
    for image in content["images"]:
        assert image["strokes"][0] == image["strokes"][1] <= image["drawn"]  # the same weights
    study = json.loads((folders[0] / "study.json").read_text())["strategies"]["replay"]
    assert study["annotator_seconds_per_region"] == sorted(study["annotator_seconds_per_region"])
    assert len(study["iou"]) == 3
    page = (to / "report.html").read_text()
    assert "a person&#39;s strokes" in page
    assert "Quality against the annotator's time" in page
    assert main(["report", str(folders[1]), "--out", str(tmp_path / "one.html")]) == 0


def test_replay_names_what_is_wrong(
    people: Annotated, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    twice = ["--checkpoint", str(tiny_checkpoint), "--checkpoint", str(tiny_checkpoint)]
    for arguments, message in (
        ([str(tmp_path)], "annotate images first (fullseg annotate)"),
        ([str(people.folder), "--rounds", "0"], "--rounds 0: it must be at least 1"),
        ([str(people.folder), "--checkpoint", "none.ckpt"], "--checkpoint=none.ckpt: no such checkpoint"),
        ([str(people.folder), *twice, "--to", str(tmp_path / "r")], "name every model once"),
    ):
        assert main(["replay", *arguments]) == 2
        assert message in capsys.readouterr().err


def test_a_file_that_is_no_journal_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "fullseg").mkdir()
    (tmp_path / "fullseg" / "journal.sqlite").write_text("this is no journal")
    for command in ("learn", "replay", "calibrate"):
        assert main([command, str(tmp_path)]) == 2
        assert "cannot be the annotator's journal: file is not a database; move it away" in capsys.readouterr().err


def test_calibrate_writes_options_that_a_study_takes(
    people: Annotated, tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["calibrate", str(people.folder), "--checkpoint", str(tiny_checkpoint), "--to", str(tmp_path / "c")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    [line] = [line for line in printed.splitlines() if line.startswith("for a study")]
    config = load_config(None, line.split()[3:])
    written = yaml.safe_load((tmp_path / "c" / "calibrated.yaml").read_text())
    assert vars(config.study.noise) == pytest.approx(written["study"]["noise"])
    assert vars(config.study.seconds) == pytest.approx(written["study"]["seconds"])
    assert (tmp_path / "c" / "calibration.png").stat().st_size > 10_000
