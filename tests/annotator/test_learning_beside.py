"""A person goes on annotating a photograph while the model that comes with fullseg learns: real processes."""

import json
import shutil
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fullseg.cli.annotate import PHOTOGRAPHS
from tests.annotated_people import Annotated

pytestmark = pytest.mark.slow
MOST = 0.3  # seconds that a stroke and its labels may take, in the middle of all
TIMES = 3  # as long as without the learner, on a machine that is busy with something else
STROKES = 12


class Client:
    """Annotates one image over HTTP, as the page does."""

    def __init__(self, address: str, image: str) -> None:
        self.base = address.rstrip("/")
        names = [one["name"] for one in json.loads(self._ask("/api/workspace"))]
        self.image = f"/api/images/{names.index(image)}"
        self.state = json.loads(self._ask(self.image))

    def act(self, **action: Any) -> None:
        content = {"revision": self.state["revision"], "seconds": 1, "action": action}
        self.state = json.loads(self._ask(f"{self.image}/actions", content))

    def labels(self) -> None:
        self._ask(f"{self.image}/labels?revision={self.state['revision']}")

    def learning(self, content: dict[str, Any] | None = None) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self._ask("/api/learning", content))
        return found

    def _ask(self, path: str, content: dict[str, Any] | None = None) -> bytes:
        data = None if content is None else json.dumps(content).encode()
        headers = {"Content-Type": "application/json", "X-Fullseg": "1"}
        with urllib.request.urlopen(urllib.request.Request(self.base + path, data, headers)) as answer:
            return bytes(answer.read())

    def strokes(self, first: int) -> list[float]:
        """Draw strokes, one after the other; return the seconds of each until its labels are there."""
        seconds = []
        for number in range(first, first + STROKES):
            begun = time.perf_counter()
            points = [[20.0 + 3 * number + step, 30.0 + 9 * number] for step in range(0, 60, 5)]
            region = self.state["regions"][number % 8]["id"]
            self.act(kind="scribbles", strokes=[{"region": region, "points": points}])
            self.labels()
            seconds.append(time.perf_counter() - begun)
        return seconds


@pytest.fixture
def client(people: Annotated, tmp_path: Path) -> Iterator[Client]:
    from tests.annotator.browser import Server

    photos = tmp_path / "photos"
    shutil.copytree(people.folder, photos)
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", photos)
    server = Server(photos, Path("photos"), photos / "fullseg", "--learn", "tracking.wandb=disabled")
    yield Client(server.address, "coffee.jpg")
    assert server.stop() == 0  # the learner ends with it


def test_strokes_stay_quick_while_the_model_learns(client: Client) -> None:
    width, height = client.state["width"], client.state["height"]
    for left, top in np.ndindex(4, 2):
        x, y = left * width / 4, top * height / 2
        quad = [[x, y + 50], [x + 40, y], [x + width / 4 - 1, y + 60], [x + 50, y + height / 2 - 1]]
        client.act(kind="add", points=quad)
    client.labels()
    quiet = client.strokes(0)
    client.learning({"action": "start"})
    wait_until(lambda: "Epoch 0" in client.learning()["said"], 600)
    beside = client.strokes(STROKES)
    assert client.learning()["running"], client.learning()["said"]
    # Other tests run at the same time, so what counts is also how long strokes take without the learner.
    assert np.median(beside) < max(MOST, TIMES * np.median(quiet)), (quiet, beside)
    assert not client.learning({"action": "stop"})["running"]


def wait_until(true: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.2)
