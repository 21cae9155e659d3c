"""The time from a stroke to new labels: ``python benchmarks/annotator.py [CHECKPOINT]``.

It starts a real server on an image of 640 x 480 px with 15 regions, sends strokes as the page does, and fetches the
labels after each. Without a checkpoint it uses an untrained model of experiments/default.yaml: the time is the same.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np
import torch
from PIL import Image
from serving import serving

from fullseg.config.load import load_config
from fullseg.data.scenes import SCENE_CATEGORIES, generate_scene
from fullseg.model.factory import make_segmenter, without_initial_weights
from fullseg.runs.provenance import machine
from fullseg.training.model_options import model_arguments

WIDTH, HEIGHT, REGIONS, WARM_UP, STROKES = 640, 480, 15, 5, 40


def untrained(path: Path) -> Path:
    """Write a checkpoint of the default experiment's model."""
    config = load_config("experiments/default.yaml")
    model = without_initial_weights(model_arguments(config, len(SCENE_CATEGORIES), background=False))
    state = {f"segmenter.{key}": value for key, value in make_segmenter(model).state_dict().items()}
    categories = [{**category._asdict(), "isthing": int(category.isthing)} for category in SCENE_CATEGORIES]
    torch.save({"state_dict": state, "hyper_parameters": {"model": model, "categories": categories}}, path)
    return path


def quads(rng: np.random.Generator) -> list[list[list[int]]]:
    """Return the extreme points of 15 overlapping boxes in three rows, each a third of the image wide and high."""
    found = []
    for number in range(REGIONS):
        x, y = 110 * (number % 5) + int(rng.integers(0, 20)), 130 * (number // 5) + int(rng.integers(0, 20))
        right, bottom = min(x + 213, WIDTH - 1), min(y + 160, HEIGHT - 1)
        found.append([[x, y + 60], [x + 90, y], [right, y + 80], [x + 100, bottom]])
    return found


def measure(client: httpx.Client) -> tuple[list[float], list[float]]:
    """Return the milliseconds from every stroke until it is acknowledged, and until its labels have arrived."""
    rng = np.random.default_rng(0)
    revision = 0
    for quad in quads(rng):
        client.post("/api/images/0/actions", json={"revision": revision, "action": {"kind": "add", "points": quad}})
        revision += 1
    acknowledged, labelled = [], []
    for number in range(WARM_UP + STROKES):
        region = number % REGIONS
        start = np.array([110 * (region % 5) + 60, 130 * (region // 5) + 60]) + rng.integers(0, 40, 2)
        points = (start + np.cumsum(rng.integers(-4, 5, (20, 2)), axis=0)).clip(0, (WIDTH - 1, HEIGHT - 1)).tolist()
        action = {"kind": "scribbles", "strokes": [{"region": region + 1, "points": points}]}
        begin = time.perf_counter()
        client.post("/api/images/0/actions", json={"revision": revision, "action": action}).raise_for_status()
        acknowledged.append(1e3 * (time.perf_counter() - begin))
        revision += 1
        client.get("/api/images/0/labels", params={"revision": revision}).raise_for_status()
        labelled.append(1e3 * (time.perf_counter() - begin))
    return acknowledged[WARM_UP:], labelled[WARM_UP:]


def main() -> None:
    """Print both times."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        pixels = Image.fromarray(generate_scene(np.random.default_rng(0))[0]).resize((WIDTH, HEIGHT))
        (folder / "images").mkdir()
        pixels.save(folder / "images" / "scene.png")
        checkpoint = Path(sys.argv[1]) if len(sys.argv) > 1 else untrained(folder / "untrained.ckpt")
        with (
            serving(folder / "images", str(checkpoint)) as server,
            httpx.Client(base_url=server.address, headers={"X-Fullseg": "1"}, timeout=60) as client,
        ):
            times = measure(client)
    print(f"{machine()}; {WIDTH} x {HEIGHT} px, {REGIONS} regions, {STROKES} strokes in turn")
    for what, values in zip(("acknowledged (on disk)", "new labels"), times, strict=True):
        print(f"{what:24} median {statistics.median(values):5.0f} ms, 95 % {np.percentile(values, 95):5.0f} ms")


if __name__ == "__main__":
    main()
