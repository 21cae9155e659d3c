"""Annotates whole photographs in the real page, as a person would, and measures what it takes.

python benchmarks/page_session.py EXPERIMENT [--checkpoint photos] [--images 2] [--shots FOLDER] [key=value ...]
    The first evaluation images of the experiment become photographs. Clicks and strokes go through Chromium: extreme
    points, and in each round the simulated annotator's strokes on what the page shows. Then islands and holes are
    cleaned, and the image is marked as done. FOLDER gets a picture of the page after every round. It needs Playwright,
    and Chromium, which $FULLSEG_CHROMIUM names if it is not the system's.
    Example: python benchmarks/page_session.py beyond/looks data.root=/path/to/BSDS500 study.rounds=3
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlencode

import numpy as np
from evaluation import evaluation_images
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright
from serving import chromium, serving
from skimage.measure import label

from fullseg.config.load import load_config
from fullseg.metrics.region_iou import region_iou
from fullseg.runs.provenance import machine
from fullseg.simulation.noise import Noise
from fullseg.study.plan import Plan
from fullseg.types import Annotations, Sample

WINDOW = {"width": 1280, "height": 800}
LONGEST = 60_000  # ms that labels may take
BETWEEN = 600  # ms between two clicks at one place: quicker ones count as a double click
PLACE = 20  # px of the screen


class Row(NamedTuple):
    """The state of a photograph after a round."""

    strokes: int  # so far
    clicks: int  # so far, of the mouse, beside strokes
    iou: float  # mean over the regions
    parts: float  # connected parts per region


class Session:
    """Annotates one photograph in the page. It is a model of the study: annotations in, the page's labels out.

    Args:
        page: of the annotator.
        address: of the server.
        sample: the photograph, of a size that the network sees as it is, and its true regions.
        shots: folder of the pictures; None: none are taken.
    """

    def __init__(self, page: Page, address: str, sample: Sample, shots: Path | None) -> None:
        self.page, self.address, self.sample, self.shots = page, address, sample, shots
        self.given = self.clicks = 0  # strokes that were asked for; clicks
        self.waits: list[float] = []  # ms from the end of each stroke until the page shows its labels
        self.rows: list[Row] = []

    def annotate(self, number: int, plan: Plan) -> None:
        """Annotate the photograph of a number in the list from the start to the end."""
        self.open(number)
        for _ in plan.annotate(self.sample, self.predict, "free"):
            pass
        self.clean()

    def open(self, number: int) -> None:
        """Open the photograph of a number in the list."""
        self.number = number
        name = self.page.request.get(f"{self.address}/api/workspace").json()[number]["name"]
        self.page.goto(f"{self.address}/#{urlencode({'image': name})}")
        self.settle()

    def predict(self, annotations: Annotations, number: int) -> NDArray[np.int64]:
        """Mark the regions in round 0, draw the new strokes in others; return the labels (H, W) of the page."""
        if number == 0:
            for quad in annotations.extreme_points:
                self.mark(quad)
            self.page.keyboard.press("Shift+F")  # all regions are marked: they share the whole image
            self.settle()
        for scribble in annotations.scribbles[self.given :]:
            self.draw(scribble.region, scribble.points)
        self.given = len(annotations.scribbles)
        return self.note(f"round {number}")

    def note(self, what: str) -> NDArray[np.int64]:
        """Note the state and take a picture; return the labels."""
        labels, truth = self.labels(), self.sample.region_map
        count = len(self.sample.classes)
        iou = region_iou(labels, truth, count)
        parts = [int(label(labels == region, connectivity=1).max()) for region in range(count)]  # type: ignore[no-untyped-call]
        self.rows.append(Row(len(self.waits), self.clicks, float(np.nanmean(iou)), float(np.mean(parts))))
        if self.shots is not None:
            self.page.screenshot(path=self.shots / f"{self.number} {what}.png")
        return labels

    def mark(self, quad: NDArray[np.float32]) -> None:
        """Click the extreme points (4, 2) of a region."""
        self.page.keyboard.press("m")
        regions = self.page.locator("#regions li")
        before = regions.count()
        last = np.full(2, np.inf)
        for place in np.array([self.screen(point) for point in quad]):
            if np.hypot(*(place - last)) < PLACE:
                self.page.wait_for_timeout(BETWEEN)
            self.page.mouse.click(*place)
            last = place
        expect(regions).to_have_count(before + 1)
        self.clicks += len(quad)
        self.settle()

    def draw(self, region: int, points: NDArray[np.float32]) -> None:
        """Draw a stroke along points (K, 2) for a region."""
        way = np.array([self.screen(point) for point in points])
        self.page.locator(f'#regions li[data-region="{region + 1}"]').click()
        self.clicks += 1
        self.page.keyboard.press("c")
        revision = self.state()["revision"]
        self.page.mouse.move(*way[0])
        self.page.keyboard.down("Control")  # else a stroke of a few pixels would be a click
        self.page.mouse.down()
        for at in way[1:]:
            self.page.mouse.move(*at)
        self.page.mouse.up()
        self.page.keyboard.up("Control")
        begun = time.perf_counter()
        expect(self.page.locator("#saved")).to_have_text("saved")
        self.settle()
        self.waits.append(1e3 * (time.perf_counter() - begun))
        assert self.state()["revision"] == revision + 1, "the page did not take a stroke"

    def clean(self) -> None:
        """Give islands and holes to what is around them, and mark the photograph as done."""
        button = self.page.locator("#clean")
        expect(button).to_have_text(re.compile(r"No islands|\d"))
        if button.is_enabled():
            button.click()
            self.clicks += 1
            expect(button).to_have_text(re.compile("No islands"))
            self.settle()
        self.note("cleaned")
        self.page.keyboard.press("Control+Enter")
        check = self.page.locator("#check[open]")
        expect(check.or_(self.page.locator('#done[aria-pressed="true"]')).first).to_be_visible()
        if check.is_visible():
            self.page.keyboard.press("Control+Enter")
        while not self.state()["done"]:
            self.page.wait_for_timeout(50)

    def settle(self) -> None:
        """Wait until the page shows the labels of the newest state."""
        figures = self.page.locator("#figures")
        expect(figures).to_contain_text("px without a region", timeout=LONGEST)
        expect(figures).not_to_contain_text("...", timeout=LONGEST)

    def screen(self, point: NDArray[np.float32]) -> tuple[float, float]:
        """Return where the page shows a point (x, y): the photograph is centred in 96 % of the canvas."""
        box = self.page.locator("#canvas").bounding_box()
        assert box is not None
        height, width = self.sample.region_map.shape
        scale = 0.96 * min(box["width"] / width, box["height"] / height)
        left, top = (
            box[start] + (box[side] - scale * length) / 2
            for start, side, length in (("x", "width", width), ("y", "height", height))
        )
        return float(left + scale * (point[0] + 0.5)), float(top + scale * (point[1] + 0.5))

    def state(self) -> dict[str, int]:
        """Return the state that the server has."""
        found: dict[str, int] = self.page.request.get(f"{self.address}/api/images/{self.number}").json()
        return found

    def labels(self) -> NDArray[np.int64]:
        """Return the labels (H, W) that the page shows: region in [0, N), or -1."""
        url = f"{self.address}/api/images/{self.number}/labels?revision={self.state()['revision']}"
        shape = self.sample.region_map.shape
        body = np.frombuffer(self.page.request.get(url).body()[: 2 * shape[0] * shape[1]], "<u2")
        return body.reshape(shape).astype(np.int64) - 1


def main() -> None:
    """Annotate the images that the arguments name; print a table per photograph."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment")
    parser.add_argument("--checkpoint", default="photos")
    parser.add_argument("--images", type=int, default=2, help="number of images")
    parser.add_argument("--shots", type=Path, help="folder for pictures of the page")
    parser.add_argument("options", nargs="*")
    arguments = parser.parse_intermixed_args()
    config = load_config(f"experiments/{arguments.experiment}.yaml", arguments.options)
    images = evaluation_images(config)
    samples = [images[index].sample for index in range(min(arguments.images, len(images)))]
    plan = Plan(config.study.rounds, Noise(**vars(config.study.noise)), config.seed)
    if arguments.shots is not None:
        arguments.shots.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name, sync_playwright() as started:
        for number, sample in enumerate(samples):
            Image.fromarray(sample.image).save(Path(name) / f"{number:03}.png")
        browser = started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        print(f"{machine()}; {arguments.checkpoint}, seed {config.seed}")
        with serving(Path(name), arguments.checkpoint) as server:
            for number, sample in enumerate(samples):
                session = Session(browser.new_page(viewport=WINDOW), server.address, sample, arguments.shots)
                begun = time.perf_counter()
                session.annotate(number, plan)
                report(session, time.perf_counter() - begun)
        browser.close()


def report(session: Session, seconds: float) -> None:
    """Print what a photograph has taken."""
    count = len(session.sample.classes)
    print(f"\n{session.sample.name}: {count} regions, {seconds:.0f} s with the time of the script")
    for what, row in zip([*range(len(session.rows) - 1), "cleaned"], session.rows, strict=True):
        print(
            f"{what!s:>8}  {row.clicks:4} clicks  {row.strokes:4} strokes ({row.strokes / count:.2f} per region)  "
            f"mean IoU {100 * row.iou:5.1f}  {row.parts:.2f} parts per region"
        )
    middle, most = np.percentile(session.waits or [0], (50, 95))
    print(f"labels after a stroke: median {middle:.0f} ms, 95 % {most:.0f} ms")


if __name__ == "__main__":
    main()
