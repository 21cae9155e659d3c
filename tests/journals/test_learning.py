"""Real trainings of a tiny model on the images that a simulated person has finished."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fullseg.__main__ import main
from fullseg.annotator.learnt import read_models
from fullseg.errors import DataError
from fullseg.formats.locks import locked
from fullseg.journals.learning import Source, configuration, learn, source_of
from fullseg.journals.snapshot import Snapshot
from fullseg.report.page import write_report
from fullseg.runs.checkpoints import load_checkpoint
from tests.annotated_people import Annotated
from tests.tiny_runs import Runs

SHORT = ["trainer.epochs=1", "trainer.validate_every=1", "trainer.limit_train_batches=2", "study.every=0"]


@pytest.fixture(scope="module")
def start(runs: Runs) -> Source:
    result = runs.train("experiment=one", "model.class_maps=one", "scribbles.rounds=2")
    return source_of("one", result.folder / "checkpoints" / "best.ckpt")


@pytest.fixture
def annotated(people: Annotated, tmp_path: Path) -> Path:
    shutil.copytree(people.folder, tmp_path / "photos")
    return tmp_path / "photos"


def test_a_model_learns_in_an_ordinary_run_and_is_compared_with_its_start(annotated: Path, start: Source) -> None:
    found = learn(annotated, annotated / "fullseg", start, SHORT)
    assert found.images + found.held_back == 8
    assert read_models(annotated / "fullseg").learnt == (found,)
    run = Path(found.checkpoint).parents[1]
    assert (run / "config.yaml").is_file()
    assert (run / "environment.txt").is_file()
    replayed = json.loads((run / "replay" / "replay.json").read_text())
    assert replayed["models"] == ["before", "after"]
    assert found.remembered is not None  # the data of the start is at hand, and mixed in
    write_report([run], run / "report.html")
    stamp = Path(found.checkpoint).stat().st_mtime_ns
    assert learn(annotated, annotated / "fullseg", start, SHORT) == found  # finished already: nothing is trained again
    assert Path(found.checkpoint).stat().st_mtime_ns == stamp


def test_without_the_data_of_its_start_it_learns_from_the_images_alone(tmp_path: Path, start: Source) -> None:
    config = {**start.config, "data": {**start.config["data"], "root": str(tmp_path / "gone")}}
    snapshot = Snapshot("s", tmp_path, ("a", "b", "c", "d", "e"), ("f",))
    found = configuration(tmp_path, snapshot, start._replace(config=config), [])
    assert found.data.mix.part == 0
    assert found.data.batch_size == 2
    assert found.trainer.limit_train_batches == 2  # an epoch has two steps, so there are ten between evaluations
    assert found.trainer.validate_every == 10
    assert found.trainer.epochs == 60
    mixed = configuration(tmp_path, snapshot, start, [])
    assert (mixed.data.mix.part, mixed.trainer.validate_every, mixed.trainer.limit_train_batches) == (0.5, 1, 20)
    assert mixed.data.mix.root == str(Path(start.config["data"]["root"]).resolve())


def test_two_learners_on_one_folder_exclude_each_other(annotated: Path, start: Source) -> None:
    folder = annotated / "fullseg" / "learning"
    folder.mkdir()
    with (
        locked(folder / ".lock", "", wait=False),
        pytest.raises(DataError, match=r"another process learns from these images; wait"),
    ):
        learn(annotated, annotated / "fullseg", start, SHORT)


@pytest.mark.slow
def test_a_learner_excludes_another_one_and_goes_on_where_it_was_killed(annotated: Path, start: Source) -> None:
    options = [
        *SHORT[1:2],
        "trainer.epochs=400",
        "trainer.checkpoint_every=1",
        "study.every=0",
        "trainer.limit_train_batches=2",
    ]
    command = [
        sys.executable,
        "-m",
        "fullseg",
        "learn",
        str(annotated),
        "--checkpoint",
        str(start.checkpoint),
        *options,
    ]
    process = subprocess.Popen(command, start_new_session=True)
    last = annotated / "fullseg" / "learning" / "learnt"
    deadline = time.monotonic() + 120
    while not list(last.glob("*/checkpoints/last.ckpt")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.2)
    with pytest.raises(DataError, match="another process learns from these images"):  # while it lives
        learn(annotated, annotated / "fullseg", start, SHORT)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    [checkpoint] = {
        path.resolve() for path in last.glob("*/checkpoints/last.ckpt")
    }  # there is a link to the newest run
    assert read_models(annotated / "fullseg").learnt == ()
    had = load_checkpoint(checkpoint)["global_step"]
    epochs = had // 2 + 1
    found = learn(annotated, annotated / "fullseg", start, [*SHORT[1:], f"trainer.epochs={epochs}"])
    assert load_checkpoint(Path(found.checkpoint).parent / "last.ckpt")["global_step"] == 2 * epochs


def test_the_command_says_what_came_of_it(annotated: Path, start: Source, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["learn", str(annotated), "--checkpoint", str(start.checkpoint), "--use", *SHORT]) == 0
    printed = capsys.readouterr().out
    assert "strokes per image to equal quality" in printed
    models = read_models(annotated / "fullseg")
    assert bool(models.used) == models.learnt[0].better
    assert main(["learn", str(annotated), "--back"]) == (0 if models.used else 2)
    assert main(["learn", str(annotated.parent)]) == 2
    assert "annotate images first" in capsys.readouterr().err
