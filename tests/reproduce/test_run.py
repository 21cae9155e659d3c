"""Reproducing a run: the same bits from its folder, or every difference by name."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import torch
import yaml

from fullseg.__main__ import main
from fullseg.config.load import load_config
from fullseg.data.scenes import write_scenes
from fullseg.errors import ConfigError
from fullseg.reproduce.original import Original, history, read_original
from fullseg.reproduce.run import _check_machine, _kept, reproduce
from fullseg.runs.provenance import Environment
from tests.tiny_runs import Runs

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def original(runs: Runs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interactive run with two studies, in a folder to which no other test adds studies."""
    folder = tmp_path_factory.mktemp("original") / "interactive"
    no_study = shutil.ignore_patterns("stud*", "wandb", "figures")
    shutil.copytree((runs.runs / "interactive" / "latest").resolve(), folder, ignore=no_study)
    options = ("experiment=interactive", f"checkpoint={folder}", "study.single_region=single")
    runs.study(*options, "study.strategies=[free]")
    runs.study(*options, "study.strategies=[single_region]")
    runs.study(*options, "study.strategies=[watershed]", "study.noise.points=1")
    return folder


@pytest.fixture
def copied(original: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(original, tmp_path / "copied"))


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_a_run_and_its_studies_come_out_bit_for_bit(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reproduce", str(original), "--runs", str(tmp_path), "trainer.progress_bar=false"]) == 0
    output = capsys.readouterr().out
    assert "commit, packages, machine and data are the same as for" in output
    assert "result      identical, bit for bit" in output
    folder = (tmp_path / "interactive" / "latest").resolve()
    found = json.loads((folder / "reproduce.json").read_text())
    assert (found["run"], found["identical"], found["changes"], found["not_compared"]) == (str(original), True, [], [])
    metrics = {(each["file"], each["name"]): each for each in found["comparisons"]}
    for key in (
        ("metrics.csv", "val/iou"),
        ("summary.json", "iou after training"),
        ("checkpoints/last.ckpt", "weights"),
        ("checkpoints/best.ckpt", "weights"),
        ("study.json", "free: iou"),
        ("study.json", "single_region: auc"),
        ("study_free.parquet", "boundary_iou"),
        ("studies/points=1/study.json", "watershed: iou"),
    ):
        assert metrics[key]["values"] > 0, key
        assert metrics[key]["there"] == metrics[key]["here"], key
    times = [name for _, name in metrics if "seconds" in name or "wait" in name]
    assert all(
        "annotator_seconds" in name for name in times
    )  # that of the simulated annotator follows from the options
    assert (folder / "studies" / "points=1" / "study_watershed.parquet").is_file()


def test_what_was_tampered_with_is_named_with_its_amount(
    copied: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    step = add_to_metric(copied, "val/iou", 0.5)
    for name, amount in (("last", 0.125), ("best", 0.25)):
        path = copied / "checkpoints" / f"{name}.ckpt"
        checkpoint = torch.load(path, weights_only=True)
        weight = next(key for key, value in checkpoint["state_dict"].items() if value.ndim == 4)
        checkpoint["state_dict"][weight][0, 0, 0, 0] += amount
        torch.save(checkpoint, path)
    content = json.loads((copied / "study.json").read_text())
    content["strategies"]["free"]["iou"][1] += 2
    (copied / "study.json").write_text(json.dumps(content))
    table = pq.read_table(copied / "study_single_region.parquet")
    rows = {**table.to_pydict(), "area": [area + 7 for area in table.column("area").to_pylist()]}
    pq.write_table(type(table).from_pydict(rows), copied / "study_single_region.parquet")
    lines = (copied / "environment.txt").read_text().splitlines()
    others = {"commit: ": "commit: of old", "numpy==": "numpy==0.1", "precision: ": "precision: 32-true"}
    lines = [next((new for old, new in others.items() if line.startswith(old)), line) for line in lines]
    (copied / "environment.txt").write_text("\n".join([*lines, "gone-package==3"]))

    assert main(["reproduce", str(copied), "--runs", str(tmp_path / "again"), "trainer.progress_bar=false"]) == 1

    found = json.loads((tmp_path / "again" / "interactive" / "latest" / "reproduce.json").read_text())
    different = {(e["file"], e["name"]): (e["largest"], e["where"]) for e in found["comparisons"] if e["different"]}
    assert different == {
        ("metrics.csv", "val/iou"): (pytest.approx(0.5), step),
        ("checkpoints/last.ckpt", "weights"): (pytest.approx(0.125), weight),
        ("checkpoints/best.ckpt", "weights"): (pytest.approx(0.25), weight),
        ("study.json", "free: iou"): (pytest.approx(2), "[1]"),
        ("study_single_region.parquet", "area"): (7, "image 0, region 0, round 0"),
    }
    assert {(each["name"], each["there"]) for each in found["changes"]} == {
        ("commit", "of old"),
        ("package numpy", "0.1"),
        ("package gone-package", "3"),
    }
    output = capsys.readouterr().out
    for text in ("val/iou", "of old", "0.125", "5 of", "metrics differ"):
        assert text in output


def add_to_metric(folder: Path, name: str, amount: float) -> str:
    """Change the last value of a metric. Return its step."""
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    row = [row for row in rows if row[name]][-1]
    row[name] = str(float(row[name]) + amount)
    write_rows(folder, rows)
    return f"step {row['step']}"


def write_rows(folder: Path, rows: list[dict[str, str]]) -> None:
    with (folder / "metrics.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_a_run_that_was_stopped_is_compared_as_far_as_it_went(runs: Runs, tmp_path: Path) -> None:
    folder = Path(shutil.copytree((runs.runs / "plain" / "latest").resolve(), tmp_path / "stopped"))
    shutil.rmtree(folder / "studies", ignore_errors=True)  # made by other tests
    (folder / "study.json").unlink(missing_ok=True)  # so is this
    summary = json.loads((folder / "summary.json").read_text())
    (folder / "summary.json").write_text(json.dumps({**summary, "after": None}))
    with (folder / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    write_rows(folder, rows[:1])
    found = reproduce(folder, [], runs=tmp_path / "again", anyway=False)
    assert found is not None
    assert found.identical
    assert "that run did not finish: it is compared up to step 0, where its metrics.csv ends" in found.notes
    assert "checkpoints/last.ckpt: that run did not finish" in found.not_compared
    assert {each.file for each in found.comparisons} == {"metrics.csv", "summary.json"}


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch) -> None:
    def train(_: Any) -> None:
        raise RuntimeError("trains")

    monkeypatch.setattr("fullseg.reproduce.run.train", train)


@pytest.mark.usefixtures("no_training")
def test_other_data_are_refused_by_name_unless_told_otherwise(
    original: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scenes(tmp_path / "data", train=8, val=3, seed=2)
    command = ["reproduce", str(original), f"data.root={tmp_path / 'data'}"]
    there = read_original(original).environment.facts["val_hash"]
    assert main(command) == 2
    error = capsys.readouterr().err
    assert f"data.root={tmp_path / 'data'} is not what {original} was trained on: train_hash is " in error
    assert f"was {there}" in error
    assert "--anyway" in error
    with pytest.raises(RuntimeError, match="trains"):
        main([*command, "--anyway"])
    assert f"val_hash       │ {there}" in capsys.readouterr().out


@pytest.mark.usefixtures("no_training")
def test_another_counterpart_is_refused(original: Path, runs: Runs) -> None:
    single = runs.runs / "single" / "latest"
    with pytest.raises(ConfigError, match=r"^counterpart=.*single.* is not what .* counterpart_weights is"):
        reproduce(original, [f"counterpart={single}"], runs=runs.runs, anyway=False)


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("data.root=/moved/data", "data.root=/moved/data: no such folder here; name the folder of the data"),
        ("trainer.accelerator=gpu", "trainer.accelerator=gpu: there is no GPU here; trainer.accelerator=cpu trains"),
        ("trainer.num_nodes=2", "trainer.num_nodes=2: start this command on each machine by srun"),
    ],
)
def test_what_is_not_here_is_named_before_training(original: Path, runs: Runs, option: str, message: str) -> None:
    if "gpu" in option and torch.cuda.is_available():
        pytest.skip("there is a GPU")
    with pytest.raises(ConfigError, match=message):
        reproduce(original, [option], runs=runs.runs, anyway=False)


@pytest.mark.usefixtures("no_training")
def test_a_counterpart_that_has_moved_is_named(copied: Path, runs: Runs) -> None:
    options = yaml.safe_load((copied / "config.yaml").read_text())
    change(copied / "config.yaml", options["counterpart"], "/moved/best.ckpt")
    with pytest.raises(ConfigError, match=r"counterpart=/moved/best.ckpt: no such checkpoint here; name where it is"):
        reproduce(copied, [], runs=runs.runs, anyway=False)
    with pytest.raises(RuntimeError, match="trains"):
        reproduce(copied, [f"counterpart={options['counterpart']}"], runs=runs.runs, anyway=False)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", None, r"cannot be reproduced: it has no config.yaml; name the whole folder"),
        ("environment.txt", None, r"it has no environment.txt"),
        ("config.yaml", "experiment: [", r"config.yaml is damaged"),
        ("config.yaml", "seed: 1", r"config.yaml is damaged: it names no experiment"),
        ("environment.txt", "torch==2", r"environment.txt is damaged: no commit, no val_hash, no packages"),
        ("metrics.csv", "epoch,step\n0,x\n", r"metrics.csv, line 2 is damaged"),
        ("summary.json", "{", r"summary.json is damaged"),
        ("study.json", "{", r"study.json is damaged"),
        ("checkpoints/last.ckpt", "x", r"last.ckpt is damaged or no checkpoint .*: restore it, or remove it"),
    ],
)
def test_a_damaged_folder_is_named(copied: Path, name: str, content: str | None, message: str) -> None:
    (copied / name).unlink()
    if content is not None:
        (copied / name).write_text(content)
    with pytest.raises(ConfigError, match=message):
        read_original(copied)


def test_a_study_whose_model_is_gone_is_left_out_with_a_remedy(copied: Path, tmp_path: Path) -> None:
    from fullseg.reproduce.studies import study_again

    content = json.loads((copied / "study.json").read_text())
    content["strategies"] = {"single_region": {**content["strategies"]["single_region"], "checkpoint": "/gone.ckpt"}}
    gone = read_original(copied)._replace(studies={"study.json": content})
    [found] = study_again(gone, tmp_path, [], [])
    assert found.left_out == [
        "study.json, single_region: its model /gone.ckpt is not there; name where it is now, "
        "study.single_region=CHECKPOINT"
    ]
    no_counterpart = {**gone.studies["study.json"], "counterpart": "/gone.ckpt"}
    free = {**no_counterpart, "strategies": {"free": {}}}
    [found] = study_again(gone._replace(studies={"study.json": free}), copied, [], [])
    assert found.strategies == []
    assert "counterpart=/gone.ckpt: no such checkpoint" in found.left_out[0]


def of(facts: dict[str, str], **trainer: Any) -> Original:
    options = {"experiment": "x", "trainer": {"precision": "auto", "threads": 0, "devices": 0, "num_nodes": 1}}
    options["trainer"] |= trainer  # type: ignore[operator]
    return Original(Path("x"), options, Environment(facts, {}), 8, True, False, {})


def test_what_the_machine_had_chosen_is_kept_unless_given() -> None:
    facts = {"precision": "bf16-mixed", "threads": "3", "device": "cpu", "ranks": "2"}
    kept = {"trainer.precision": "bf16-mixed", "trainer.threads": 3, "trainer.devices": 2}
    assert _kept(of(facts), []) == kept
    assert _kept(of(facts), ["trainer.devices=1"]) == {key: kept[key] for key in list(kept)[:2]}
    assert _kept(of(facts, precision="32-true", threads=1, devices=2), []) == {}
    assert _kept(of({}), []) == {}  # an older run, which did not record these facts


def test_what_changed_when_a_run_was_resumed_is_said(copied: Path) -> None:
    here = read_original(copied).environment
    shutil.copy(copied / "environment.txt", copied / "environment_until_step_4.txt")
    change(copied / "environment_until_step_4.txt", "precision: 32-true", "precision: bf16-mixed")
    shutil.copy(copied / "config.yaml", copied / "config_until_step_4.yaml")
    change(copied / "config_until_step_4.yaml", "epochs: 1", "epochs: 5")
    change(copied / "environment.txt", "commit: ", "commit: v1-dirty\nold: ")
    change(copied / "environment.txt", "uncommitted: ", "uncommitted: f")
    gpu = here._replace(facts={**here.facts, "device": "cuda"})
    notes = "\n".join(history(read_original(copied), gpu))
    assert "that run was resumed at step 4; before this step it had " in notes
    assert "precision bf16-mixed" in notes
    assert "its options changed at step 4: trainer.epochs 5 -> 1; here the whole run has the later ones" in notes
    assert "that run's code had uncommitted changes that are not here" in notes
    assert "that run was on cpu, this one is on cuda: they round differently" in notes


def test_check_machine_lets_a_run_through_that_needs_nothing(original: Path) -> None:
    _check_machine(read_original(original), load_config(original / "config.yaml"))
