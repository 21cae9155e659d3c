"""A tiny COCO with both of its parts, and a short script that stands for every training and study."""

import sys
from pathlib import Path

import pytest

from fullseg.data.scenes import write_scenes
from tests.tiny_objects import write_objects

ROOT = Path(__file__).parents[2]
# It writes what the runner and the tables read: the run folder and the result. Scores depend on the stage and the seed.
PROGRAM = """#!{python}
import json, os, pathlib, signal, sys, time
here = pathlib.Path(__file__).parent
job, path = sys.argv[3:5]
options = dict(word.split("=", 1) for word in sys.argv[5:])
target = pathlib.Path(os.environ["FULLSEG_SWEEP_RESULT"])
stage = "/".join(target.parent.parts[-3:]).removeprefix("paper/")
with (here / "ran.txt").open("a") as file:
    file.write(json.dumps([stage, sys.argv[1:]]) + chr(10))
if (here / "fails.txt").is_file() and stage in (here / "fails.txt").read_text().split():
    sys.exit("error: no luck with " + stage)
if (here / "hangs.txt").is_file() and stage in (here / "hangs.txt").read_text().split():
    (target.parent / "latest" / "checkpoints").mkdir(parents=True, exist_ok=True)
    (target.parent / "latest" / "checkpoints" / "last.ckpt").touch()
    (here / "hangs").touch()
    try:
        time.sleep(60)
    except KeyboardInterrupt:
        sys.exit(130)
seed = int(options.get("seed", 0))
known = json.loads((here / "scores.json").read_text())
after = {{key: known[stage.split("/")[-1]] + 0.01 * seed ** 2 for key in ("iou", "iou_independent")}}
study = None
if job == "study":
    after = None
    x = {{"free": [0, 5, 9], "per_region": [0, 4, 6], "single_region": [0, 4.5, 7]}}
    y = {{"free": [0.7, 0.8, 0.9], "per_region": [0.7, 0.74, 0.8], "single_region": [0.6, 0.69, 0.75]}}
    study = {{"hold_scribbles": False, "strategies": {{name: {{
        "scribbles_per_region": x[name], "iou": [value + 0.01 * seed for value in y[name]],
        "iou_ci95": [[value, value] for value in y[name]]}} for name in x}}}}
run = str(time.time_ns())
content = {{"folder": str(target.parent / run), "after": after, "best": None, "study": study, "memory": None}}
target.write_text(json.dumps(content))
"""
SCORES = {
    "maskwise": 0.70,
    "maskwise_shared": 0.71,
    "pixelwise": 0.72,
    "pixelwise_shared": 0.74,
    "full_image_scribble": 0.7,
    "single_region_scribble": 0.7,
    "study": 0,
    "single_region": 0.81,
    "single_region_two_stage": 0.82,
    "dextr": 0.83,
    "dextr_released": 0.84,
}
TINY = [  # added to the tiny options of all tests, so that all networks are quick
    *("model.backbone=resnet10t", "model.dextr.input_size=32", "data.regions_per_image=2", "data.max_bad=0"),
    *("trainer.epochs=1", "trainer.limit_train_batches=1", "scribbles.workers=0", "tracking.wandb=disabled"),
    *("study.rounds=1", "study.workers=1", "study.bootstrap=20"),
]


@pytest.fixture(scope="session")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 4 images for training and 2 for evaluation, as COCO panoptic and as COCO instances."""
    root = tmp_path_factory.mktemp("coco")
    write_scenes(root, train=4, val=2, seed=1)
    write_objects(root, {"train2014": 3, "val2017": 2})
    return root


@pytest.fixture
def options(tiny_options: list[str]) -> list[str]:
    """Return overrides that make every stage quick."""
    return [*(option for option in tiny_options if not option.startswith("data.format")), *TINY]


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> None:
    """Go to the folder of the project, where the stages find their experiments."""
    monkeypatch.chdir(ROOT)


def write_program(path: Path) -> None:
    path.write_text(PROGRAM.format(python=sys.executable))
    path.chmod(0o755)
