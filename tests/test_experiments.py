"""Every experiment file really trains: one step with tiny settings. Every sweep is valid to its last cell."""

import re
from pathlib import Path

import pytest

from fullseg.config.load import load_config
from fullseg.sweeps.cells import make_cells
from fullseg.sweeps.file import read_sweep
from fullseg.training.run import train

FOLDER = Path(__file__).parent.parent / "experiments"
SWEEPS = sorted((FOLDER.parent / "sweeps").glob("*.yaml"))
EXPERIMENTS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_experiment_trains(path: Path, tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> None:
    options = [*tiny_options, "trainer.epochs=1", "trainer.validate_every=1", "scribbles.workers=0"]
    options += [f"data.root={tiny_data}", f"runs={tmp_path}", "data.train_split=train", "data.val_split=val"]
    options += ["model.dextr.input_size=32", "tracking.wandb=disabled"]
    if load_config(path).model.backbone.startswith("resnet"):  # the same stages, with a layer each
        options.append("model.backbone=resnet10t")
    config = load_config(path, options)
    if config.counterpart is not None:
        train(load_config(FOLDER / f"{config.counterpart}.yaml", options))
    result = train(config)

    assert result.folder.parent == tmp_path / path.relative_to(FOLDER).with_suffix("")
    assert 0 < result.after["iou"] <= 1
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()


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
