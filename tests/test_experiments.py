"""Every experiment file really trains: one step with tiny settings. Every sweep is valid to its last cell."""

import re
from pathlib import Path

import pytest
import timm

from fullseg.config.load import load_config
from fullseg.config.schema import epochs_between_evaluations
from fullseg.sweeps.cells import make_cells
from fullseg.sweeps.file import read_sweep
from fullseg.training.run import train

FOLDER = Path(__file__).parent.parent / "experiments"
FOLDERS = ("table1", "table2", "fig5", "bsds500", "beyond", "backbones")
SIBLINGS = {
    "resnet": "resnet10t",
    "convnext": "test_convnext",
    "vit_small_patch16": "vit_tiny_patch16_dinov3_qkvb",
}  # smaller
PUBLISHED = [path for name in FOLDERS for path in sorted((FOLDER / name).glob("*.yaml"))]
SWEEPS = sorted((FOLDER.parent / "sweeps").glob("*.yaml"))
EXPERIMENTS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_experiment_trains(path: Path, tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> None:
    options = [*tiny_options, "trainer.epochs=1", "trainer.validate_every=1", "scribbles.workers=0"]
    options += [f"data.root={tiny_data}", f"runs={tmp_path}", "data.train_split=train", "data.val_split=val"]
    options += ["model.dextr.input_size=32", "tracking.wandb=disabled"]
    backbone = load_config(path).model.backbone
    options += [f"model.backbone={small}" for family, small in SIBLINGS.items() if backbone.startswith(family)]
    config = load_config(path, options)
    if config.counterpart is not None:
        train(load_config(FOLDER / f"{config.counterpart}.yaml", options))
    result = train(config)

    assert result.folder.parent == tmp_path / path.relative_to(FOLDER).with_suffix("")
    assert 0 < result.after["iou"] <= 1
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize("path", PUBLISHED, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_epoch_is_chosen_on_the_images_that_are_reported(path: Path) -> None:
    for epochs in (1, 7, 50):
        trainer = load_config(path, [f"trainer.epochs={epochs}"]).trainer
        assert epochs_between_evaluations(trainer) == epochs  # one evaluation, at the end


@pytest.mark.parametrize("path", [path for path in PUBLISHED if path.parent.name in ("table1", "table2", "fig5")])
def test_the_papers_experiments_start_from_the_resnet_of_the_time(path: Path) -> None:
    backbone = load_config(path).model.backbone
    assert backbone in timm.list_pretrained()
    assert backbone == f"resnet{101 if path.parent.name == 'table1' else 50}.tv_in1k"
    config = timm.get_pretrained_cfg(backbone)
    assert config is not None
    assert "download.pytorch.org" in config.url  # torchvision's first weights


@pytest.mark.parametrize("name", ["full_image_scribble", "single_region_scribble"])
def test_fig_5_has_nine_rounds_of_scribbles_that_only_inform(name: str) -> None:
    study = load_config(FOLDER / "fig5" / f"{name}.yaml").study
    assert (study.rounds, study.hold_scribbles) == (9, False)


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_every_cell_of_a_sweep_is_a_valid_configuration(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER.parent)  # where the sweeps' commands find their experiment
    for cell in make_cells(read_sweep(path), [], None, tmp_path):  # an error names the cell
        assert cell.config is not None
        assert cell.config.data.root or cell.config.data.format == "scenes"  # else no cell runs as it stands


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_a_sweep_may_run_on_photographs(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER.parent)
    text = path.read_text()
    assert f"make sweep SWEEP={path.stem}\n" in text
    [name] = set(re.findall(r"SWEEP=.* EXPERIMENT=((?:bsds500|beyond)/\w+) DATA=/path/to/BSDS500", text))
    cells = make_cells(read_sweep(path), ["data.root=/d"], FOLDER / f"{name}.yaml", tmp_path)
    assert {(cell.config.data.format, cell.config.data.root) for cell in cells if cell.config} == {("bsds500", "/d")}
