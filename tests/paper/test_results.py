"""The numbers of the table, against means and spreads that are computed by hand."""

import json
from pathlib import Path
from typing import Any

import pytest

from fullseg.paper.results import Results, Row, collect
from fullseg.paper.stages import Plan, make_stages
from fullseg.paper.tables import cells_of, markdown
from fullseg.sweeps.cell_folder import State, write_state
from fullseg.sweeps.waiting import runs_of

pytestmark = pytest.mark.usefixtures("project")


def curve(x: list[float], iou: list[float]) -> dict[str, Any]:
    return {"scribbles_per_region": x, "iou": iou}


class Folder:
    """A folder of stages, whose results are written by hand."""

    def __init__(self, path: Path, *seeds: int, weights: bool = False) -> None:
        self.plan = Plan(path, seeds, (), path / "runs", "paper", path / "w.pth" if weights else None)
        self.cells = make_stages(self.plan)

    def done(self, name: str, iou: float = 0, *, run: str = "run", study: dict[str, Any] | None = None) -> None:
        """Mark a stage as done, with the runs that those it needs have now."""
        folder = self.plan.folder / name
        [cell] = [cell for cell in self.cells if cell.name == name]
        write_state(folder, State(status="done", used=runs_of(cell.needs, self.plan.folder)))
        after = {"iou": iou, "iou_independent": iou / 2}
        content = {"folder": f"{folder}/{run}", "after": after, "study": study and {"strategies": study}}
        (folder / "result.json").write_text(json.dumps(content))

    def studied(self, seed: int, study: dict[str, Any]) -> None:
        for name in ("table2/maskwise", "table2/pixelwise_shared"):
            self.done(f"seed{seed}/{name}", 0.5)
        for name in ("full_image_scribble", "single_region_scribble"):
            self.done(f"seed{seed}/fig5/{name}")
        self.done(f"seed{seed}/fig5/study", study=study)

    def results(self) -> Results:
        return collect(self.plan, self.cells, lambda name: f"no {name}")

    def row(self, title: str) -> Row:
        [row] = [row for row in self.results().rows if row.title == title]
        return row


def test_table_2_has_mean_and_sample_deviation_beside_the_paper(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1, 2)
    for seed, iou in enumerate((0.74, 0.75, 0.79)):
        folder.done(f"seed{seed}/table2/maskwise", iou)
    row = folder.row("mask-wise loss, not shared")
    assert row.mean == pytest.approx(76)
    assert row.deviation == pytest.approx(7**0.5)  # (4 + 1 + 9) / 2
    assert cells_of(row) == ("mask-wise loss, not shared", "76.0 ± 2.6", "75.8", "74.0 75.0 79.0")


def test_the_papers_numbers(tmp_path: Path) -> None:
    papers = {row.title: row.paper for row in Folder(tmp_path, 0).results().rows}
    assert papers == {
        "mask-wise loss, not shared": 75.8,
        "mask-wise loss, extreme points shared": 76.0,
        "pixel-wise loss, not shared": 78.4,
        "pixel-wise loss, extreme points shared": 79.1,
        "mask-wise loss: shared - not shared": pytest.approx(0.2),
        "pixel-wise loss: shared - not shared": pytest.approx(0.7),
        "full image, free allocation, at 0": 79.1,
        "full image, free allocation, at 4": 90,
        "full image, per region, at 0": 79.1,
        "full image, per region, at 4": 88,
        "single region, at 0": 75.8,
        "single region, at 4": 85,
        **dict.fromkeys(("ours, single region", "ours, single region, two-stage head", "DEXTR, trained here")),
        "DEXTR (released)": None,
    }


def test_sharing_has_a_paired_interval_over_the_seeds(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1, 2)
    for seed, (alone, shared) in enumerate(((0.700, 0.704), (0.710, 0.716), (0.690, 0.695))):
        folder.done(f"seed{seed}/table2/pixelwise", alone)
        folder.done(f"seed{seed}/table2/pixelwise_shared", shared)
    row = folder.row("pixel-wise loss: shared - not shared")
    assert row.values == pytest.approx([0.4, 0.6, 0.5])
    assert row.interval is not None
    half = 4.302653 * 0.1 / 3**0.5  # quantile 0.975 of Student's t with 2 degrees of freedom, from a table
    assert row.interval == pytest.approx((0.5 - half, 0.5 + half), abs=1e-6)
    assert cells_of(row)[1:] == ("+0.50 [+0.25, +0.75]", "+0.7", "+0.40 +0.60 +0.50")


def test_one_seed_has_neither_spread_nor_interval(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 4)
    folder.done("seed4/table2/pixelwise", 0.7)
    folder.done("seed4/table2/pixelwise_shared", 0.71)
    assert cells_of(folder.row("pixel-wise loss, not shared"))[1:] == ("70.0", "78.4", "70.0")
    difference = cells_of(folder.row("pixel-wise loss: shared - not shared"))
    assert difference[1:] == ("+1.00", "+0.7", "+1.00; one seed has no interval")


def test_fig_5_is_read_at_equal_scribbles_that_all_strategies_of_all_seeds_reach(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1)
    first = {
        "free": curve([0, 4, 8], [0.7, 0.8, 0.9]),
        "per_region": curve([0, 3, 6], [0.7, 0.76, 0.82]),
        "single_region": curve([0, 4, 6], [0.6, 0.64, 0.7]),
    }
    second = {**first, "free": curve([0, 4, 8], [0.72, 0.84, 0.9]), "per_region": curve([0, 2.5], [0.7, 0.75])}
    folder.studied(0, first)
    folder.studied(1, second)
    results = folder.results()
    assert results.common == 2.5
    at = {row.title: row for row in results.rows}
    titles = [title for title in at if title.startswith("full image, free")]
    assert [title.split()[-1] for title in titles] == ["0", "1", "2", "2.5", "4"]
    assert at["full image, free allocation, at 2"].values == pytest.approx([75, 78])
    assert at["full image, per region, at 2.5"].values == pytest.approx([75, 75])
    assert at["single region, at 1"].values == pytest.approx([61, 61])
    beyond = at["full image, free allocation, at 4"]  # free reaches it, but one of the others does not
    assert cells_of(beyond)[1:] == ("", "90.0", "all reach only 2.5")
    assert at["full image, free allocation, at 2"].paper is None


def test_a_missing_seed_says_why(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1)
    folder.done("seed1/table1/dextr", 0.9)
    assert cells_of(folder.row("DEXTR, trained here"))[1:] == ("45.0", "", "- 45.0; seed 0: no seed0/table1/dextr")
    assert folder.row("DEXTR (released)").note == "no table1/dextr_released"


def test_the_released_dextr_has_no_seeds(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1, weights=True)
    folder.done("table1/dextr_released", 0.9)
    assert cells_of(folder.row("DEXTR (released)"))[1:] == ("45.0", "", "45.0; no training, so no seeds")


def test_a_result_of_models_that_were_trained_again_does_not_count(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0)
    folder.studied(0, {name: curve([0, 9], [0.7, 0.8]) for name in ("free", "per_region", "single_region")})
    assert folder.results().common == 9
    folder.done("seed0/table2/maskwise", 0.5, run="another")
    assert folder.results().common is None
    assert folder.row("mask-wise loss, not shared").mean == 50


def test_markdown_has_the_same_table(tmp_path: Path) -> None:
    folder = Folder(tmp_path, 0, 1)
    for seed in (0, 1):
        folder.done(f"seed{seed}/table2/maskwise", 0.7 + 0.02 * seed)
    text = markdown(folder.results().rows, (0, 1), "fullseg paper x", ["data.crop_size=64"], ["a: no luck"])
    assert "|  | ours | paper | seeds 0 1 |\n|---|---:|---:|---|\n| **Table 2: extreme points alone** |" in text
    assert "| mask-wise loss, not shared | 71.0 ± 1.4 | 75.8 | 70.0 72.0 |" in text
    assert text.count("\n| ") == len(folder.results().rows) + 1 + 4  # rows, titles, sections
    assert "\n- a: no luck\n" in text
    assert "Command: `fullseg paper x`" in text
    assert "`data.crop_size=64`" in text
