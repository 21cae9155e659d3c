"""A released model: what its file holds, and that every command takes it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import fullseg.training.release
from fullseg import Annotations, Predictor
from fullseg.__main__ import main
from fullseg.errors import ConfigError
from fullseg.runs.find import BEST
from fullseg.training.release import release
from tests.tiny_runs import Runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def released(studied: tuple[Path, dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("released") / "small.ckpt"
    result = release(str(studied[0]), out)
    assert result.path == out
    assert (result.images, result.half) == (3, result.same >= 0.999)
    return out


def test_the_file_holds_half_the_bytes_and_says_where_it_comes_from(
    released: Path, studied: tuple[Path, dict[str, Any]], runs: Runs
) -> None:
    content = torch.load(released, weights_only=True)
    original = torch.load(studied[0] / BEST, weights_only=True)
    for name, weights in content["state_dict"].items():
        expected = original["state_dict"][name]
        torch.testing.assert_close(weights, expected.half() if expected.is_floating_point() else expected)
    assert released.stat().st_size < 0.3 * (studied[0] / BEST).stat().st_size
    assert str(runs.runs) not in json.dumps(content, default=str)  # no folder of this machine
    about = content["release"]
    assert about["commit"] == original["provenance"]["commit"]
    assert about["scores"][0]["images"] == 3
    assert about["scores"][0]["strategies"]["free"]["iou"][-1] == pytest.approx(
        studied[1]["strategies"]["free"]["iou"][-1], abs=1e-4
    )
    assert about["scores"][0]["strategies"]["free"]["eta_of_all_rounds"] == pytest.approx(
        studied[1]["strategies"]["free"]["eta_of_all_rounds"], abs=1e-4
    )


def test_every_command_takes_it(released: Path, runs: Runs) -> None:
    folder, content = runs.study(f"checkpoint={released}", "study.strategies=[free]", "counterpart=none")
    assert folder == runs.runs / "small"  # beside no file of the model
    assert len(content["strategies"]["free"]["iou"]) == 3
    result = runs.train("experiment=continued", f"counterpart={released}", "scribbles.rounds=1", "trainer.epochs=0")
    weights = torch.load(result.folder / BEST, weights_only=True)["state_dict"]
    start = torch.load(released, weights_only=True)["state_dict"]
    assert all(torch.equal(weights[name], value.to(weights[name].dtype)) for name, value in start.items())
    predictor = Predictor.from_checkpoint(released)
    predictor.set_image(np.zeros((32, 32, 3), np.uint8))
    points = np.array([[[2, 9], [9, 2], [30, 9], [9, 30]]], np.float32)
    assert predictor.predict(Annotations(points, [])).shape == (32, 32)


def test_weights_whose_rounding_changes_labels_stay_in_single_precision(
    studied: tuple[Path, dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fullseg.training.release, "SAME", 1.1)  # more than all pixels
    result = release(str(studied[0]), tmp_path / "whole.ckpt")
    assert not result.half
    content = torch.load(result.path, weights_only=True)
    original = torch.load(studied[0] / BEST, weights_only=True)["state_dict"]
    assert all(torch.equal(original[name], value) for name, value in content["state_dict"].items())


def test_mistakes_are_named(released: Path, runs: Runs, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match=r"--out .*small.ckpt exists already"):
        release(str(runs.runs / "interactive" / "latest"), released)
    assert main(["release", str(released), "--out", str(tmp_path / "x.ckpt")]) == 2
    assert "is no run folder, it has no config.yaml" in capsys.readouterr().err
