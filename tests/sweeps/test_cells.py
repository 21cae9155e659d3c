import sys
from pathlib import Path
from typing import Any

import pytest

from fullseg.errors import ConfigError
from fullseg.sweeps.cells import Cell, fullseg_job, launch_command, make_cells
from fullseg.sweeps.file import read_sweep

EXPERIMENT = str(Path(__file__).parents[2] / "experiments" / "default.yaml")


@pytest.fixture
def cells(tmp_path: Path) -> Any:
    """Return a function that makes the cells of a sweep from the YAML of its parameters and overrides."""

    def cells(
        parameters: str, *overrides: str, job: str = "train", experiment: Path | None = None, args: str = "no_hyphens"
    ) -> list[Cell]:
        command = f"['${{interpreter}}', -m, fullseg, {job}, {EXPERIMENT}, '${{args_{args}}}']"
        (tmp_path / "s.yaml").write_text(f"method: grid\ncommand: {command}\nparameters: {{{parameters}}}")
        return make_cells(read_sweep(tmp_path / "s.yaml"), overrides, experiment, tmp_path / "runs")

    return cells


def test_cells_are_named_after_what_varies_and_their_command(cells: Any) -> None:
    found = cells(
        "model.share: {values: [none, all]}, loss: {value: maskwise}, model.head_dilations: {values: ['[1, 2]']}"
    )
    assert [cell.name[:-9] for cell in found] == ["share=none", "share=all"]
    assert [cell.name[-8:] for cell in found] == [cell.key for cell in found]
    assert found[0].command == [
        *(sys.executable, "-m", "fullseg", "train", EXPERIMENT),
        *("loss=maskwise", "model.head_dilations=[1, 2]", "model.share=none"),
    ]
    assert found[0].config is not None
    assert (found[0].config.loss, found[0].config.model.share) == ("maskwise", "none")


def test_only_another_command_is_another_cell(cells: Any) -> None:
    few = [cell.name for cell in cells("seed: {values: [0, 1]}")]
    more = [cell.name for cell in cells("seed: {values: [2, 1, 0]}")]
    assert more[1:] == few[::-1]
    assert [cell.name for cell in cells("seed: {values: [0, 0, 1]}")] == few  # equal cells count once
    longer = [cell.name for cell in cells("seed: {values: [0, 1]}", "trainer.epochs=2")]
    assert [name[:6] for name in longer] == ["seed=0", "seed=1"]
    assert not set(longer) & set(few)


def test_parameters_whose_last_parts_are_alike_keep_their_whole_names(cells: Any) -> None:
    [cell, *_] = cells("scribbles.workers: {values: [0, 1]}, study.workers: {values: [1, 2]}")
    assert cell.name[:-9] == "scribbles.workers=0,study.workers=1"


def test_another_experiment_replaces_the_one_in_the_command(cells: Any) -> None:
    other = Path(EXPERIMENT).parent / "bsds500" / "full_image.yaml"
    [cell] = cells("seed: {value: 0}", "data.root=/d", experiment=other)
    assert cell.command[4:] == [str(other), "seed=0", "data.root=/d"]
    assert cell.config is not None
    assert cell.config.data.format == "bsds500"


@pytest.mark.parametrize(
    ("parameters", "overrides", "message"),
    [
        ("model.shrae: {values: [all]}", [], r"s, cell : override 'model.shrae=all': unknown option .* 'model.share'"),
        (
            "seed: {values: [0, 1]}, loss: {values: [maskwise, pixelwize]}",
            [],
            "cell loss=pixelwize,seed=0: .* 'pixelwise'",
        ),
        ("seed: {value: 0}", ["trainer.epoch=3"], "unknown option 'trainer.epoch'.*'trainer.epochs'"),
        ("seed: {value: 0}", ["runs=x"], "runs=x: a sweep sets experiment, resume, runs itself"),
        ("seed: {value: 0}", ["resume=latest"], "a sweep sets"),
    ],
)
def test_a_wrong_option_is_an_error_before_any_cell_runs(
    cells: Any, parameters: str, overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        cells(parameters, *overrides)


def test_hyphens_are_not_for_fullseg(cells: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"'--seed=0': fullseg train takes key=value: write \$\{args_no_hyphens\}"):
        cells("seed: {value: 0}", args="no_boolean_flags")
    (tmp_path / "p.yaml").write_text("method: grid\nprogram: p.py\nparameters: {a: {value: 1}}")
    with pytest.raises(ConfigError, match="key=value and --experiment are for commands of"):
        make_cells(read_sweep(tmp_path / "p.yaml"), ["a=2"], None, tmp_path)


def test_a_study_is_pinned_to_the_newest_run_of_its_model(cells: Any, tmp_path: Path) -> None:
    [missing] = cells("seed: {value: 0}", job="study")
    assert "no trained run in" in missing.missing
    keys = []
    for run in ("1", "2"):
        best = tmp_path / "runs" / "default" / run / "checkpoints" / "best.ckpt"
        best.parent.mkdir(parents=True)
        best.touch()
        [cell] = cells("seed: {value: 0}", job="study")
        assert cell.pins == [f"checkpoint={best}"]
        assert cell.missing == ""
        keys.append(cell.key)
    assert keys[0] != keys[1]  # a newly trained model needs a new study


def test_the_launched_command_has_its_place_and_where_it_goes_on_from(cells: Any, tmp_path: Path) -> None:
    [cell] = cells("seed: {value: 0}")
    runs, place = tmp_path / "runs", f"sweeps/s/{cell.name}"
    own = [f"experiment={place}", f"runs={runs}", "trainer.progress_bar=false"]
    assert launch_command(cell, place, runs, go_on=True) == cell.command + own  # there is no checkpoint yet
    run = runs / place / "20260101-000000"
    (run / "checkpoints").mkdir(parents=True)
    (run / "checkpoints" / "last.ckpt").touch()
    (runs / place / "latest").symlink_to(run.name)
    assert launch_command(cell, place, runs, go_on=True) == [*cell.command, *own, f"resume={run}"]
    assert launch_command(cell, place, runs, go_on=False) == cell.command + own


def test_other_programs_are_left_alone() -> None:
    assert fullseg_job(["python", "-m", "fullseg", "study", "x.yaml"]) == ("study", 4)
    assert fullseg_job(["python", "-m", "fullseg", "report", "x"]) == ("", 0)
    assert fullseg_job(["python", "train.py", "-m"]) == ("", 0)
