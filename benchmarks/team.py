"""How many people one annotator's server serves: ``python benchmarks/team.py [--people 1 2 4 8] [--model photos]``.

A real server, and per person a real page in Chromium with an image of its own: 640 x 480 px with 15 regions. The people
draw strokes at random times, every few seconds on average. The time is from the end of a stroke until the page has its
labels. The pages run on the same machine and need its cores, too; so the table has the server's own share. Also
printed: the actions per second that the journal takes. It needs Linux, playwright and Chromium (FULLSEG_CHROMIUM).
"""

import argparse
import asyncio
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import httpx
import numpy as np
from annotator import HEIGHT, WIDTH, quads
from PIL import Image
from rich.console import Console
from rich.table import Table
from serving import Server, chromium, serving

from fullseg.annotator.actions import Add
from fullseg.annotator.store import Journal
from fullseg.data.scenes import generate_scene
from fullseg.runs.provenance import machine

if TYPE_CHECKING:
    from playwright.async_api import Browser, Page

# Notes for each stroke how long the page was busy with it: from the pointer's release to the labels.
WATCH = """
    window.took = [];
    let began = null, busy = false;
    addEventListener("pointerup", () => { began = performance.now(); busy = false; }, true);
    addEventListener("DOMContentLoaded", () => new MutationObserver(() => {
        const now = document.getElementById("figures").textContent.includes("...");
        if (busy && !now && began !== null) { window.took.push(performance.now() - began); began = null; }
        busy = now;
    }).observe(document.getElementById("figures"), { childList: true, characterData: true, subtree: true }));
"""
WRITERS, WRITING = 8, 3.0  # threads, seconds


class Served(NamedTuple):
    """What one server did for some people."""

    times: list[float]  # ms, per stroke
    busy: float  # seconds of processor time of the server per stroke
    memory: float  # MB, the server's peak


def mark_all(address: str, people: int) -> None:
    """Mark 15 regions on each person's image."""
    with httpx.Client(base_url=address, headers={"X-Fullseg": "1"}, timeout=60) as client:
        for image in range(people):
            for revision, quad in enumerate(quads(np.random.default_rng(image))):
                body = {"revision": revision, "action": {"kind": "add", "points": quad}}
                client.post(f"/api/images/{image}/actions", json=body).raise_for_status()


async def annotate(page: "Page", person: int, every: float, lasts: float) -> list[float]:
    """Draw strokes for some seconds; return the milliseconds that each took."""
    rng = np.random.default_rng(person)
    box = await page.locator("#canvas").bounding_box()
    assert box is not None
    scale = 0.96 * min(box["width"] / WIDTH, box["height"] / HEIGHT)
    centre = np.array([box["x"] + box["width"] / 2, box["y"] + box["height"] / 2])
    await page.keyboard.press("c")
    end = time.monotonic() + lasts
    while time.monotonic() < end:
        await asyncio.sleep(float(np.clip(rng.exponential(every), 0.3, 4 * every)))
        path = rng.uniform((-250, -180), (250, 180)) + np.cumsum(rng.integers(-8, 9, (6, 2)), axis=0)
        screen = (centre + scale * path).tolist()
        await page.mouse.move(*screen[0])
        await page.mouse.down()
        for point in screen[1:]:
            await page.mouse.move(*point)
        await page.mouse.up()
    await page.wait_for_timeout(3000)
    times: list[float] = await page.evaluate("window.took")
    return times[1:]  # the first stroke in a new page also meets cold caches


async def opened(browser: "Browser", address: str, image: int) -> "Page":
    """Open an image in a window of its own, and wait for its labels."""
    page = await (await browser.new_context(viewport={"width": 1280, "height": 800})).new_page()
    await page.add_init_script(WATCH)
    await page.goto(f"{address}/#image=scene{image:02d}.png")
    await page.locator("#figures", has_text="px without").wait_for(timeout=60_000)
    return page


async def with_pages(server: Server, people: int, every: float, lasts: float) -> tuple[list[float], float]:
    """Let people work; return the milliseconds per stroke, and the server's processor time in all."""
    from playwright.async_api import async_playwright

    async with async_playwright() as started:
        browser = await started.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        pages = [await opened(browser, server.address, image) for image in range(people)]
        before = server.seconds()
        work = (annotate(page, person, every, lasts) for person, page in enumerate(pages))
        times = [one for some in await asyncio.gather(*work) for one in some]
        spent = server.seconds() - before
        await browser.close()
    return times, spent


def serve(people: int, in_memory: int, options: argparse.Namespace) -> Served:
    """Measure one server with some people."""
    with tempfile.TemporaryDirectory() as name:
        for image in range(people):
            pixels = Image.fromarray(generate_scene(np.random.default_rng(image))[0]).resize((WIDTH, HEIGHT))
            pixels.save(Path(name) / f"scene{image:02d}.png")
        with serving(Path(name), options.model, "--images-in-memory", str(in_memory)) as server:
            mark_all(server.address, people)
            times, spent = asyncio.run(with_pages(server, people, options.every, options.lasts))
            return Served(times, spent / max(1, len(times)), server.memory())


def journal_rate(threads: int) -> float:
    """Return the actions per second that the journal takes from some threads, each on an image of its own."""
    with tempfile.TemporaryDirectory() as name:
        journal = Journal(Path(name) / "journal.sqlite")
        counts, end = [0] * threads, time.monotonic() + WRITING

        def write(number: int) -> None:
            journal.open_image(str(number), (HEIGHT, WIDTH))
            while time.monotonic() < end:
                points = ((1.0, 2.0), (3.0, 1.0), (5.0, 2.0), (3.0, 4.0))
                counts[number] = journal.append(str(number), counts[number], Add(points=points), 1.0)

        writers = [threading.Thread(target=write, args=(number,)) for number in range(threads)]
        for writer in writers:
            writer.start()
        for writer in writers:
            writer.join()
        journal.close()
        return sum(counts) / WRITING


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, nargs="+", default=[1, 2, 4, 8])
    parser.add_argument("--in-memory", type=int, help="images in memory (default: one per person)")
    parser.add_argument("--every", type=float, default=4.0, help="mean seconds between two strokes of a person")
    parser.add_argument("--lasts", type=float, default=60.0, help="seconds per row")
    parser.add_argument("--model", default="photos")
    options = parser.parse_args()
    title = f"{machine()}; a stroke of every person each {options.every:g} s"
    columns = "people, images in memory, strokes, median ms, 95 % below ms, server's s per stroke, MB"
    table = Table(*columns.split(", "), title=title)
    for people in options.people:
        in_memory = options.in_memory or people
        served = serve(people, in_memory, options)
        low, high = np.percentile(served.times, [50, 95])
        row = (people, in_memory, len(served.times), f"{low:.0f}", f"{high:.0f}")
        table.add_row(*map(str, row), f"{served.busy:.3f}", f"{served.memory:.0f}")
    console = Console(width=120)
    console.print(table)
    for threads in (1, WRITERS):
        console.print(f"journal: {journal_rate(threads):.0f} actions per second from {threads} threads")


if __name__ == "__main__":
    main()
