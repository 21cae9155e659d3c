"""The study as users run it: after and during training, on several ranks. The number of workers changes no bit."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from fullseg.training.study_callback import Study
from tests.tiny_runs import Runs, tables

pytestmark = pytest.mark.slow


def test_writes_what_the_schema_says(studied: tuple[Path, dict[str, Any]], runs: Runs) -> None:
    run = studied[0]
    assert run == (runs.runs / "interactive" / "latest").resolve()
    folder, content = runs.study("experiment=interactive", "study.single_region=single", "seed=6")  # a seed of its own
    assert folder == run / "studies" / "seed=6"
    assert json.loads((folder / "study.json").read_text()) == content
    assert (content["experiment"], content["dataset"], content["images"], content["seed"]) == (
        "interactive",
        "coco_panoptic",
        3,
        6,
    )
    assert content["checkpoint"] == str(run / "checkpoints" / "best.ckpt")
    assert content["counterpart"] == str((runs.runs / "plain" / "latest").resolve() / "checkpoints" / "best.ckpt")
    assert list(content["strategies"]) == ["per_region", "free", "frozen", "single_region"]
    for name, strategy in content["strategies"].items():
        keys = ("scribbles_per_region", "iou", "iou_ci95", "boundary_iou", "panoptic_quality")
        keys += ("eta", "mended_share", "damage", "scribble_length_median")
        keys += ("pixel_error", "error_at_boundary", "iou_if_boundary_mended", "iou_if_inside_mended")
        assert all(len(strategy[key]) == 3 for key in keys)
        assert strategy["scribbles_per_region"][0] == 0
        table = pq.read_table(folder / strategy["per_image"])
        assert table.num_rows == 3 * content["regions"], name
        scribbles = strategy["scribbles_per_region"][-1] * content["regions"]
        assert pq.read_table(folder / strategy["per_scribble"]).num_rows == pytest.approx(scribbles)
        assert strategy["seconds_per_round"] > 0
    for name in ("fig5", "fig6", "worst_regions"):
        assert (folder / "figures" / f"{name}.png").stat().st_size > 1000


def test_round_0_is_the_counterparts_evaluation_and_later_rounds_are_not(
    studied: tuple[Path, dict[str, Any]], runs: Runs
) -> None:
    summary = json.loads((runs.runs / "plain" / "latest" / "summary.json").read_text())
    free = studied[1]["strategies"]["free"]
    # Another number of threads may change a pixel.
    assert free["iou"][0] == pytest.approx(summary["after"]["iou"], abs=1e-4)
    assert studied[1]["strategies"]["single_region"]["iou"][0] != free["iou"][0]
    alone = runs.study("experiment=interactive", "counterpart=none", "study.strategies=[free]")[1]["strategies"]["free"]
    interactive = json.loads((runs.runs / "interactive" / "latest" / "summary.json").read_text())
    assert alone["iou"][0] == pytest.approx(interactive["after"]["iou"], abs=1e-4)
    assert alone["iou"][0] != pytest.approx(free["iou"][0], abs=1e-3)


def test_same_bits_whatever_the_workers(runs: Runs) -> None:
    options = ("experiment=interactive", "study.strategies=[free,per_region]")
    folder, one = runs.study(*options, "study.workers=1")
    alone = tables(folder, one)
    folder, three = runs.study(*options, "study.workers=3", "data.workers=1")
    assert tables(folder, three) == alone
    folder, turned = runs.study("experiment=interactive", "study.strategies=[frozen,per_region,free]")
    assert {name: tables(folder, turned)[name] for name in alone} == alone  # nor does an earlier annotation change it
    folder, other = runs.study(*options, "seed=1")
    assert tables(folder, other) != alone


def test_same_bits_on_two_ranks_with_each_image_once(runs: Runs) -> None:
    options = ("experiment=interactive", "study.strategies=[free]", "study.workers=1")
    folder, one = runs.study(*options)
    alone = tables(folder, one)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "fullseg", "study", str(Path("experiments/default.yaml").resolve())]
    command += [*runs.options, *options, "trainer.devices=2"]
    environment = {**os.environ, "MASTER_PORT": str(port)}
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert result.returncode == 0, result.stderr[-2000:]
    assert "Traceback" not in result.stderr  # on none of the two ranks
    two = json.loads((folder / "study.json").read_text())
    assert (two["images"], two["regions"]) == (3, one["regions"])
    assert tables(folder, two) == alone
    assert two["strategies"]["free"]["iou"] == one["strategies"]["free"]["iou"]


def test_training_studies_every_kth_evaluation_and_keeps_the_best_by_it(runs: Runs) -> None:
    result = runs.train(
        "experiment=inside",
        "trainer.epochs=4",
        "study.every=2",
        "study.strategies=[free,per_region,frozen,single_region]",
        "tracking.wandb=offline",
    )
    lines = (result.folder / "metrics.csv").read_text().splitlines()
    column = lines[0].split(",").index("val/per_region_auc")
    values = [line.split(",")[column] for line in lines[1:] if line.split(",")[column]]
    assert len(values) == 2
    assert "per_region_auc" in result.after
    content = json.loads((result.folder / "study.json").read_text())
    assert list(content["strategies"]) == ["free", "per_region"]
    assert content["strategies"]["per_region"]["auc"] == pytest.approx(float(values[-1]))
    free = content["strategies"]["free"]
    assert result.after["free_eta"] == pytest.approx(free["eta_of_all_rounds"])
    at_2 = result.after.get("free_iou_at_2")  # unless all rounds together have fewer scribbles
    expected = np.interp(2, free["scribbles_per_region"], free["iou"])
    assert at_2 == (pytest.approx(expected) if free["scribbles_per_region"][-1] >= 2 else None)
    best = torch.load(result.folder / "checkpoints" / "best.ckpt", weights_only=True)
    assert best["global_step"] in (8, 16)
    [folder] = (result.folder / "wandb").glob("offline-run-*")
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(folder)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records = [json.loads(line) for line in output.splitlines()]
    history = [str(record["history"]) for record in records if record["type"] == "history"]
    assert not any("study/free/iou" in line for line in history)  # two studies on one line would draw a zigzag
    for step in (8, 16):
        assert sum(f"study/step_{step}/free/iou" in line for line in history) == 3


@pytest.mark.parametrize(
    ("after_training_starts", "during", "epoch", "begins"),
    [
        (True, "fit", 0, False),
        (True, "fit", 1, True),
        (True, "fit", 2, False),
        (True, "fit", 3, True),
        (True, "validate", 1, False),  # the evaluation before training
        (False, "validate", 0, True),
    ],
)
def test_every_kth_evaluation_of_training_is_studied_whenever_it_was_resumed(
    tmp_path: Path, after_training_starts: bool, during: str, epoch: int, begins: bool
) -> None:
    callback = Study(tmp_path, after_training_starts=after_training_starts, every=2, workers=1)
    state = {"sanity_checking": False, "current_epoch": epoch, "check_val_every_n_epoch": 1}
    trainer = SimpleNamespace(state=SimpleNamespace(fn=during), **state)
    callback.on_validation_start(trainer, SimpleNamespace(device=torch.device("meta")))  # type: ignore[arg-type]
    assert (callback._pool is not None) == begins


def test_a_run_shorter_than_its_first_evaluation_is_evaluated_at_its_end(runs: Runs) -> None:
    result = runs.train("experiment=short", "trainer.validate_every=8")
    assert (result.folder / "checkpoints" / "best.ckpt").is_file()
