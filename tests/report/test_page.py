import json
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf
from PIL import Image

from fullseg.config.load import plain
from fullseg.config.schema import Config
from fullseg.errors import DataError
from fullseg.report.page import write_report

SPREADING = {  # entries of a strategy that studies by version 0.1.0 lack
    "eta": [None, 0.4567],
    "eta_of_all_rounds": 0.4321,
    "mended_share": [None, 0.611],
    "damage": [None, 0.0123],
    "scribble_length_median": [None, 47.5],
    "pixel_error": [0.077, 0.055],
    "error_at_boundary": [0.222, 0.333],
    "iou_if_boundary_mended": [0.8, 0.949],
    "iou_if_inside_mended": [0.8, 0.919],
}


def run_folder(path: Path, last: float, *, studied: bool = True, more: dict[str, Any] | None = None) -> Path:
    path.mkdir(parents=True)
    config = plain(Config(experiment="bsds500/<b>full</b>"))
    OmegaConf.save(OmegaConf.create(config), path / "config.yaml")
    after = {"iou": 0.731, "iou_small": 0.66, "seconds_per_image": 0.2}
    (path / "summary.json").write_text(json.dumps({"before": {"iou": 0.4}, "after": after, "seconds": 600}))
    (path / "environment.txt").write_text("command: python -m fullseg train\ncommit: abc123\n\ntorch==2\n")
    if studied:
        curve = {
            "scribbles_per_region": [0, 1.0],
            "iou": [0.731, last],
            "iou_ci95": [[0.7, 0.75], [0.8, 0.9]],
            "auc": 0.8,
            "scribbles_to_iou": {"0.85": 0.9, "0.90": None},
            **{key: {"0.85": 1.5, "0.90": 2.5} for key in ("noc", "nci", "failed_regions", "failed_images")},
            "boundary_iou": [0.6, 0.7],
            "panoptic_quality": [0.65, 0.75],
            "iou_small": [0.6, 0.7],
            "iou_large": [None, None],
            "seconds_per_round": 0.3,
            "per_image": "study_free.parquet",
            **(more or {}),
        }
        head = {"experiment": "x", "checkpoint": "c.ckpt", "counterpart": None, "dataset": "bsds500", "split": "val"}
        head |= {"seed": 0, "rounds": 1, "noise": {}, "hold_scribbles": True, "images": 1, "regions": 2}
        (path / "study.json").write_text(json.dumps({**head, "strategies": {"free": curve}}))
        rows = {"image": [0] * 4, "name": ["1.jpg"] * 4, "region": [0, 1] * 2, "class": ["region"] * 4}
        rows |= {"area": [50, 60] * 2, "round": [0, 0, 1, 1], "scribbles": [0, 0, 1, 2], "iou": [0.1, 0.8, 0.25, 0.9]}
        pq.write_table(pa.table(rows), path / "study_free.parquet")
        (path / "figures").mkdir()
        Image.new("RGB", (4, 4)).save(path / "figures" / "fig6.png")
    return path


def test_page_has_everything_and_needs_no_network(tmp_path: Path) -> None:
    page = write_report([run_folder(tmp_path / "a", 0.876)], None)
    assert page == tmp_path / "a" / "report.html"
    text = page.read_text()
    for part in ("73.1", "87.6", "1.50", "commit: abc123", "<svg", "data:image/jpeg;base64", "25.0", "10.00 minutes"):
        assert part in text, part
    assert "&lt;b&gt;full" in text  # a name is text, not markup
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert "None" not in re.sub(r"counterpart: None", "", text)


def test_runs_of_one_experiment_are_told_apart_side_by_side(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path / "a", 0.8), run_folder(tmp_path / "b", 0.9)]
    text = write_report(folders, tmp_path / "both.html").read_text()
    assert "full&lt;/b&gt;/a" in text
    assert "full&lt;/b&gt;/b" in text
    assert "80.0" in text
    assert "90.0" in text


def test_shows_whether_scribbles_spread_beside_an_earlier_study_without_these_numbers(tmp_path: Path) -> None:
    folders = [run_folder(tmp_path / "old", 0.8), run_folder(tmp_path / "new", 0.9, more=SPREADING)]
    for some in (folders, folders[1:]):
        text = write_report(some, tmp_path / "page.html").read_text()
        _, found, rest = text.partition("Do scribbles spread?")
        assert found
        panel = rest.partition("<h2>")[0]
        assert panel.count("<svg") == 1
        tables = re.sub(r"<svg.*?</svg>", "", panel, flags=re.DOTALL)
        numbers = ("0.46", "0.43", "61.1", "1.2", "47.50", "7.7", "5.5", "22.2", "33.3", "90.0", "94.9", "91.9")
        for number in numbers:
            assert f">{number}<" in tables, number
        assert "80.0" not in tables
        assert "None" not in tables
    assert "Do scribbles spread?" not in write_report(folders[:1], tmp_path / "page.html").read_text()


def test_a_run_that_was_not_studied_still_has_a_page(tmp_path: Path) -> None:
    text = write_report([run_folder(tmp_path / "a", 0.8, studied=False)], None).read_text()
    assert "73.1" in text
    assert "None of these runs has been studied yet" in text


def test_a_study_to_another_plan_has_a_page_of_its_own_and_stands_beside_its_run(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "a", 0.812)
    other = run / "studies" / "rounds=1"
    run_folder(other, 0.9)
    for name in ("config.yaml", "summary.json", "environment.txt"):  # the files of the run, without its study
        (other / name).unlink()
    (tmp_path / "latest").symlink_to(run)

    page = write_report([tmp_path / "latest" / "studies" / "rounds=1"], None)
    assert page.resolve() == other / "report.html"
    text = page.read_text()
    for part in ("73.1", "90.0", "commit: abc123", "full&lt;/b&gt;/a/rounds=1"):
        assert part in text, part
    assert "81.2" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)  # a number of the run's own study

    both = write_report([run, other], tmp_path / "both.html").read_text()
    assert "An imprecise annotator" not in both
    keep = ", scribbles keep their pixels:"
    assert both.count(f"full&lt;/b&gt;/a/rounds=1{keep}") == both.count(f"full&lt;/b&gt;/a{keep}") > 0
    assert "81.2" in both
    assert "90.0" in both


def text_of(page: Path) -> str:
    """Return the text of a page without its pictures."""
    return re.sub(r"<svg.*?</svg>", "", page.read_text(), flags=re.DOTALL)


def rows_of(text: str) -> list[list[str]]:
    """Return the cells of all rows of all tables."""
    rows = re.findall(r"<tr>.*?</tr>", text, re.DOTALL)
    return [re.findall(r"<td.*?>(.*?)</td>", row, re.DOTALL) for row in rows]


def test_the_papers_numbers_stand_beside_scribbles_that_only_inform(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "a", 0.812)
    alone = text_of(write_report([run], None))
    assert "79.1 / 90" not in alone
    assert "has not been run: study.hold_scribbles=false" in alone
    assert "In this study scribbles keep their pixels" in alone

    content = json.loads((run / "study.json").read_text())
    content["strategies"]["free"]["iou"] = [0.731, 0.777]
    other = run / "studies" / "hold_scribbles=false"
    other.mkdir(parents=True)
    (other / "study.json").write_text(json.dumps({**content, "hold_scribbles": False}))
    both = text_of(write_report([run], None))
    title = "full image, free allocation"
    held = next(row for row in rows_of(both) if row[:1] == [f"scribbles keep their pixels: {title}"])
    informing = next(row for row in rows_of(both) if row[:1] == [f"scribbles only inform, as in the paper: {title}"])
    assert (held[2], held[-1]) == ("81.2", "")
    assert (informing[2], informing[-1]) == ("77.7", "79.1 / 90")
    assert both.count("79.1 / 90") == 1
    assert "has not been run" not in both


def test_strategies_stand_side_by_side_at_equal_scribbles_per_region(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "a", 0.8)
    content = json.loads((run / "study.json").read_text())
    free = content["strategies"]["free"]
    free |= {"scribbles_per_region": [0, 2.0], "iou": [0.6, 0.8], "panoptic_quality": [0.5, 0.7]}
    free["failed_regions_by_round"] = {"0.85": [0.4, 0.2], "0.90": [0.9, 0.7]}
    slow = {**free, "scribbles_per_region": [0, 1.5], "panoptic_quality": [None, None]}
    content["strategies"]["per_region"] = slow
    (run / "study.json").write_text(json.dumps(content))
    text = text_of(write_report([run], None))
    assert "up to the 1.5 scribbles per region that all of them reach" in text
    mine = [row for row in rows_of(text) if row[:1] == ["full image, free allocation"]]
    assert mine[0][1:4] == ["60.0", "70.0", "75.0"]  # at 0, 1 and 1.5; 80.0 is at 2
    area, *rest = mine[1][1:]
    assert area == "67.5"
    assert rest[2] == "25.0"  # regions failed at 1.5
    assert "65.0" in rest  # panoptic quality at 1.5
    theirs = [row for row in rows_of(text) if row[:1] == ["full image, per region"]]
    assert theirs[0][1:4] == ["60.0", "73.3", "80.0"]


def test_a_study_by_earlier_rules_keeps_the_meaning_of_its_single_region(tmp_path: Path) -> None:
    run = run_folder(tmp_path / "a", 0.8)
    content = json.loads((run / "study.json").read_text())
    content["strategies"]["single_region"] = content["strategies"]["free"]
    for rules, title in (({}, "single region, in the canvas"), ({"rules": 2}, "single region")):
        (run / "study.json").write_text(json.dumps({**content, **rules}))
        assert f"<tr><td>{title}</td>" in text_of(write_report([run], None))


def test_names_a_folder_that_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"is no run folder: there is no .*config\.yaml"):
        write_report([tmp_path], None)
    with pytest.raises(DataError, match=r"rounds=2 is no run folder: there is no .*config\.yaml"):
        write_report([tmp_path / "studies" / "rounds=2"], None)
