"""The chain of stages: what runs, what is skipped, what a failure stops. A short script stands for each training."""

import json
import re
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from fullseg.__main__ import main
from fullseg.paper import run as paper_run
from fullseg.sweeps import runner as sweep_runner
from fullseg.sweeps.cell_folder import read_state, write_state
from tests.paper.conftest import SCORES, write_program

pytestmark = pytest.mark.usefixtures("project")


class Chain:
    """Runs the command, and says which stages have run."""

    def __init__(self, path: Path, coco: Path) -> None:
        self.path, self.coco = path, coco
        self.place = path / "runs" / "paper"
        self.score(**SCORES)

    def score(self, **changes: float) -> None:
        self.scores = {**getattr(self, "scores", {}), **changes}
        (self.path / "scores.json").write_text(json.dumps(self.scores))

    def run(self, *words: str, seeds: str = "0 1") -> int:
        command = ["paper", str(self.coco), "--runs", str(self.path / "runs"), "data.crop_size=64", *words]
        return main([*command, "--seeds", *seeds.split()])

    def ran(self) -> dict[str, list[str]]:
        """Return the stages that ran since the last call, with their command lines."""
        log = self.path / "ran.txt"
        lines = [json.loads(line) for line in log.read_text().splitlines()] if log.is_file() else []
        log.unlink(missing_ok=True)
        assert len({name for name, _ in lines}) == len(lines)  # none ran twice
        return dict(lines)

    def table(self) -> str:
        return (self.place / "paper.md").read_text()


@pytest.fixture
def chain(tmp_path: Path, coco: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    write_program(tmp_path / "python")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(sweep_runner, "PAUSE", 0.01)
    monkeypatch.setattr(paper_run, "check_stages", lambda *_: None)  # tests/paper/test_checks.py
    return Chain(tmp_path, coco)


def test_every_stage_runs_once_behind_those_it_needs(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert chain.run() == 0
    ran = chain.ran()
    order = list(ran)
    assert len(order) == 20
    for seed in (0, 1):
        study = order.index(f"seed{seed}/fig5/study")
        for name, counterpart in (
            ("full_image_scribble", "pixelwise_shared"),
            ("single_region_scribble", "maskwise"),
        ):
            model = order.index(f"seed{seed}/fig5/{name}")
            assert order.index(f"seed{seed}/table2/{counterpart}") < model < study
    words = ran["seed1/fig5/full_image_scribble"]
    assert words[:4] == ["-m", "fullseg", "train", "experiments/fig5/full_image_scribble.yaml"]
    assert {"seed=1", "experiment=paper/seed1/fig5/full_image_scribble", "data.crop_size=64"} <= set(words)
    output, table = capsys.readouterr().out, chain.table()
    assert "paper: 20 stages, 0 done before; 1 at once on the CPU" in output
    for text in ("70.5 ± 0.7", "+2.00 [+2.00, +2.00]"):  # seeds 0 and 1: 70 and 71; both differ by 2
        assert text in output
        assert text in table
    assert "| full image, free allocation, at 4 | 78.5 ± 0.7 | 90.0 | 78.0 79.0 |" in table
    assert "| full image, per region, at 6 | 80.5 ± 0.7 |  | 80.0 81.0 |" in table
    assert "at 7 |" not in table  # per_region reaches 6 scribbles per region only
    assert "| DEXTR (released) |  |  | no dextr_coco.pth in" in table

    assert chain.run() == 0
    assert chain.ran() == {}
    assert chain.table() == table
    assert "20 stages, 20 done before" in capsys.readouterr().out


def test_more_seeds_add_only_their_stages(chain: Chain) -> None:
    assert chain.run(seeds="1") == 0
    assert {name.split("/")[0] for name in chain.ran()} == {"seed1"}
    assert "seed 1 |" in chain.table()
    assert chain.run(seeds="0 1") == 0
    assert {name.split("/")[0] for name in chain.ran()} == {"seed0"}
    assert "seeds 0 1 |" in chain.table()


def test_a_failed_stage_stops_those_that_need_it_and_runs_again(
    chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    (chain.path / "fails.txt").write_text("seed0/table2/maskwise seed0/table1/dextr")
    assert chain.run(seeds="0") == 1
    left_out = {"seed0/fig5/single_region_scribble", "seed0/fig5/study"}
    assert len(chain.ran()) == 10 - len(left_out)
    output = capsys.readouterr().out
    reason = "error: no luck with seed0/table2/maskwise"
    assert re.search(rf"seed0/table2/maskwise  failed after 0.0 minutes: {reason}\n", output)
    assert f"failed      seed0/table2/maskwise: {reason} ({chain.place}/seed0/table2/maskwise/log.txt)" in output
    for name in left_out:
        assert f"left out    {name}, because it needs one that failed" in output
    assert "try again   " in output
    table = chain.table()
    assert "| mask-wise loss, not shared |  | 75.8 | failed |" in table
    assert f"\n- seed0/table2/maskwise: {reason} ({chain.place}/seed0/table2/maskwise/log.txt)\n" in table
    assert "| single region, at 4 |  | 85.0 | needs fig5/single_region_scribble |" in table
    assert "| pixel-wise loss, not shared | 72.0 | 78.4 | 72.0 |" in table

    (chain.path / "fails.txt").unlink()
    assert chain.run(seeds="0") == 0
    assert chain.ran().keys() == {"seed0/table2/maskwise", "seed0/table1/dextr", *left_out}
    assert "| failed |" not in chain.table()


def test_a_deleted_stage_runs_again_with_all_that_used_its_model(chain: Chain) -> None:
    assert chain.run(seeds="0") == 0
    chain.ran()
    for name, again in (
        ("seed0/fig5/study", {"seed0/fig5/study"}),
        ("seed0/table2/maskwise", {"seed0/table2/maskwise", "seed0/fig5/single_region_scribble", "seed0/fig5/study"}),
    ):
        (chain.place / name / "cell.json").unlink()
        assert chain.run(seeds="0") == 0
        assert chain.ran().keys() == again, name


@pytest.mark.parametrize("counterpart", ["the same", "trained again"])
def test_an_interrupted_model_is_resumed_only_with_the_counterpart_it_has_had(chain: Chain, counterpart: str) -> None:
    assert chain.run(seeds="0") == 0
    chain.ran()
    model = chain.place / "seed0/fig5/single_region_scribble"
    write_state(model, replace(read_state(model), status="interrupted"))
    (model / "latest" / "checkpoints").mkdir(parents=True)
    (model / "latest" / "checkpoints" / "last.ckpt").touch()
    if counterpart == "trained again":
        (chain.place / "seed0/table2/maskwise/cell.json").unlink()
    assert chain.run(seeds="0") == 0
    words = chain.ran()["seed0/fig5/single_region_scribble"]
    assert any(word.startswith("resume=") for word in words) == (counterpart == "the same")


def test_after_ctrl_c_the_printed_command_goes_on(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    (chain.path / "hangs.txt").write_text("seed0/table2/pixelwise")

    def press_ctrl_c() -> None:
        deadline = time.monotonic() + 60
        while not (chain.path / "hangs").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        signal.raise_signal(signal.SIGINT)

    threading.Thread(target=press_ctrl_c).start()
    assert chain.run(seeds="0") == 130
    ran = chain.ran()
    assert list(ran)[-1] == "seed0/table2/pixelwise"
    assert read_state(chain.place / "seed0/table2/pixelwise").status == "interrupted"
    printed = capsys.readouterr().err
    assert "Stopped: 2 of 10 stages are done" in printed
    [command] = re.findall(r"Go on with: .*?(paper .*)", printed)
    assert "| pixel-wise loss, not shared |  | 78.4 | interrupted |" in chain.table()
    assert "| mask-wise loss, not shared | 70.0 | 75.8 | 70.0 |" in chain.table()

    (chain.path / "hangs.txt").unlink()
    assert main(command.split()) == 0
    again = chain.ran()
    assert len(again) == 8
    resumed = again["seed0/table2/pixelwise"][-1]
    assert resumed == f"resume={(chain.place / 'seed0/table2/pixelwise/latest').resolve()}"


def test_without_one_part_of_coco_the_other_runs(
    chain: Chain, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, chain.coco = chain.coco, tmp_path / "coco"
    chain.coco.mkdir()
    for name in ("train", "val"):
        (chain.coco / name).symlink_to(whole / name)
    assert chain.run(seeds="0") == 0
    assert len(chain.ran()) == 7
    output = capsys.readouterr().out
    assert f"Table 1 cannot be run:\n  no COCO instances of train2014: {chain.coco}/annotations/" in output
    assert output.count(f"To get it: fullseg data coco --root {chain.coco} --part instances2014 instances2017") == 2
    assert "| ours, single region |  |  | COCO's instances data is not complete |" in chain.table()

    (chain.coco / "train").unlink()
    assert chain.run(seeds="0") == 2
    assert "neither part of COCO is complete" in capsys.readouterr().err


def test_the_released_dextr_is_evaluated_where_its_file_is(chain: Chain, tmp_path: Path) -> None:
    weights = tmp_path / "w.pth"
    assert chain.run("--dextr", str(weights), seeds="0") == 2  # no such file
    weights.touch()
    assert chain.run("--dextr", str(weights), seeds="0") == 0
    words = chain.ran()["table1/dextr_released"]
    assert words[:4] == ["-m", "fullseg", "train", "experiments/table1/dextr.yaml"]
    assert f"model.dextr.weights={weights}" in words
    assert "| DEXTR (released) | 84.0 |  | 84.0; no training, so no seeds |" in chain.table()


def test_the_page_has_the_table_the_curves_and_the_runs_and_needs_no_network(chain: Chain) -> None:
    (chain.path / "fails.txt").write_text("seed1/table1/dextr")
    assert chain.run(seeds="1") == 1
    text = (chain.place / "paper.html").read_text()
    assert not re.search(r'(src|href)="(https?:)?//', text)
    assert text.count("<svg") == 1
    plain = re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)
    rows = re.findall(r"<tr>(.*?)</tr>", plain)
    cells = [re.findall(r"<td.*?>(.*?)</td>", row) for row in rows]
    lines = [line.strip("| ").split(" | ") for line in chain.table().splitlines() if line.startswith("| ")]
    mine = [row for row in cells if row[:1] == ["mask-wise loss, not shared"]]
    assert mine == [["mask-wise loss, not shared", "71.0", "75.8", "71.0"]]
    assert {line[0] for line in lines if not line[0].startswith("**")} - {row[0] for row in cells if row} == {"ours"}
    stages = {row[0]: row[1] for row in cells if len(row) == 9}
    assert len(stages) == 10
    assert stages["seed1/table1/dextr"] == "failed"
    assert "data.crop_size=64" in plain
    assert "error: no luck with seed1/table1/dextr" in plain


def test_the_list_of_stages_runs_none(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert chain.run("--dry-run") == 0
    assert chain.ran() == {}
    assert not chain.place.exists()
    output = capsys.readouterr().out
    assert len(re.findall(r"^new         seed[01]/", output, re.MULTILINE)) == 20


def test_options_may_follow_the_seeds(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert chain.run("--dry-run", seeds="3 data.batch_size=6") == 0
    output = capsys.readouterr().out
    for option in ("data.crop_size=64", "data.batch_size=6", "seed=3"):
        assert output.count(f" {option}") == 10


def test_other_options_need_another_folder(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert chain.run(seeds="0") == 0
    assert chain.run("data.colour=0.1", seeds="0") == 2
    assert "was made with" in capsys.readouterr().err
    chain.ran()
    assert chain.run("--name", "other", "data.colour=0.1", seeds="0") == 0
    assert len(chain.ran()) == 10


def test_wrong_seeds_are_named(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        chain.run(seeds="0 one")
    assert "--seeds 0 one: write whole numbers" in capsys.readouterr().err
