"""Every experiment file really trains: one step with tiny settings."""

from pathlib import Path

import pytest

from fullseg.config import load_config
from fullseg.training.run import train

FOLDER = Path(__file__).parent.parent / "experiments"
EXPERIMENTS = sorted(FOLDER.rglob("*.yaml"))


@pytest.mark.slow
@pytest.mark.parametrize("path", EXPERIMENTS, ids=lambda path: str(path.relative_to(FOLDER)))
def test_every_experiment_trains(path: Path, tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> None:
    result = train(load_config(path, [*tiny_options, "trainer.epochs=1", f"data.root={tiny_data}", f"runs={tmp_path}"]))

    assert result.folder.parent == tmp_path / path.relative_to(FOLDER).with_suffix("")
    assert 0 < result.after["iou"] <= 1
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()
