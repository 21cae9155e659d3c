"""A real server, and a person in front of a real browser."""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Playwright, Route, expect

from fullseg import Predictor
from fullseg.annotator.learning import Learning, Started
from fullseg.annotator.security import LOOPBACK, Guard
from fullseg.annotator.serve import listen
from fullseg.annotator.server import make_app
from fullseg.annotator.workspace import Workspace

Points = list[tuple[float, float]]


PROGRAMS = {"chromium": ("chromium", "chromium-browser", "google-chrome"), "firefox": ("firefox-esr", "firefox")}


def launch(playwright: Playwright) -> Browser:
    """Start a browser: $FULLSEG_BROWSER, chromium or firefox, from $FULLSEG_CHROMIUM or the system's programs."""
    name = os.environ.get("FULLSEG_BROWSER", "chromium")
    found = (path for program in PROGRAMS[name] if (path := shutil.which(program)))
    program = os.environ.get("FULLSEG_CHROMIUM") if name == "chromium" else None
    program = program or next(found, None)
    if program is None:
        pytest.skip(f"no {name}: install the system's package" + ", or set FULLSEG_CHROMIUM" * (name == "chromium"))
    if name == "firefox":
        return playwright.firefox.launch(channel="moz-firefox", executable_path=program)
    return playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])


class Server:
    """``python -m fullseg annotate`` as a process of its own, with its model unless ``loaded`` is false."""

    def __init__(self, images: Path, checkpoint: Path, out: Path, *options: str, loaded: bool = True) -> None:
        command = ["-m", "fullseg", "annotate", str(images), "--checkpoint", str(checkpoint), "--out", str(out)]
        self.process = subprocess.Popen(
            [sys.executable, *command, "--port", "0", *options], stderr=subprocess.PIPE, text=True
        )
        assert self.process.stderr is not None
        self.said = ""
        while not re.search(r"The model .* is loaded" if loaded else r"Open \S+ in a browser", self.said):
            line = self.process.stderr.readline()
            assert line, f"the server ended: {self.said}"
            self.said += line
        self.address = re.search(r"Open (\S+) in a browser", self.said)[1]  # type: ignore[index]

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        self.process.send_signal(how)
        code = self.process.wait(timeout=120)
        if self.process.stderr:
            self.process.stderr.close()
        return code


class ThreadedServer:
    """The same server in a thread of this process, which starts at once: PyTorch is loaded already."""

    def __init__(self, images: Path, checkpoint: Path, out: Path) -> None:
        model: Future[Predictor] = Future()
        model.set_result(Predictor.from_checkpoint(checkpoint))
        learning = Learning(Started(images, out, str(checkpoint)), model, Predictor.from_checkpoint)
        self._workspace = Workspace(images, out, learning.predictor, None, learning.first)
        listening = listen("127.0.0.1", 0)
        self.address = f"http://127.0.0.1:{listening.getsockname()[1]}/"
        app = Guard(make_app(self._workspace, learning), hosts=LOOPBACK, token=None)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", timeout_graceful_shutdown=5))
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listening]})
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(60)
        assert not self._thread.is_alive()
        self._workspace.journal.close()


class Held:
    """Requests that the page has sent and that are kept back."""

    def __init__(self, page: Page, pattern: str) -> None:
        self.page, self.released = page, False
        self.routes: list[Route] = []
        page.route(pattern, self._keep)

    def _keep(self, route: Route) -> None:
        if self.released:
            route.continue_()
        else:
            self.routes.append(route)

    def release(self) -> None:
        """Let all requests go, these and those that follow."""
        self.released = True
        while self.routes:
            self.routes.pop(0).continue_()

    def first(self) -> Route:
        """Wait for the first request."""
        while not self.routes:
            self.page.wait_for_timeout(20)
        return self.routes[0]


class Person:
    """A person in front of the page. Points are in pixels of the image, while the page shows the whole image."""

    def __init__(self, page: Page, address: str, *, touch: bool = False) -> None:
        self.page, self.address, self.touch = page, address, touch
        self._sizes: dict[int, tuple[int, int]] = {}  # (W, H) by number of the image
        self.noted: list[str] = []  # errors of the browser: scripts, policy, requests
        self.wrong: list[str] = []  # those that should not be
        page.on("console", lambda message: self._note(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self._note(str(error)))

    def _note(self, error: str) -> None:
        overtaken = "410 (Gone)" in error  # labels of a state that is no longer the newest: the page asks again
        screenshot = "settings blocked an inline style" in error  # Playwright's own style, in Firefox
        self.noted.append(error)
        if not overtaken and not screenshot:
            self.wrong.append(error)

    def forgive(self, status: int) -> None:
        """Check that the browser noted a request that was refused with this status, and take one such note back."""
        found = [text for text in self.noted if f"a status of {status} " in text]
        browser = self.page.context.browser
        assert found or (browser and browser.browser_type.name == "firefox")  # which does not note it
        if found and found[0] in self.wrong:
            self.wrong.remove(found[0])

    def type_into(self, field: Locator, text: str) -> None:
        """Type a text in place of the one in a field."""
        field.click()
        self.key("Control+a")
        self.page.keyboard.type(text)

    def open(self, number: int) -> None:
        self.number = number
        workspace = self.page.request.get(f"{self._base}/api/workspace").json()
        name = urlencode({"image": workspace[number]["name"]})
        self.page.goto("about:blank")  # else only the address would change
        self.page.goto(f"{self._base}/#{name}")
        expect(self.page.locator("#images li").nth(number)).to_have_attribute("aria-current", "true")
        self.settle()

    def settle(self) -> None:
        """Wait until the page shows the labels of the newest state."""
        expect(self.page.locator("#figures")).to_contain_text("px without a region")
        expect(self.page.locator("#figures")).not_to_contain_text("...")  # nothing is under way

    def screen(self, point: tuple[float, float]) -> tuple[float, float]:
        """Return where the page shows a point: the whole image is centred in 96 % of the canvas."""
        box = self.page.locator("#canvas").bounding_box()
        assert box is not None
        if self.number not in self._sizes:
            state = self.state()
            self._sizes[self.number] = state["width"], state["height"]
        width, height = self._sizes[self.number]
        scale = 0.96 * min(box["width"] / width, box["height"] / height)
        left = box["x"] + box["width"] / 2 - scale * width / 2
        top = box["y"] + box["height"] / 2 - scale * height / 2
        return left + (point[0] + 0.5) * scale, top + (point[1] + 0.5) * scale

    def colours(self) -> NDArray[np.int64]:
        """Return what the canvas shows, (H, W, 3)."""
        self.page.wait_for_timeout(100)  # the next frame
        file = io.BytesIO(self.page.locator("#canvas").screenshot())
        return np.asarray(Image.open(file).convert("RGB"), np.int64)

    def click(self, point: tuple[float, float]) -> None:
        (self.page.touchscreen.tap if self.touch else self.page.mouse.click)(*self.screen(point))

    def key(self, name: str) -> None:
        self.page.keyboard.press(name)

    def mark(self, quad: list[list[int]]) -> None:
        regions = self.page.locator("#regions li")
        before = regions.count()
        self.key("m")
        for x, y in quad:
            self.click((x, y))
        expect(regions).to_have_count(before + 1)
        self.settle()

    def draw(self, points: Points) -> None:
        """Draw one stroke with the tool for correcting."""
        self.key("c")
        before = len(self.state()["strokes"])
        self.drag(points)
        self.page.wait_for_function(
            "async ([url, n]) => (await (await fetch(url)).json()).strokes.length === n",
            arg=[f"/api/images/{self.number}", before + 1],
        )
        self.settle()

    def drag(self, points: Points) -> None:
        """Press the pointer at the first point, move it along the others, and release it."""
        self.page.mouse.move(*self.screen(points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.screen(point), steps=5)
        self.page.mouse.up()

    def finish(self) -> None:
        """Mark the image as done, although the page says what may have been overlooked."""
        self.key("Control+Enter")
        expect(self.page.locator("#check")).to_be_visible()
        self.key("Control+Enter")

    def act(self, number: int, **action: Any) -> None:
        """Let the server do an action on an image that is not open yet, quicker than by hand."""
        self.number = number
        content = {"revision": self.state()["revision"], "action": action}
        answer = self.page.request.post(
            f"{self._base}/api/images/{number}/actions", data=content, headers={"X-Fullseg": "1"}
        )
        assert answer.ok, answer.text()

    def hold(self, pattern: str) -> "Held":
        """Keep all requests of a kind back from now on."""
        return Held(self.page, pattern)

    def state(self) -> dict[str, Any]:
        """Return the state that the server has."""
        answer: dict[str, Any] = self.page.request.get(f"{self._base}/api/images/{self.number}").json()
        return answer

    def labels(self) -> NDArray[np.int64]:
        """Return the server's labels (H, W): index of the region in the list, -1 for none."""
        state = self.state()
        url = f"{self._base}/api/images/{self.number}/labels?revision={state['revision']}"
        count = state["height"] * state["width"]
        body = np.frombuffer(self.page.request.get(url).body()[: 2 * count], "<u2")
        return body.reshape(state["height"], state["width"]).astype(np.int64) - 1

    @property
    def _base(self) -> str:
        return self.address.split("/?")[0].rstrip("/")
