"""The content of an offline W&B run is read back and compared with the files of the run folder."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import lightning as L
import pytest
import wandb
from lightning.pytorch.loggers import WandbLogger

from fullseg.runs.folder import Result
from fullseg.tracking import artifacts
from fullseg.tracking.wandb_run import X_AXES
from tests.tiny_runs import Runs
from tests.tracking.test_dashboard import keys_of
from tests.training.test_run import rows

pytestmark = pytest.mark.slow
OFFLINE = ("tracking.wandb=offline",)


@pytest.fixture(scope="module")
def trained(runs: Runs) -> Result:
    return runs.train(
        "experiment=tracked",
        "counterpart=plain",
        "scribbles.max_scribbles=1",
        "trainer.epochs=3",
        *OFFLINE,
        "tracking.pictures=3",
    )


@pytest.fixture(scope="module")
def studied(trained: Result, runs: Runs) -> tuple[Path, dict[str, Any]]:
    checkpoint = trained.folder / "checkpoints" / "best.ckpt"
    options = ("experiment=tracked", f"checkpoint={checkpoint}", "study.strategies=[free,frozen]")
    return runs.study(*options, *OFFLINE)


def read(folder: Path, job: str) -> dict[str, list[Any]]:
    """Return the records of an offline run by kind. Each record of its history is a dict."""
    [found] = [
        run for run in (folder / "wandb").glob("offline-run-*") if run.name.endswith("-study") == (job == "study")
    ]
    command = [str(Path(sys.executable).parent / "wandb"), "leet", "inspect", "--json", str(found)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    records: dict[str, list[Any]] = {}
    for record in (json.loads(line) for line in output.splitlines()):
        content = record[record["type"]]
        records.setdefault(record["type"], []).append(content["item"] if record["type"] == "history" else content)
    return records


def test_holds_every_number_of_metrics_csv(trained: Result) -> None:
    history = read(trained.folder, "train")["history"]
    for column in set(rows(trained.folder)[0]) - {"step", "epoch"}:
        expected = [float(row[column]) for row in rows(trained.folder) if row[column]]
        found = [float(record[column]) for record in history if column in record]
        assert found == pytest.approx(expected, rel=1e-6, nan_ok=True), column
    for section in ("Quality", "Training"):
        shown = {key for key in keys_of(section) if "_auc" not in key and "independent" not in key}
        assert shown - {"lr-AdamW/backbone", "train/class_loss"} <= set(rows(trained.folder)[0]), section


@pytest.mark.parametrize("job", ["train", "study"])
@pytest.mark.usefixtures("studied")
def test_charts_have_their_x_axes(trained: Result, job: str) -> None:
    defined = read(trained.folder, job)["metric"]
    axes = {record.get("name") or record["glob_name"]: record.get("step_metric") for record in defined}
    for names, x_axis in X_AXES.items():
        assert axes[names] == x_axis
        assert x_axis in axes  # W&B must know the axis itself, too


def test_holds_the_same_images_with_masks_after_every_evaluation(trained: Result) -> None:
    history = read(trained.folder, "train")["history"]
    for number in range(3):
        key = f"val/picture_{number}"
        assert key in keys_of("Pictures")
        found = [record for record in history if f"{key}.masks" in record or f"{key}.all_masks" in record]
        assert len(found) == 4
        assert len({str(record[f"{key}.captions"]) for record in found}) == 1
        assert [record["trainer/global_step"] for record in found] == [0, 4, 8, 12]


def test_holds_the_study_with_strategies_overlaid_and_tables(studied: tuple[Path, dict[str, Any]]) -> None:
    folder, content = studied
    records = read(folder, "study")
    for name, strategy in content["strategies"].items():
        for key in ("iou", "boundary_iou", "panoptic_quality", "eta", "error_at_boundary"):
            assert f"study/{name}/{key}" in keys_of("Corrections")
            found = [record for record in records["history"] if f"study/{name}/{key}" in record]
            known = [number for number, value in enumerate(strategy[key]) if value is not None]  # eta has none at first
            expected = [strategy[key][number] for number in known]
            assert [record[f"study/{name}/{key}"] for record in found] == pytest.approx(expected)
            x = [record["study/scribbles_per_region"] for record in found]
            assert x == pytest.approx([strategy["scribbles_per_region"][number] for number in known])
    keys = {key for record in records["history"] for key in record}
    for key in ("study/curves_table", "study/by_size", "study/by_class", "figures/fig5"):
        assert any(found.startswith(key) for found in keys), key


def test_keeps_what_was_made_from_what(trained: Result, studied: tuple[Path, dict[str, Any]], runs: Runs) -> None:
    last, made = read(trained.folder, "train")["artifact"]
    for artifact, name in ((last, "last"), (made, "best")):
        assert (artifact["type"], artifact["manifest"]["contents"][0]["path"]) == ("model", f"{name}.ckpt")
        assert set(artifact["aliases"]) == {name, "latest"}
    lineage = lineage_of(read(trained.folder, "train"))
    counterpart = next((runs.runs / "plain").glob("*/checkpoints/best.ckpt"))
    assert lineage["counterpart"] == name_of(artifacts.checkpoint_artifact(counterpart))
    of_study = lineage_of(read(studied[0], "study"))
    assert of_study["checkpoint"] == f"{made['name']}@{made['digest']}"  # the same file that training made
    assert of_study["counterpart"] == lineage["counterpart"]
    assert of_study["data"].startswith("data-coco_panoptic@")
    logged = read(studied[0], "study")["artifact"]  # W&B keeps tables as artifacts, too
    [numbers] = [artifact for artifact in logged if artifact["type"] == "study"]
    files = {entry["path"] for entry in numbers["manifest"]["contents"]}
    tables = {f"study_{name}{table}.parquet" for name in ("free", "frozen") for table in ("", "_scribbles")}
    assert files == {"study.json", *tables}


def test_online_the_run_uses_its_artifacts(trained: Result) -> None:
    used: list[str] = []
    run = SimpleNamespace(
        offline=False,
        config={"tracking": {"artifacts": True}},
        use_artifact=lambda artifact: used.append(artifact.type),
    )
    trainer = SimpleNamespace(is_global_zero=True, loggers=[WandbLogger(experiment=cast("Any", run))])
    best = trained.folder / "checkpoints" / "best.ckpt"
    artifacts.log_used_artifacts(cast("L.Trainer", trainer), "scenes", {"val_hash": "1"}, {"checkpoint": best})
    assert sorted(used) == ["dataset", "model"]
    assert set(run.config["lineage"]) == {"checkpoint", "data"}
    run.config["tracking"]["artifacts"] = False
    artifacts.log_used_artifacts(cast("L.Trainer", trainer), "scenes", {"val_hash": "1"}, {"checkpoint": best})
    assert len(used) == 2


def lineage_of(records: dict[str, list[Any]]) -> dict[str, str]:
    [found] = {json.dumps(r["update"]["lineage"]) for r in records["config"] if "lineage" in r.get("update", {})}
    lineage: dict[str, str] = json.loads(found)
    return lineage


def name_of(artifact: wandb.Artifact) -> str:
    return f"{artifact.name}@{artifact.digest}"


def test_the_summary_is_the_best_evaluation(trained: Result) -> None:
    records = read(trained.folder, "train")
    [defined] = [record for record in records["metric"] if record.get("name") == "val/iou"]
    assert defined["step_metric"] == "trainer/global_step"
    assert defined["summary"] == {"max": True}
