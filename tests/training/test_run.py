"""Whole runs: the files that they leave, how they go on, and that only the seed decides on their result."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import save_file

from fullseg import Predictor
from fullseg.config.load import load_config
from fullseg.errors import ConfigError, WeightsError
from fullseg.formats.annotation_file import read_annotations
from fullseg.runs.folder import Result
from fullseg.runs.stopping import Interrupted
from fullseg.training.callbacks import Throughput
from fullseg.training.run import train

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tiny_data: Path, tiny_options: list[str], tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return a function that trains with the tiny settings and further overrides."""

    def run(*overrides: str, runs: Path | None = None, wandb: str = "disabled") -> Result:
        runs = runs or tmp_path_factory.mktemp("runs")
        options = [
            *tiny_options,
            "trainer.epochs=3",
            f"data.root={tiny_data}",
            f"runs={runs}",
            f"tracking.wandb={wandb}",
            *overrides,
        ]
        return train(load_config(None, options))

    return run


@pytest.fixture(scope="module")
def finished(run: Any) -> Result:
    result: Result = run(wandb="auto")
    return result


def test_leaves_a_complete_run_folder(finished: Result) -> None:
    folder = finished.folder
    names = {path.name for path in folder.iterdir()}
    assert names >= {"config.yaml", "checkpoints", "metrics.csv", "figures", "environment.txt", "summary.json", "wandb"}
    assert (folder.parent / "latest").resolve() == folder.resolve()
    assert {path.name for path in (folder / "checkpoints").iterdir()} == {"best.ckpt", "last.ckpt"}
    assert load_config(folder / "config.yaml").model.head_channels == 8
    environment = (folder / "environment.txt").read_text()
    for line in ("commit: ", "command: ", "machine: ", "val_hash: ", "torch=="):
        assert line in environment
    assert len(list((folder / "figures").glob("*.png"))) == 1


def test_training_helps_even_a_little_model(run: Any) -> None:
    result = run(
        "data.val_split=train",
        "data.common_images=true",
        "data.crop_size=128",
        "trainer.epochs=30",
        "trainer.validate_every=30",
        "model.feature_channels=16",
        "model.head_channels=16",
        "model.pretrained=true",
        "optimizer.learning_rate=5e-3",
        "seed=1",
    )
    assert result.after["iou"] > result.before["iou"] + 0.05


def test_metrics_file_has_what_was_logged(finished: Result) -> None:
    logged = rows(finished.folder)
    evaluations = [row for row in logged if row["val/iou"]]
    assert [int(row["step"]) for row in evaluations] == [0, 3, 7, 11]  # before training, and after each epoch
    assert float(evaluations[0]["val/iou"]) == pytest.approx(finished.before["iou"])
    assert float(evaluations[-1]["val/iou"]) == pytest.approx(finished.after["iou"])
    training = next(row for row in logged if row["train/loss"])
    assert 0 <= float(training["train/data_wait"]) <= 1
    assert float(training["train/images_per_second"]) > 0
    assert float(training["lr-AdamW/head"]) > 0


def test_wandb_has_the_same_numbers_offline(finished: Result) -> None:
    [folder] = (finished.folder / "wandb").glob("offline-run-*")
    command = [Path(sys.executable).parent / "wandb", "leet", "inspect", "--json", folder]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in output.splitlines()]
    history = [str(record["history"]) for record in records if record["type"] == "history"]
    for row in rows(finished.folder):
        if row["val/iou"]:
            assert any(row["val/iou"] in line for line in history), row
    text = json.dumps([record for record in records if record["type"] in ("run", "config")])
    for part in ('"head_channels": 8', '"data_fingerprint"', '"val_hash"'):
        assert part in text
    assert sum("masks" in line for line in history) == 4  # a picture after each of four evaluations


def test_checkpoint_holds_plain_values_and_the_example_can_be_predicted(finished: Result) -> None:
    checkpoint = torch.load(finished.folder / "checkpoints" / "last.ckpt", weights_only=True)
    assert plain_only(checkpoint["hyper_parameters"])
    assert checkpoint["hyper_parameters"]["config"]["model"]["head_channels"] == 8
    predictor = Predictor.from_checkpoint(finished.folder)
    image = np.array(Image.open(finished.folder / "example.png").convert("RGB"))
    annotations = read_annotations(finished.folder / "example.json")
    predictor.set_image(image)
    region_map = predictor.predict(annotations)
    assert region_map.max() == len(annotations.extreme_points) - 1


def test_same_seed_same_weights_whatever_the_workers(run: Any) -> None:
    first, second, other = run(), run("data.workers=2"), run("seed=1")
    assert weights(first.folder) == weights(second.folder)
    assert weights(first.folder) != weights(other.folder)
    assert first.after["iou"] == second.after["iou"]


SESSIONS = ("scribbles.rounds=3", "scribbles.workers=0", "trainer.epochs=6")
AVERAGED = ("trainer.ema=0.9",)


@pytest.mark.parametrize(
    ("step", "options"),
    [(3, ()), (4, ()), (6, ()), (7, SESSIONS), (8, SESSIONS), (18, SESSIONS), (3, AVERAGED), (8, AVERAGED)],
    ids=[
        "in an epoch",
        "at an epoch's end",
        "in the next",
        "in sessions",
        "at an epoch's end in sessions",
        "later in sessions",
        "averaged in an epoch",
        "averaged at an epoch's end",
    ],
)
def test_ctrl_c_and_resume_continue_exactly(
    run: Any,
    step: int,
    options: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = run(*options)
    original = Throughput.on_train_batch_end

    def press_ctrl_c(self: Throughput, trainer: Any, *arguments: Any) -> None:
        original(self, trainer, *arguments)
        if trainer.global_step == step:
            os.kill(os.getpid(), signal.SIGINT)

    monkeypatch.setattr(Throughput, "on_train_batch_end", press_ctrl_c)
    with pytest.raises(Interrupted, match="go on exactly from there with resume="):
        run(*options, runs=tmp_path)
    monkeypatch.undo()
    resumed = run(*options, "resume=latest", runs=tmp_path)

    assert len(list(resumed.folder.parent.iterdir())) == 2  # the run and 'latest'
    assert weights(resumed.folder) == weights(whole.folder)
    assert [(r["step"], r["train/loss"], r["val/iou"]) for r in rows(resumed.folder)] == [
        (r["step"], r["train/loss"], r["val/iou"]) for r in rows(whole.folder)
    ]
    assert resumed.before["iou"] == whole.before["iou"]


def test_no_epoch_keeps_the_model_that_it_starts_with(run: Any) -> None:
    result = run("trainer.epochs=0")
    np.testing.assert_equal(result.after, result.before)
    first, last = (
        torch.load(result.folder / "checkpoints" / f"{name}.ckpt", weights_only=True) for name in ("best", "last")
    )
    assert first["global_step"] == last["global_step"] == 0
    again = run("trainer.epochs=0", "seed=0")
    other = torch.load(again.folder / "checkpoints" / "best.ckpt", weights_only=True)["state_dict"]
    assert all(torch.equal(value, other[key]) for key, value in first["state_dict"].items())
    Predictor.from_checkpoint(result.folder)


def test_no_epoch_goes_on_with_the_model_that_it_kept(run: Any, tmp_path: Path) -> None:
    options = ("trainer.epochs=0", "run_id=a", "resume=auto")
    first = run(*options, runs=tmp_path)
    kept = first.folder / "checkpoints" / "best.ckpt"
    written = kept.read_bytes()
    again = run(*options, "seed=1", runs=tmp_path)
    other = run("trainer.epochs=0", "seed=1")

    assert kept.read_bytes() == written  # a second start does not replace it
    gaps = [abs(result.after["iou"] - first.after["iou"]) for result in (again, other)]
    assert gaps[0] < 1e-3 < gaps[1]  # another seed also breaks ties of extreme points in another way


def test_a_finished_run_resumes_to_the_same_result(run: Any, tmp_path: Path) -> None:
    first = run(runs=tmp_path)
    again = run("resume=latest", runs=tmp_path)
    assert again.after["iou"] == first.after["iou"]
    assert weights(again.folder) == weights(first.folder)


def test_weights_of_a_file_are_the_start_and_never_needed_again(run: Any, tmp_path: Path) -> None:
    torch.manual_seed(3)
    network, path = timm.create_model("test_vit"), tmp_path / "test_vit.safetensors"
    save_file(network.state_dict(), path)
    options = ("model.backbone=test_vit", "model.pretrained=true", f"model.weights={path}", "trainer.epochs=1")
    options += ("optimizer.backbone_learning_rate=0",)
    first = run(*options, runs=tmp_path / "runs")
    state = torch.load(first.folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    prefix = "segmenter.backbone.body.model."
    assert torch.equal(state[f"{prefix}blocks.5.mlp.fc1.weight"], network.state_dict()["blocks.5.mlp.fc1.weight"])

    path.unlink()
    Predictor.from_checkpoint(first.folder)
    resumed = run(*options, "trainer.epochs=2", "resume=latest", runs=tmp_path / "runs")
    others = [option for option in options if not option.startswith(("model.weights", "model.pretrained"))]
    assert run(*others, "trainer.epochs=3", "resume=latest", runs=tmp_path / "runs").folder == first.folder
    assert resumed.folder == first.folder
    with pytest.raises(WeightsError, match=rf"model.weights={path}: no such file.*model.backbone=test_vit"):
        run(*options, runs=tmp_path / "runs")


def test_nothing_to_resume_is_named(run: Any, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"resume=latest: no checkpoint .*last.ckpt; leave resume out"):
        run("resume=latest", runs=tmp_path)


def test_two_processes_score_and_train_as_one(tiny_data: Path, tiny_options: list[str], tmp_path: Path) -> None:
    """Three evaluation images on two ranks: one rank has two of them, and each image must count once."""
    torchrun = [
        "-m",
        "torch.distributed.run",
        "--nproc-per-node=2",
        "--rdzv-backend=c10d",
        "--rdzv-endpoint=localhost:0",
    ]
    starts = {
        "lightning": ([], ["trainer.devices=2"]),
        "torchrun": (torchrun, []),
    }
    options = [*tiny_options, "trainer.epochs=1", f"data.root={tiny_data}"]
    alone = [*options, "trainer.devices=1", "data.batch_size=4", f"runs={tmp_path}"]
    scores = {"one": scores_of(train(load_config(ROOT / "experiments" / "default.yaml", alone)).folder)}
    for name, (launcher, ranks) in starts.items():
        command = [sys.executable, *launcher, "-m", "fullseg", "train", "experiments/default.yaml", *options, *ranks]
        command += ["data.batch_size=4", f"runs={tmp_path / name}"]
        environment = {**os.environ, "MASTER_ADDR": "127.0.0.1"}
        result = subprocess.run(command, check=True, cwd=ROOT, env=environment, capture_output=True, text=True)
        assert result.stdout.count("run folder") == 1
        [folder] = (path for path in (tmp_path / name / "default").iterdir() if path.name != "latest")
        assert len(list((folder / "wandb").glob("offline-run-*"))) == 1
        scores[name] = scores_of(folder)
    assert scores["lightning"] == scores["torchrun"]
    one, two = scores["one"], scores["lightning"]
    assert {"val/regions", "val/class_accuracy", "val/iou_box_filling", "val/iou_small"} <= set(one[0])
    assert one[0] == two[0]
    assert float(one[-1]["val/iou"]) == pytest.approx(float(two[-1]["val/iou"]), abs=2e-3)  # sums in another order


def rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open() as file:
        return list(csv.DictReader(file))


def scores_of(folder: Path) -> list[dict[str, str]]:
    """Return all metrics that evaluations have logged, without times."""
    kept = [{k: v for k, v in row.items() if v and "seconds" not in k and "epoch" not in k} for row in rows(folder)]
    return [row for row in kept if "val/iou" in row]


def weights(folder: Path) -> dict[str, list[float]]:
    state = torch.load(folder / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return {key: value.flatten().tolist() for key, value in state.items() if "convolutions" in key or "stem" in key}


def plain_only(value: object) -> bool:
    if isinstance(value, dict):
        return all(type(key) is str and plain_only(item) for key, item in value.items())
    if isinstance(value, list):
        return all(plain_only(item) for item in value)
    return value is None or type(value) in (str, int, float, bool)
