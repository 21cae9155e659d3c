"""Learning from the annotator's page: real processes, and a real browser."""

import os
import shutil
import sys
import time
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from fullseg import Predictor
from fullseg.annotator.learning import Learning, Started, learning_options
from fullseg.annotator.learnt import FOLDER, Learnt, Models, write_models
from fullseg.annotator.security import Guard
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace
from fullseg.errors import DataError
from fullseg.types import Category
from tests.annotated_people import Annotated

HEADERS = {"X-Fullseg": "1"}


@pytest.fixture
def photos(people: Annotated, tmp_path: Path) -> Path:
    shutil.copytree(people.folder, tmp_path / "photos")
    return tmp_path / "photos"


def learning_of(photos: Path, checkpoint: Path) -> Learning:
    first: Future[Predictor] = Future()
    first.set_result(Predictor.from_checkpoint(checkpoint))
    return Learning(Started(photos, photos / "fullseg", str(checkpoint)), first, Predictor.from_checkpoint)


def other_weights(checkpoint: Path, path: Path) -> Path:
    import torch

    content = torch.load(checkpoint, weights_only=True)
    content["state_dict"] = {key: value.flip(0) for key, value in content["state_dict"].items()}
    torch.save(content, path)
    return path


def offered(checkpoint: Path) -> Learnt:
    return Learnt("a", str(checkpoint), "photos", 6, 2, (0.7, 0.8), (20, 15), None)


def test_labels_come_from_the_model_in_use(photos: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    out = photos / "fullseg"
    write_models(out, Models().adding(offered(other_weights(tiny_checkpoint, tmp_path / "other.ckpt"))))
    learning = learning_of(photos, tiny_checkpoint)
    workspace = Workspace(photos, out, learning.predictor, [Category(1, "region", isthing=False)])
    client = TestClient(Guard(make_app(workspace, learning), hosts=["testserver"], token=None))
    name = workspace.names[0]
    revision = workspace.open(name).revision
    before = workspace.labels(name, revision)[1].region_map

    def post(**content: Any) -> dict[str, Any]:
        answer = client.post("/api/learning", json=content, headers=HEADERS)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    assert client.get("/api/learning").json()["offered"]["images"] == 6
    status = post(action="use", name="a")
    assert (status["current"]["name"], status["offered"]) == ("a", None)
    after = workspace.labels(name, revision)[1].region_map
    assert not np.array_equal(before, after)
    assert learning_of(photos, tiny_checkpoint).status()["current"]["name"] == "a"  # also after the next start
    assert post(action="back")["current"] is None
    assert np.array_equal(workspace.labels(name, revision)[1].region_map, before)
    workspace.journal.close()


def test_wrong_requests_are_refused(photos: Path, tiny_checkpoint: Path) -> None:
    learning = learning_of(photos, tiny_checkpoint)
    workspace = Workspace(photos, photos / "fullseg", learning.predictor, None)
    client = TestClient(Guard(make_app(workspace, learning), hosts=["testserver"], token=None))
    for content, message in (
        ({"action": "fly"}, "action: one of start, stop, use, back"),
        ({"action": "use", "name": "b"}, "no model 'b' has learnt"),
        ({"action": "back"}, "none to go back from"),
    ):
        answer = client.post("/api/learning", json=content, headers=HEADERS)
        assert answer.status_code >= 400
        assert message in answer.json()["error"]
    with pytest.raises(DataError, match="--learn fast: write key=value"):
        learning_options(["fast"])
    workspace.journal.close()


def test_efforts_are_those_of_the_journal(photos: Path, tiny_checkpoint: Path) -> None:
    learning = learning_of(photos, tiny_checkpoint)
    workspace = Workspace(photos, photos / "fullseg", learning.predictor, None)
    client = TestClient(Guard(make_app(workspace, learning), hosts=["testserver"], token=None))
    efforts = client.get("/api/efforts").json()
    assert len(efforts) == len(workspace.names)
    times = dict.fromkeys(workspace.names, 0.0)
    for image, _, _, seconds in workspace.journal.seconds():
        times[image] += seconds
    for effort in efforts:
        assert effort["seconds"] == pytest.approx(times[effort["image"]])
        assert effort["strokes"] == len(workspace.open(effort["image"]).work.strokes)
        assert effort["regions"] == len(workspace.open(effort["image"]).work.regions)
        first = workspace.journal.open_image(effort["image"], workspace.open(effort["image"]).work.size)[0]
        assert effort["begun"] == first.at
    workspace.journal.close()


def test_a_model_whose_file_is_gone_is_not_in_use(photos: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    write_models(photos / "fullseg", Models().adding(offered(tmp_path / "gone.ckpt")).using("a", 5.0))
    learning = learning_of(photos, tiny_checkpoint)
    assert learning.predictor() is learning.predictor()
    assert learning.predictor().trained_partly is False


def until(true: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_a_learner_that_does_not_listen_is_ended(
    photos: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deaf = tmp_path / "python"
    deaf.write_text(
        f"#!{sys.executable}\nimport signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('deaf', flush=True)\ntime.sleep(300)\n"
    )
    deaf.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(deaf))
    monkeypatch.setattr("fullseg.annotator.learning.SECONDS_TO_STOP", 0.2)
    learning = learning_of(photos, tiny_checkpoint)
    learning.start()
    until(lambda: learning.status()["said"] == "deaf", 30)
    learning.stop()
    assert not learning.running


@pytest.mark.slow
def test_a_learner_that_is_stopped_leaves_no_process_and_says_why_it_failed(
    photos: Path, tiny_checkpoint: Path
) -> None:
    learning = learning_of(photos, tiny_checkpoint)  # its checkpoint lacks the options of a training
    learning.start()
    process = learning._process
    assert process is not None
    assert os.getpriority(os.PRIO_PROCESS, process.pid) > 0
    with pytest.raises(DataError, match="goes on already"):
        learning.start()
    until(lambda: (photos / "fullseg" / FOLDER / "log.txt").stat().st_size > 0 or not learning.running)
    learning.stop()
    assert not learning.running
    shutil.rmtree(photos / "fullseg" / "export")
    learning.start()
    until(lambda: not learning.running)
    status = learning.status()
    assert status["failed"]
    assert "its last export is not of its last state" in status["said"]
