"""Every experiment file really trains: one step with tiny settings."""

from pathlib import Path

import pytest
import yaml

from fullseg.config import load_config
from fullseg.training.run import train

FOLDER = Path(__file__).parent.parent / "experiments"
SWEEPS = sorted((FOLDER.parent / "sweeps").glob("*.yaml"))
EXPERIMENTS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_experiment_trains(path: Path, tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> None:
    options = [*tiny_options, "trainer.epochs=1", "trainer.validate_every=1", "scribbles.workers=0"]
    options += [f"data.root={tiny_data}", f"runs={tmp_path}"]
    config = load_config(path, options)
    if config.counterpart is not None:
        train(load_config(FOLDER / f"{config.counterpart}.yaml", options))
    result = train(config)

    assert result.folder.parent == tmp_path / path.relative_to(FOLDER).with_suffix("")
    assert 0 < result.after["iou"] <= 1
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()


@pytest.mark.parametrize("path", SWEEPS, ids=lambda path: path.name)
def test_every_cell_of_a_sweep_is_a_valid_configuration(path: Path) -> None:
    sweep = yaml.safe_load(path.read_text())
    experiment = next(part for part in sweep["command"] if part.endswith(".yaml"))
    fixed = [f"{key}={choice['value']}" for key, choice in sweep["parameters"].items() if "value" in choice]
    for key, choice in sweep["parameters"].items():
        for value in choice.get("values", []):
            config = load_config(FOLDER.parent / experiment, [*fixed, f"{key}={value}"])
            assert config.data.root or config.data.format == "scenes"  # else no cell runs as it stands
