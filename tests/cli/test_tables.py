import math
from pathlib import Path
from typing import Any

import pytest

from fullseg.cli.tables import print_result, print_study
from fullseg.config.load import load_config
from fullseg.runs.folder import Result


def test_a_size_of_which_there_is_no_region_has_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    before = {"iou": 0.25, "iou_box_filling": 0.4, "iou_small": math.nan, "iou_large": 0.5, "regions": 3}
    after = {"iou": 0.75, "iou_small": math.nan, "iou_large": 0.875, "regions": 3}
    print_result(Result(Path("run"), before, after, 60, {}), load_config(None, []))
    assert rows_of(capsys.readouterr().out) == {
        "mean IoU of all regions, 0 scribbles": ["40.0", "25.0", "75.0"],
        "small regions": ["", "", ""],
        "large regions": ["", "50.0", "87.5"],
    }


def test_a_training_with_a_study_says_how_far_scribbles_carry(capsys: pytest.CaptureFixture[str]) -> None:
    after = {"iou": 0.75, "free_iou_at_2": 0.875, "free_eta": 0.5, "per_region_iou_at_4": 0.9375, "regions": 3}
    print_result(Result(Path("run"), {"iou": 0.25, "regions": 3}, after, 60, {}), load_config(None, []))
    assert rows_of(capsys.readouterr().out) == {
        "mean IoU of all regions, 0 scribbles": ["", "25.0", "75.0"],
        "at 2 scribbles per region, free": ["", "", "87.5"],
        "at 4 scribbles per region, per region": ["", "", "93.8"],
        "eta, free (1: scribbles mend all)": ["", "", "0.50"],
    }


def rows_of(output: str) -> dict[str, list[str]]:
    return {
        cells[1].strip(): [cell.strip() for cell in cells[2:5]]
        for line in output.splitlines()
        if len(cells := line.split("│")) == 6
    }


def test_a_study_says_how_far_scribbles_carry_if_it_knows(capsys: pytest.CaptureFixture[str]) -> None:
    entry: dict[str, Any] = {"scribbles_per_region": [0, 1.0], "iou": [0.5, 0.75], "noc": {"0.85": 1.5, "0.90": 2.5}}
    strategies = {"free": {**entry, "eta_of_all_rounds": 0.375}, "per_region": entry}  # the last one by version 0.1.0
    strategies["frozen"] = {**entry, "eta_of_all_rounds": None}
    head = {"experiment": "x", "regions": 2, "images": 1, "dataset": "scenes", "split": "val", "rounds": 1}
    print_study(Path("run"), {**head, "strategies": strategies})
    rows = [
        [cell.strip() for cell in line.split("│")[1:-1]] for line in capsys.readouterr().out.splitlines() if "│" in line
    ]
    same = ["50.0", "75.0", "62.5", "1.50", "2.50"]
    assert rows == [["free", *same, "0.38"], ["per_region", *same, ""], ["frozen", *same, ""]]


def test_strategies_are_compared_at_equal_scribbles_per_region(capsys: pytest.CaptureFixture[str]) -> None:
    entry: dict[str, Any] = {"iou": [0.5, 0.7, 0.8], "noc": {"0.85": 1.5, "0.90": 2.5}}
    strategies = {
        "free": {**entry, "scribbles_per_region": [0, 1.0, 2.0]},
        "per_region": {**entry, "scribbles_per_region": [0, 0.75, 1.5]},  # 2 rounds, but not 2 scribbles
    }
    head = {"experiment": "x", "regions": 2, "images": 1, "dataset": "scenes", "split": "val", "rounds": 2}
    print_study(Path("run"), {**head, "hold_scribbles": False, "strategies": strategies})
    output = capsys.readouterr().out
    assert "only inform" in output
    rows = [[cell.strip() for cell in line.split("│")[1:5]] for line in output.splitlines() if "│" in line]
    assert rows == [["free", "50.0", "70.0", "75.0"], ["per_region", "50.0", "73.3", "80.0"]]
