"""Every result records what it was made with."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fullseg.config.load import load_config
from fullseg.errors import ConfigError
from fullseg.report.page import write_report
from fullseg.runs.provenance import (
    PACKAGES,
    commit,
    machine,
    provenance,
    read_environment,
    weights_hash,
    write_provenance,
)
from tests.tiny_runs import Runs


@pytest.mark.slow
def test_the_run_folder_names_what_decides_its_bits(runs: Runs) -> None:
    folder = runs.runs / "interactive" / "latest"
    facts, packages = read_environment(folder / "environment.txt")
    assert (facts["commit"], facts["machine"], facts["device"]) == (commit(), machine(), "cpu")
    assert (facts["precision"], facts["ranks"], facts["threads"]) == ("32-true", "1", str(torch.get_num_threads()))
    assert facts["instructions"].split()[0] == torch.backends.cpu.get_cpu_capability()
    assert packages["torch"] == torch.__version__.split("+")[0]
    plain = torch.load(runs.runs / "plain" / "latest" / "checkpoints" / "best.ckpt", weights_only=True)
    weights = {key.removeprefix("segmenter."): value for key, value in plain["state_dict"].items()}
    assert facts["counterpart_weights"] == weights_hash(weights)


@pytest.mark.slow
def test_a_checkpoint_names_it_in_plain_values(runs: Runs) -> None:
    folder = runs.runs / "interactive" / "latest"
    named = torch.load(folder / "checkpoints" / "best.ckpt", weights_only=True)["provenance"]
    assert json.loads(json.dumps(named)) == named
    facts = read_environment(folder / "environment.txt").facts
    assert {key: str(value) for key, value in named.items() if key != "packages"} == facts
    assert list(named["packages"]) == list(PACKAGES)
    assert named["packages"]["numpy"] == np.__version__


@pytest.mark.slow
def test_strategies_of_several_calls_each_name_it(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("experiment=interactive", "seed=7")
    _, first = runs.study(*options, "study.strategies=[watershed]")
    monkeypatch.setattr("fullseg.runs.provenance.commit", lambda: "of another day")
    folder, second = runs.study(*options, "study.strategies=[free]", "data.workers=1")
    named = {name: entry["provenance"] for name, entry in second["strategies"].items()}
    assert named["watershed"] == first["strategies"]["watershed"]["provenance"]  # kept, although the commit has changed
    assert [named[name]["commit"] for name in ("watershed", "free")] == [commit(), "of another day"]
    assert named["free"]["val_hash"] == second["data"]
    assert named["free"]["evaluation_set"]["val_split"] == "val"
    shutil.copy(folder.parent.parent / "config.yaml", folder)
    assert f"free allocation: commit of another day, {machine()}, 32-true, data {second['data']}" in (
        write_report([folder], None).read_text()
    )


@pytest.mark.slow
def test_wandb_has_it_under_one_key(runs: Runs) -> None:
    study, _ = runs.study("experiment=plain", "seed=8", "study.strategies=[watershed]", "tracking.wandb=offline")
    [folder] = (study / "wandb").glob("offline-run-*")
    command = [Path(sys.executable).parent / "wandb", "leet", "inspect", "--json", folder]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert '"provenance"' in output
    assert commit() in output


def test_weights_are_told_apart_by_a_bit() -> None:
    weights = {"a": torch.tensor([0.0, 1.0]), "b": torch.tensor(3)}
    assert weights_hash(weights) == weights_hash(dict(reversed(weights.items())))
    assert weights_hash(weights) != weights_hash({**weights, "a": torch.tensor([-0.0, 1.0])})
    assert weights_hash(weights) != weights_hash({**weights, "b": torch.tensor([3])})


def test_what_a_resumed_run_was_made_with_before_stays(tmp_path: Path) -> None:
    config = load_config(None)
    facts = {"commit": "old", "val_hash": "x", "packages": {"torch": "1"}}
    write_provenance(tmp_path, config, facts, None)
    write_provenance(tmp_path, config, facts, 5)  # nothing has changed
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.yaml", "environment.txt"]
    write_provenance(tmp_path, config, {**facts, "commit": "new"}, 7)
    write_provenance(tmp_path, config, {**facts, "commit": "newer"}, 7)
    assert read_environment(tmp_path / "environment_until_step_7.txt").facts["commit"] == "old"
    assert read_environment(tmp_path / "environment.txt").facts["commit"] == "newer"


def test_a_gpu_is_named_with_its_software(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "fullseg.runs.provenance._output", lambda command: "570.1\n570.1" if "smi" in command[0] else ""
    )
    trainer = SimpleNamespace(
        strategy=SimpleNamespace(root_device=torch.device("cuda:0")), precision="bf16-mixed", world_size=2
    )
    data = SimpleNamespace(fingerprint=lambda: {"val_hash": "x"})
    facts = provenance(trainer, data)  # type: ignore[arg-type]
    assert (facts["device"], facts["driver"], facts["precision"], facts["ranks"]) == ("cuda", "570.1", "bf16-mixed", 2)
    assert {"cuda", "cudnn"} <= set(facts)


def test_a_damaged_environment_is_named(tmp_path: Path) -> None:
    path = tmp_path / "environment.txt"
    path.write_text("commit: abc\n")
    with pytest.raises(ConfigError, match=r"environment.txt is damaged: no val_hash, no packages in it; restore"):
        read_environment(path)
