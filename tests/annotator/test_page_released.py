"""What a newcomer gets: the photographs and the model that come with fullseg, in a real browser."""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from fullseg.cli.annotate import PHOTOGRAPHS

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from tests.annotator.browser import Server

pytestmark = pytest.mark.slow
CUP = [[173, 100], [290, 18], [409, 115], [215, 307]]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Server"]:
    from tests.annotator.browser import Server

    folder = tmp_path_factory.mktemp("photographs")
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", folder)
    server = Server(folder, Path("photos"), folder / "out")
    yield server
    assert server.stop() == 0


def test_the_first_region_looks_right_alone(page: "Page", photographs: "Server") -> None:
    from playwright.sync_api import expect

    from tests.annotator.browser import Person

    person = Person(page, photographs.address)
    person.open(0)
    person.mark(CUP)
    labels = person.labels()
    assert (labels[[60, 210], [290, 300]] == 0).all()  # the wall of the cup, inside and outside
    assert (labels[[25, 25, 300], [180, 400, 400]] == -1).all()  # corners of the box, beside the cup
    share = np.count_nonzero(labels == 0) / ((410 - 173) * (308 - 18))
    assert 0.4 < share < 0.8  # an ellipse has 0.79, the whole box 1
    # The model knows one class, so there is nothing to guess and nothing to confirm.
    expect(page.locator("#regions li .name")).to_have_text("1  region")
    page.locator("#done").click()
    expect(page.locator("#problems")).to_contain_text("px have no region (VOID)")
    expect(page.locator("#problems")).not_to_contain_text("class")
    assert person.wrong == []


def test_the_page_comes_before_the_model(tmp_path: Path) -> None:
    shutil.copy(PHOTOGRAPHS / "coffee.jpg", tmp_path)
    command = [sys.executable, "-m", "fullseg", "annotate", str(tmp_path), "--port", "0"]
    start = time.perf_counter()
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as server:
        assert server.stderr is not None
        said = [(server.stderr.readline(), time.perf_counter() - start) for _ in range(3)]
        server.terminate()
        server.wait()
    assert "1 images of" in said[0][0]
    assert "Open http://" in said[1][0]
    assert "The model photos is loaded." in said[2][0]
    assert said[1][1] < 0.7 * said[2][1]
