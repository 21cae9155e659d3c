"""The models that are known by name."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

import fullseg.model.released
from fullseg import Annotations, Predictor
from fullseg.errors import CheckpointError
from fullseg.model.released import DEFAULT, MODELS, WEIGHTS, released_file, released_models

LARGEST = 12_000_000  # bytes of all models that come with the package


def test_models_of_the_package_are_the_files_that_the_list_describes() -> None:
    embedded = [model for model in released_models() if model.url is None]
    assert DEFAULT in [model.name for model in embedded]
    assert {model.path.name for model in embedded} == {path.name for path in WEIGHTS.glob("*.ckpt")}
    for model in embedded:
        content = model.path.read_bytes()
        assert (len(content), hashlib.sha256(content).hexdigest()) == (model.size, model.sha256)
    assert sum(model.size for model in embedded) <= LARGEST


def test_the_released_model_segments_an_image_by_name() -> None:
    predictor = Predictor.from_checkpoint(DEFAULT)
    rng = np.random.default_rng(0)
    image = rng.integers(0, 40, (96, 128, 3), np.uint8)
    image[30:70, 40:100] += 180  # a bright rectangle
    predictor.set_image(image)
    points = np.array([[[40, 50], [70, 30], [99, 50], [70, 69]]], np.float32)
    found = predictor.predict(Annotations(points, []), partly=True) == 0
    truth = np.zeros((96, 128), bool)
    truth[30:70, 40:100] = True
    assert np.count_nonzero(found & truth) > 0.9 * np.count_nonzero(found | truth)


def test_a_model_that_is_not_here_yet_is_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    entry = {"name": "far", "about": "", "size": 1, "sha256": "", "url": "http://localhost/far.ckpt"}
    (tmp_path / MODELS).write_text(json.dumps([entry]))
    monkeypatch.setattr(fullseg.model.released, "WEIGHTS", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with pytest.raises(CheckpointError, match=r"fullseg model get far"):
        released_file("far")
    (tmp_path / "cache/fullseg/models").mkdir(parents=True)
    (tmp_path / "cache/fullseg/models/far.ckpt").touch()
    assert released_file("far") == tmp_path / "cache/fullseg/models/far.ckpt"
    assert released_file("farther") is None
