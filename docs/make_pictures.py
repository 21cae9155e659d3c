"""Draws the pictures of the annotator in docs/: ``python docs/make_pictures.py``.

It starts the annotator with the model and a photograph that come with fullseg, and annotates the photograph in a real
browser. It writes ``annotator_0.png``, ``annotator_1.png`` and ``annotator_3.png`` (after so many strokes), the heat
map ``annotator_least_sure.png``, and the whole annotation as ``annotator.gif``. It needs playwright and Chromium; the
environment variable FULLSEG_CHROMIUM names another one than the system's.
"""

import io
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect, sync_playwright
from scipy.interpolate import make_interp_spline

from fullseg.cli.annotate import PHOTOGRAPHS

DOCS = Path(__file__).parent
SIZE = {"width": 1280, "height": 800}
FRAME = (800, 500)  # px of the animated picture
CLICK, RESULT, LAST = 160, 700, 2500  # ms that a frame stays
FINE = 12  # steps of the pointer from point to point of a stroke
# Extreme points (x, y) in pixels of coffee.jpg: left, top, right, bottom.
REGIONS = {
    "cup": [(173, 100), (290, 18), (409, 115), (215, 307)],
    "coffee": [(205, 135), (275, 95), (370, 160), (300, 193)],
    "saucer": [(77, 200), (180, 70), (479, 225), (260, 387)],
    "spoon": [(327, 290), (412, 67), (424, 80), (365, 326)],
    "table": [(0, 200), (300, 0), (599, 200), (500, 399)],
    "dark": [(0, 40), (50, 0), (150, 1), (1, 104)],
}
STROKES = [
    ("cup", [(205, 290), (218, 262), (242, 240), (222, 222), (200, 205)]),
    ("spoon", [(340, 285), (368, 300), (392, 280), (380, 240), (400, 170), (414, 78)]),
    ("saucer", [(110, 270), (170, 330), (250, 355), (320, 345), (400, 310), (440, 240)]),
    ("cup", [(225, 70), (188, 110), (200, 195), (290, 225), (310, 270)]),
    ("coffee", [(240, 135), (290, 110), (340, 150), (290, 180)]),
]


class Film:
    """The frames of the animated picture, each with the pointer."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.frames: list[Image.Image] = []
        self.stays: list[int] = []

    def take(self, stays: int, pointer: tuple[float, float] | None = None) -> None:
        """Add a frame that stays so many milliseconds; the pointer is at (x, y) in pixels of the page."""
        frame = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        if pointer is not None:
            x, y = pointer
            arrow = [(x, y), (x, y + 26), (x + 7, y + 20), (x + 18, y + 19)]
            ImageDraw.Draw(frame).polygon(arrow, fill="white", outline="black", width=2)
        self.frames.append(frame.resize(FRAME, Image.Resampling.LANCZOS))
        self.stays.append(stays)

    def save(self, path: Path) -> None:
        """Write the frames as a GIF with one palette."""
        kinds = [self.frames[0], self.frames[len(self.frames) // 2], self.frames[-1]]
        sheet = Image.new("RGB", (FRAME[0], len(kinds) * FRAME[1]))
        for number, frame in enumerate(kinds):
            sheet.paste(frame, (0, number * FRAME[1]))
        palette = sheet.quantize(256)
        frames = [frame.quantize(palette=palette) for frame in self.frames]
        frames[0].save(path, save_all=True, append_images=frames[1:], duration=self.stays, loop=0, optimize=True)


class Person:
    """Annotates one photograph in the page."""

    def __init__(self, page: Page, film: Film) -> None:
        self.page, self.film = page, film
        self.marked: list[str] = []

    def wait(self) -> None:
        """Wait until the page shows the labels of the newest state."""
        figures = self.page.locator("#figures")
        expect(figures).to_contain_text("px without a region", timeout=60_000)
        expect(figures).not_to_contain_text("...", timeout=60_000)

    def screen(self, point: tuple[float, float]) -> tuple[float, float]:
        """Return where the page shows a pixel of the photograph: it is centred in 96 % of the canvas."""
        box = self.page.locator("#canvas").bounding_box()
        assert box is not None
        width, height = Image.open(PHOTOGRAPHS / "coffee.jpg").size
        scale = 0.96 * min(box["width"] / width, box["height"] / height)
        left, top = (
            box[start] + (box[side] - scale * length) / 2
            for start, side, length in (("x", "width", width), ("y", "height", height))
        )
        return left + scale * (point[0] + 0.5), top + scale * (point[1] + 0.5)

    def mark(self, name: str) -> None:
        """Click the four extreme points of a region."""
        self.page.keyboard.press("m")
        for point in REGIONS[name]:
            at = self.screen(point)
            self.page.mouse.click(*at)
            self.film.take(CLICK, at)
        self.marked.append(name)
        expect(self.page.locator("#regions li")).to_have_count(len(self.marked))
        self.wait()
        self.film.take(RESULT)

    def draw(self, name: str, points: list[tuple[float, float]]) -> None:
        """Draw one stroke for a region."""
        self.page.locator("#regions li").nth(self.marked.index(name)).click()
        self.page.keyboard.press("c")
        way = [self.screen(point) for point in smooth(points)]
        self.page.mouse.move(*way[0])
        self.page.mouse.down()
        for number, at in enumerate(way[1:], start=1):
            self.page.mouse.move(*at)
            if number % FINE == 0:
                self.film.take(CLICK, at)
        self.page.mouse.up()
        self.page.wait_for_timeout(300)
        self.wait()
        self.film.take(RESULT)


def smooth(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Return a smooth way through some points (x, y), with ``FINE`` steps between two of them."""
    where = np.arange(len(points))
    curve = make_interp_spline(where, points, k=min(3, len(points) - 1))
    return [(float(x), float(y)) for x, y in curve(np.linspace(0, where[-1], FINE * where[-1] + 1))]


def annotate(page: Page, address: str) -> None:
    """Annotate the photograph, and write all pictures."""
    film = Film(page)
    person = Person(page, film)
    page.goto(address)
    page.locator("#welcome-never").click()
    person.wait()
    film.take(RESULT)
    for name in REGIONS:
        person.mark(name)
    page.keyboard.press("Shift+F")  # all regions are marked: they share the whole image
    person.wait()
    page.screenshot(path=DOCS / "annotator_0.png")
    film.take(RESULT)
    for number, (name, points) in enumerate(STROKES, start=1):
        person.draw(name, points)
        if number in (1, 3):
            page.screenshot(path=DOCS / f"annotator_{number}.png")
    page.keyboard.press("Escape")
    film.take(LAST)
    film.save(DOCS / "annotator.gif")
    page.keyboard.press("n")
    page.keyboard.press("u")
    page.screenshot(path=DOCS / "annotator_least_sure.png")


def main() -> None:
    """Start the server, and a browser in front of it."""
    chromium = os.environ.get("FULLSEG_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as name:
        shutil.copy(PHOTOGRAPHS / "coffee.jpg", name)
        command = [sys.executable, "-m", "fullseg", "annotate", name, "--port", "0"]
        server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert server.stderr is not None
        address = next(found[1] for line in server.stderr if (found := re.search(r"Open (\S+) in", line)))
        try:
            with sync_playwright() as started:
                browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
                annotate(browser.new_context(viewport=SIZE).new_page(), address)  # type: ignore[arg-type]
                browser.close()
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()


if __name__ == "__main__":
    main()
