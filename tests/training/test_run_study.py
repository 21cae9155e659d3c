"""A study from its options to its folder: the models that it asks, its folder, and the results that it keeps."""

import json
import shlex
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from fullseg.__main__ import main
from fullseg.cli.tables import print_study
from fullseg.errors import UserError
from fullseg.report.page import write_report
from tests.tiny_runs import Runs

pytestmark = pytest.mark.slow


def test_a_noisy_annotator_has_a_folder_of_its_own(runs: Runs, studied: tuple[Path, dict[str, Any]]) -> None:
    before = (studied[0] / "study.json").read_text()
    folder, content = runs.study(
        "experiment=interactive", "study.strategies=[free]", "study.noise.points=20", "study.noise.scribble_short=0.5"
    )
    assert folder == studied[0] / "studies" / "points=20,scribble_short=0.5"
    assert (studied[0] / "study.json").read_text() == before
    assert content["strategies"]["free"]["iou"][0] != studied[1]["strategies"]["free"]["iou"][0]
    runs.study("experiment=interactive", "study.strategies=[free]")
    page = write_report([studied[0]], None).read_text()
    assert "An imprecise annotator" in page


def test_scribbles_are_held_unless_the_network_may_overrule_them(runs: Runs) -> None:
    options = ("experiment=interactive", "study.strategies=[free]")
    folder, held = runs.study(*options)
    other_folder, overruled = runs.study(*options, "study.hold_scribbles=false")
    assert other_folder == folder / "studies" / "hold_scribbles=false"
    assert held["strategies"]["free"]["iou"][0] == overruled["strategies"]["free"]["iou"][0]
    assert held["strategies"]["free"]["iou"][2] > overruled["strategies"]["free"]["iou"][2]


def test_annotations_spread_in_a_model_that_was_trained_without(runs: Runs) -> None:
    options = ("experiment=interactive", "study.strategies=[free]")
    folder, plain = runs.study(*options)
    other_folder, spread = runs.study(*options, "study.kriging=fixed", "study.diffusion=fixed")
    assert other_folder == folder / "studies" / "kriging=fixed,diffusion=fixed"
    assert [(content["kriging"], content["diffusion"]) for content in (plain, spread)] == [
        ("trained", "trained"),
        ("fixed", "fixed"),
    ]
    for number in range(3):  # in round 0 it is the counterpart whose annotations spread
        assert plain["strategies"]["free"]["iou"][number] != spread["strategies"]["free"]["iou"][number]


def test_frozen_starts_as_the_model_and_always_holds_no_more_than_the_scribbles(runs: Runs) -> None:
    options = ("experiment=interactive", "study.strategies=[free,frozen]")
    _, held = runs.study(*options)
    folder, overruled = runs.study(*options, "study.hold_scribbles=false")
    frozen = held["strategies"]["frozen"]
    assert frozen == {**overruled["strategies"]["frozen"], "seconds_per_round": frozen["seconds_per_round"]}
    assert frozen["iou"][0] == held["strategies"]["free"]["iou"][0]
    assert frozen["iou"] == sorted(frozen["iou"])
    scribbles = pq.read_table(folder / frozen["per_scribble"]).to_pydict()
    assert len(scribbles["length"]) == frozen["scribbles_per_region"][-1] * held["regions"]
    for share, area, length in zip(*(scribbles[key] for key in ("mended_share", "area", "length")), strict=True):
        assert 1 <= round(share * area) <= 2 * length + 1  # a dot has length 0 and one pixel


def test_a_later_study_keeps_what_other_strategies_gave(runs: Runs) -> None:
    options = ("experiment=interactive", "seed=5")  # a folder that no other test reads
    folder, first = runs.study(*options, "study.single_region=single")
    pictures = {name: (folder / "figures" / f"{name}.png").read_bytes() for name in ("fig5", "fig6", "worst_regions")}
    _, content = runs.study(*options, "study.strategies=[watershed]")
    kept = [name for name, picture in pictures.items() if (folder / "figures" / f"{name}.png").read_bytes() == picture]
    assert kept == ["fig6", "worst_regions"]  # still of free allocation; Fig. 5 has one more curve
    for name in ("per_region", "free", "frozen", "single_region"):
        assert content["strategies"][name] == first["strategies"][name]
    single = (runs.runs / "single" / "latest").resolve() / "checkpoints" / "best.ckpt"
    assert content["strategies"]["single_region"]["checkpoint"] == str(single)
    curve = content["strategies"]["watershed"]["iou"]
    assert 0.1 < curve[0] < curve[2]


@pytest.mark.parametrize(
    ("override", "name"),
    [
        ("study.rounds=1", "rounds=1"),
        ("seed=3", "seed=3"),
        ("data.val_fraction=1/2", "val_fraction=1-2"),
        ("counterpart=none", "counterpart=none"),
    ],
)
def test_a_study_to_another_plan_has_a_folder_of_its_own(
    runs: Runs, studied: tuple[Path, dict[str, Any]], override: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (studied[0] / "study.json").read_text()
    folder, content = runs.study("experiment=interactive", "study.strategies=[watershed]", override)
    assert folder == studied[0] / "studies" / name
    assert "watershed" in content["strategies"]
    assert (studied[0] / "study.json").read_text() == before
    print_study(folder, content)
    [command] = [line for line in capsys.readouterr().out.splitlines() if line.startswith("next")]
    words = shlex.split(command)
    assert main(words[words.index("report") :]) == 0
    assert (folder / "report.html").is_file()


def test_a_study_of_other_data_has_a_folder_of_its_own_and_needs_no_training_split(
    runs: Runs, studied: tuple[Path, dict[str, Any]], tiny_data: Path, tmp_path: Path
) -> None:
    shutil.copytree(tiny_data / "val", tmp_path / "val")
    content = json.loads((tmp_path / "val" / "panoptic.json").read_text())
    for key in ("images", "annotations"):
        content[key] = content[key][:2]
    (tmp_path / "val" / "panoptic.json").write_text(json.dumps(content))
    folder, other = runs.study("experiment=interactive", "study.strategies=[watershed]", f"data.root={tmp_path}")
    assert folder == studied[0] / "studies" / f"data={other['data'][:8]}"
    assert (other["images"], studied[1]["images"]) == (2, 3)


def test_a_model_without_classes_is_studied_on_any_data(runs: Runs) -> None:
    runs.train("experiment=agnostic", "model.class_maps=one")
    folder, content = runs.study("experiment=agnostic", "study.strategies=[free]")
    table = pq.read_table(folder / content["strategies"]["free"]["per_image"]).to_pydict()
    assert len(set(table["class"])) > 1  # the classes are from the data: the model knows none


def test_single_region_is_left_out_with_a_message_where_no_model_is_named(
    runs: Runs, capsys: pytest.CaptureFixture[str]
) -> None:
    _, content = runs.study("experiment=plain")
    assert list(content["strategies"]) == ["per_region", "free", "frozen"]
    assert "study.single_region names no model" in capsys.readouterr().err
    assert content["counterpart"] is None


def test_an_experiment_that_is_its_own_single_region_model_is_studied_as_the_checkpoint_says(
    runs: Runs, tmp_path: Path
) -> None:
    older = shutil.copytree((runs.runs / "single" / "latest").resolve(), tmp_path / "older", symlinks=True)
    options = ("experiment=single", "study.single_region=single", f"checkpoint={older}")
    _, content = runs.study(*options, "study.strategies=[single_region]")
    assert content["checkpoint"] == content["strategies"]["single_region"]["checkpoint"]
    assert Path(content["checkpoint"]).is_relative_to(older)


def test_single_region_scores_every_mask_by_itself_and_in_the_canvas_under_another_name(runs: Runs) -> None:
    strategies = "study.strategies=[single_region,single_region_canvas]"
    folder, content = runs.study("experiment=interactive", "study.single_region=single", strategies, "seed=8")
    trained = json.loads((runs.runs / "single" / "latest" / "summary.json").read_text())["after"]
    alone, canvas = (content["strategies"][name] for name in ("single_region", "single_region_canvas"))
    # Training has measured both, on whole canvases and not tile by tile.
    assert alone["iou"][0] == pytest.approx(trained["iou_independent"], abs=1e-4)
    assert canvas["iou"][0] == pytest.approx(trained["iou"], abs=1e-4)
    assert abs(alone["iou"][0] - canvas["iou"][0]) > 1e-3
    assert alone["checkpoint"] == canvas["checkpoint"]
    assert alone["panoptic_quality"] == [None] * 3
    assert None not in canvas["panoptic_quality"]
    print_study(folder, content)
    page = write_report([folder], None).read_text()
    assert "single region, in the canvas" in page


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["experiment=plain", "study.single_region=plain"],
            "was trained with loss=pixelwise, so its masks mean nothing",
        ),
        (["checkpoint=nowhere"], "checkpoint=nowhere: no such checkpoint or run folder, and no trained run in"),
        (["experiment=untrained"], "train it first: make train EXPERIMENT=untrained"),
        (["experiment=plain", "study.single_region=none_such"], "study.single_region=none_such"),
        (["experiment=plain", "counterpart=none_such"], "counterpart=none_such"),
        (["experiment=interactive", "counterpart=none_such"], "counterpart=none_such"),
        (["checkpoint=typo.ckpt"], "checkpoint=typo.ckpt: no such checkpoint$"),
        (["checkpoint=README.md"], "README.md is no whole checkpoint of fullseg train"),
        (["experiment=plain", "study.strategies=[single_region]"], "name its model, study.single_region=EXPERIMENT"),
    ],
)
def test_names_a_missing_model(runs: Runs, overrides: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        runs.study(*overrides)
