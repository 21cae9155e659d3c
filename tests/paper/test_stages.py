"""The stages of the paper: which there are, what they use, and which options they refuse."""

from pathlib import Path

import pytest

from fullseg.errors import ConfigError
from fullseg.paper.stages import COUNTERPARTS, Plan, make_stages

pytestmark = pytest.mark.usefixtures("project")


def plan_of(tmp_path: Path, *overrides: str, seeds: tuple[int, ...] = (0, 1), weights: Path | None = None) -> Plan:
    return Plan(tmp_path / "coco", seeds, overrides, tmp_path / "runs", "paper", weights)


def test_every_seed_has_all_models_and_a_study(tmp_path: Path) -> None:
    names = [cell.name for cell in make_stages(plan_of(tmp_path))]
    each = [
        *("table2/maskwise", "table2/maskwise_shared", "table2/pixelwise", "table2/pixelwise_shared"),
        *("fig5/full_image_scribble", "fig5/single_region_scribble", "fig5/study"),
        *("table1/single_region", "table1/single_region_two_stage", "table1/dextr"),
    ]
    assert names == [f"seed{seed}/{name}" for seed in (0, 1) for name in each]


def test_stages_use_the_models_of_their_own_seed(tmp_path: Path) -> None:
    cells = {cell.name: cell for cell in make_stages(plan_of(tmp_path))}
    place = tmp_path / "runs" / "paper"
    for seed in (0, 1):
        for name, counterpart in COUNTERPARTS.items():
            cell = cells[f"seed{seed}/{name}"]
            assert cell.needs == (f"seed{seed}/{counterpart}",)
            assert cell.pins == [f"counterpart={place}/seed{seed}/{counterpart}/latest"]
            # The model has its counterpart's loss and sharing of extreme points.
            mine, theirs = cell.config, cells[f"seed{seed}/{counterpart}"].config
            assert mine is not None
            assert theirs is not None
            assert (mine.loss, mine.model.share, mine.seed) == (theirs.loss, theirs.model.share, theirs.seed)
            assert mine.data.train_fraction != theirs.data.train_fraction
        study = cells[f"seed{seed}/fig5/study"]
        assert study.job == "study"
        models = ("fig5/full_image_scribble", "table2/pixelwise_shared", "fig5/single_region_scribble")
        assert study.needs == tuple(f"seed{seed}/{model}" for model in models)
        assert study.pins == [
            f"checkpoint={place}/seed{seed}/fig5/full_image_scribble/latest",
            f"counterpart={place}/seed{seed}/table2/pixelwise_shared/latest",
            f"study.single_region={place}/seed{seed}/fig5/single_region_scribble/latest",
        ]
        assert study.config is not None
        options = study.config.study
        assert (options.rounds, options.hold_scribbles, study.config.seed) == (9, False, seed)
        assert options.strategies == ["free", "per_region", "single_region"]
        free = [cell for name, cell in cells.items() if name.startswith((f"seed{seed}/table",))]
        assert len(free) == 7
        assert all(cell.needs == () for cell in free)


def test_options_reach_every_stage(tmp_path: Path) -> None:
    cells = make_stages(plan_of(tmp_path, "data.batch_size=6", weights=tmp_path / "w.pth"))
    assert {cell.config.data.batch_size for cell in cells if cell.config} == {6}
    assert {cell.config.data.root for cell in cells if cell.config} == {str(tmp_path / "coco")}
    assert len({cell.key for cell in cells}) == len(cells) == 21  # W&B names its runs by the key


def test_the_released_weights_are_evaluated_once_and_in_their_own_network(tmp_path: Path) -> None:
    overrides = ("model.backbone=resnet10t", "trainer.epochs=3")
    assert not any("released" in cell.name for cell in make_stages(plan_of(tmp_path, *overrides)))
    *_, released = make_stages(plan_of(tmp_path, *overrides, weights=tmp_path / "w.pth"))
    config = released.config
    assert config is not None
    assert released.name == "table1/dextr_released"
    assert (config.model.name, config.model.backbone) == ("dextr", "resnet101.tv_in1k")
    assert (config.model.dextr.weights, config.trainer.epochs) == (str(tmp_path / "w.pth"), 0)


@pytest.mark.parametrize("option", ["seed=3", "loss=maskwise", "model.share=none", "data.root=/x", "runs=/x"])
def test_options_that_the_rows_are_about_are_refused(tmp_path: Path, option: str) -> None:
    with pytest.raises(ConfigError, match=f"{option}: fullseg paper sets this option itself"):
        make_stages(plan_of(tmp_path, option))


def test_a_wrong_option_names_a_stage_and_the_right_one(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"table2/maskwise: .*'data.batch_siz'.*did you mean 'data.batch_size'"):
        make_stages(plan_of(tmp_path, "data.batch_siz=4"))
