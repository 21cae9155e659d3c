"""The README's example of Lightning runs, and every public name can be imported, without a cost before it is used."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from omegaconf import OmegaConf

import fullseg

if TYPE_CHECKING:
    from tests.tiny_runs import Runs

README = Path(__file__).parents[1] / "README.md"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_example_of_lightning_runs(
    runs: "Runs", tiny_data: Path, tiny_options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    [example] = [block for block in blocks if "L.Trainer" in block]
    assert len([line for line in example.splitlines() if line]) <= 10
    (tmp_path / "runs" / "default").mkdir(parents=True)
    (tmp_path / "runs" / "default" / "latest").symlink_to((runs.runs / "plain" / "latest").resolve())
    (tmp_path / "experiments").mkdir()
    options = OmegaConf.from_dotlist([*tiny_options, f"data.root={tiny_data}", "scribbles.workers=0"])
    OmegaConf.save(options, tmp_path / "experiments" / "default.yaml")
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    exec(example, names)
    assert names["trainer"].global_step == 4  # type: ignore[attr-defined]
    study = json.loads((tmp_path / "study" / "study.json").read_text())
    assert (study["checkpoint"], len(study["strategies"]["free"]["iou"])) == ("step 4", 3)


def test_the_example_of_the_predictor_segments_a_cup(monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    [example] = [block for block in blocks if "predictor.predict" in block]
    monkeypatch.chdir(README.parent)
    names: dict[str, Any] = {}
    exec(example, names)
    regions = [names["region_map"][y, x] for x, y in ((290, 150), (228, 260), (120, 250), (560, 300))]
    assert regions == [0, 0, 1, -1]  # coffee, scribble on the handle, saucer, table


def test_public_names_are_imported_when_they_are_used() -> None:
    for name in fullseg.__all__:
        assert getattr(fullseg, name) is not None
    code = "import sys, fullseg.__main__; print([name for name in ('torch', 'lightning') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
