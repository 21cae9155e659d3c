"""Comparing two run folders: every bit counts, but times do not."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from fullseg.errors import ConfigError
from fullseg.reproduce.comparison import (
    compare_metrics,
    compare_study,
    compare_summaries,
    compare_values,
    compare_weights,
    is_time,
    read_metrics,
)

NAN = float("nan")


def test_the_largest_difference_is_named_with_its_place() -> None:
    there = {"step 1": 1.0, "step 2": 2.0, "step 3": NAN, "step 4": 4.0}
    here = {"step 1": 1.5, "step 2": 1.0, "step 3": NAN, "step 4": 4.0}
    found = compare_values("metrics.csv", "train/loss", there, here)
    assert (found.values, found.different, found.largest, found.where) == (4, 2, 1.0, "step 2")
    assert (found.there, found.here) == (4.0, 4.0)


def test_a_value_that_one_alone_has_is_a_difference_unless_a_run_ended_early() -> None:
    there, here = {"step 1": 1.0}, {"step 1": 1.0, "step 2": 2.0}
    found = compare_values("f", "m", there, here)
    assert (found.values, found.different, found.largest) == (2, 1, None)
    assert found.where == "step 2, which one alone has"
    assert compare_values("f", "m", there, here, whole=False).different == 0


def test_what_is_no_number_differs_without_an_amount() -> None:
    found = compare_values("f", "m", {"a": NAN, "b": None, "c": "x"}, {"a": 1.0, "b": 0.5, "c": "x"})
    assert (found.different, found.largest, found.where) == (2, None, "a")


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("val/seconds_per_image", True),
        ("seconds_per_image", True),
        ("train/seconds_head", True),
        ("train/images_per_second", True),
        ("train/data_wait", True),
        ("train/counterpart", True),
        ("train/loss", False),
        ("val/iou", False),
        ("lr-AdamW/pg1", False),
    ],
)
def test_times_are_told_from_metrics(name: str, time: bool) -> None:
    assert is_time(name) == time


def test_metrics_are_compared_by_step_without_times(tmp_path: Path) -> None:
    texts = {"a": "1,3,0.5,9\n2,3,0.25,\n2,7,,8\n", "b": "1,3,0.5,1\n2,3,0.5,\n2,7,,2\n"}
    for name, text in texts.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.csv").write_text(f"epoch,step,val/iou,val/seconds_per_image\n{text}")
    found = compare_metrics(tmp_path / "a", tmp_path / "b", whole=True)
    assert [comparison.name for comparison in found] == ["epoch", "val/iou"]
    assert found[1].largest == 0.25  # if a step has two rows, the later one counts


@pytest.mark.parametrize("line", ["1,x,0.5", "1,3", "1,3,0.5,7", "1,3,abc"])
def test_a_damaged_line_is_named(tmp_path: Path, line: str) -> None:
    path = tmp_path / "metrics.csv"
    path.write_text(f"epoch,step,val/iou\n0,0,0.1\n{line}\n")
    with pytest.raises(ConfigError, match=r"metrics.csv, line 3 is damaged: .*; restore the file"):
        read_metrics(path)


def test_summaries_are_compared_where_both_have_them(tmp_path: Path) -> None:
    contents = {"a": ({"iou": 0.5, "seconds_per_image": 1}, None), "b": ({"iou": 0.25, "iou_filled": 1}, {"iou": 1})}
    for name, (before, after) in contents.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "summary.json").write_text(json.dumps({"before": before, "after": after}))
    [found] = compare_summaries(tmp_path / "a", tmp_path / "b", whole=False)
    assert (found.name, found.there, found.here, found.largest) == ("iou before training", 0.5, 0.25, 0.25)
    _, alone = compare_summaries(tmp_path / "a", tmp_path / "b", whole=True)
    assert (alone.name, alone.different) == ("iou_filled before training", 1)


WEIGHTS = {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3), "c": torch.empty(0), "e": torch.ones(1)}


@pytest.mark.parametrize(
    ("change", "different", "largest", "where"),
    [
        ({}, 0, None, ""),
        ({"a": torch.tensor([0.0, 1.25])}, 1, 0.25, "a"),
        ({"a": torch.tensor([-0.0, 1.0])}, 1, 0.0, "a"),
        ({"b": torch.tensor(5)}, 1, 2.0, "b"),
        ({"b": torch.tensor([3, 3])}, 2, None, "b"),
        ({"d": torch.ones(4)}, 4, None, "d"),
        ({"a": torch.tensor([0.0, NAN])}, 1, None, "a"),
        ({"a": torch.tensor([0.0, 1.25]), "e": torch.tensor([NAN])}, 2, None, "e"),
    ],
)
def test_weights_differ_by_a_bit(
    tmp_path: Path, change: dict[str, Tensor], different: int, largest: float | None, where: str
) -> None:
    for name, weights in (("x", WEIGHTS), ("y", {**WEIGHTS, **change})):
        (tmp_path / name / "checkpoints").mkdir(parents=True)
        torch.save({"state_dict": weights, "global_step": 4}, tmp_path / name / "checkpoints" / "last.ckpt")
    found = compare_weights(tmp_path / "x", tmp_path / "y", "last.ckpt")
    assert (found.different, found.largest, found.where) == (different, largest, where)
    assert (found.there == found.here) == (not change)


def test_a_study_is_compared_in_its_plan_its_curves_and_its_rows(tmp_path: Path) -> None:
    for name, iou, images in (("a", 0.5, 3), ("b", 0.75, 4)):
        (tmp_path / name).mkdir()
        entry = {"iou": [0.5, iou], "noc": {"0.85": 1.0}, "iou_large": [None, None], "seconds_per_round": iou}
        entry |= {"per_image": "study_free.parquet", "provenance": {"commit": name}}
        content = {"images": images, "strategies": {"free": entry}}
        (tmp_path / name / "study.json").write_text(json.dumps(content))
        rows = {"image": [0, 0], "region": [0, 0], "round": [0, 1], "iou": [NAN, iou], "class": ["cat", "cat"]}
        pq.write_table(pa.table(rows), tmp_path / name / "study_free.parquet")
    found = compare_study(tmp_path / "a", tmp_path / "b", "studies/x/study.json", ["free"])
    different = {(each.file, each.name): (each.largest, each.where) for each in found if each.different}
    assert different == {
        ("studies/x/study.json", "images"): (1.0, "the only value"),
        ("studies/x/study.json", "free: iou"): (0.25, "[1]"),
        ("studies/x/study_free.parquet", "iou"): (0.25, "image 0, region 0, round 1"),
    }
    assert {each.name for each in found} >= {"free: noc", "free: iou_large", "class"}


@pytest.mark.parametrize("original", ["0.1.0", "0.2.0"])
def test_scribbles_and_eta_are_compared_if_the_original_has_them(tmp_path: Path, original: str) -> None:
    for name, eta in (("a", 0.5), ("b", 0.25)):
        (tmp_path / name).mkdir()
        entry: dict[str, Any] = {"iou": [0.5, 0.6], "per_image": "study_free.parquet"}
        rows: dict[str, Any] = {"image": [0], "region": [0], "round": [1], "iou": [0.5]}
        pq.write_table(pa.table(rows), tmp_path / name / "study_free.parquet")
        if name == "b" or original == "0.2.0":
            entry |= {"eta": [None, eta], "per_scribble": "study_free_scribbles.parquet"}
            rows = {"image": [0, 0], "round": [1, 1], "scribble": [0, 1], "region": [0, 0], "length": [2.0, 4 * eta]}
            pq.write_table(pa.table(rows), tmp_path / name / "study_free_scribbles.parquet")
        (tmp_path / name / "study.json").write_text(json.dumps({"strategies": {"free": entry}}))
    found = compare_study(tmp_path / "a", tmp_path / "b", "study.json", ["free"])
    different = {(each.file, each.name): (each.largest, each.where) for each in found if each.different}
    assert different == (
        {
            ("study.json", "free: eta"): (0.25, "[1]"),
            ("study_free_scribbles.parquet", "length"): (1.0, "image 0, round 1, scribble 1"),
        }
        if original == "0.2.0"
        else {}
    )
