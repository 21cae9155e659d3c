"""Tiny models and their studies. They are trained once for all tests of a process."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest

from fullseg.config.load import load_config
from fullseg.config.schema import Config

if TYPE_CHECKING:
    from fullseg.runs.folder import Result


class Runs:
    """Trains tiny models and studies them, all in one folder."""

    def __init__(self, runs: Path, options: list[str], data: Path) -> None:
        self.runs = runs
        self.options = [*options, f"data.root={data}", f"runs={runs}", "tracking.wandb=disabled", "study.rounds=2"]
        self.options += ["trainer.epochs=1", "scribbles.workers=0", "study.bootstrap=50"]

    def config(self, *overrides: str) -> Config:
        return load_config(None, [*self.options, *overrides])

    def train(self, *overrides: str) -> "Result":
        from fullseg.training.run import train  # Lightning takes seconds to import, and most tests do not need it

        return train(self.config(*overrides))

    def study(self, *overrides: str) -> tuple[Path, dict[str, Any]]:
        from fullseg.training.run_study import study

        return study(self.config(*overrides))


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory, tiny_options: list[str], tiny_data: Path) -> Runs:
    runs = Runs(tmp_path_factory.mktemp("runs"), tiny_options, tiny_data)
    runs.train("experiment=plain")
    runs.train("experiment=single", "loss=maskwise", "model.share=none")
    runs.train("experiment=interactive", "counterpart=plain", "scribbles.max_scribbles=2")
    return runs


@pytest.fixture(scope="session")
def studied(runs: Runs) -> tuple[Path, dict[str, Any]]:
    return runs.study("experiment=interactive", "study.single_region=single", "study.workers=2")


def tables(folder: Path, study_: dict[str, Any]) -> dict[str, Any]:
    return {
        name: [pq.read_table(folder / entry[table]).to_pydict() for table in ("per_image", "per_scribble")]
        for name, entry in study_["strategies"].items()
    }
