"""Several people work on several images: each image's features stay in memory, and nobody waits for an export."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from fullseg import Predictor
from fullseg.annotator import labelling
from fullseg.annotator.layer import Part
from fullseg.annotator.workspace import Workspace
from tests.annotator.conftest import CATEGORIES, QUADS

Start = Callable[[int], Workspace]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Every image that a model was shown, by its first bytes."""
    seen: list[int] = []
    set_image = Predictor.set_image

    def noted(predictor: Predictor, image: NDArray[np.uint8]) -> None:
        seen.append(int.from_bytes(image.tobytes()[:8]))
        set_image(predictor, image)

    monkeypatch.setattr(Predictor, "set_image", noted)
    return seen


def works_on_two(workspace: Workspace) -> dict[str, NDArray[np.int64]]:
    """Mark regions on two images in turn, as two people at once; return their last labels."""
    found = {}
    for revision, quad in enumerate(QUADS):
        for name in ("a.png", "b.png"):
            workspace.act(name, revision, {"kind": "add", "points": quad}, 1.0)
            found[name] = workspace.labels(name, revision + 1)[1].region_map
    return found


def workspace_with(images: Path, out: Path, checkpoint: Path, most_seen: int) -> Workspace:
    load = cache(lambda: Predictor.from_checkpoint(checkpoint))
    return Workspace(images, out, load, CATEGORIES, most_seen=most_seen)


@pytest.mark.parametrize(("most_seen", "times"), [(1, 2 * len(QUADS)), (2, 2)])
def test_an_image_is_shown_once_if_there_is_room_for_all(
    images: Path, tmp_path: Path, tiny_checkpoint: Path, shown: list[int], most_seen: int, times: int
) -> None:
    workspace = workspace_with(images, tmp_path / "out", tiny_checkpoint, most_seen)
    found = works_on_two(workspace)
    assert len(shown) == times
    for name, labels in found.items():
        alone = workspace_with(images, tmp_path / f"{name} alone", tiny_checkpoint, 1)
        for revision, quad in enumerate(QUADS):
            alone.act(name, revision, {"kind": "add", "points": quad}, 1.0)
        np.testing.assert_array_equal(alone.labels(name, len(QUADS))[1].region_map, labels)
        alone.journal.close()
    workspace.journal.close()


def test_another_model_forgets_what_the_first_one_has_seen(
    images: Path, tmp_path: Path, tiny_checkpoint: Path, shown: list[int]
) -> None:
    models = [Predictor.from_checkpoint(tiny_checkpoint) for _ in range(2)]
    workspace = Workspace(images, tmp_path / "out", lambda: models[0], CATEGORIES)
    works_on_two(workspace)
    del models[0]
    workspace.labels("a.png", len(QUADS))
    workspace.labels("b.png", len(QUADS))
    assert len(shown) == 4
    workspace.journal.close()


LARGE = [[100, 200], [500, 10], [900, 200], [500, 470]]  # extreme points on the large images below


def large_images(folder: Path, checkpoint: Path) -> Workspace:
    rng = np.random.default_rng(0)
    for name in ("a.png", "b.png"):
        Image.fromarray(rng.integers(0, 256, (700, 1500, 3), dtype=np.uint8)).save(folder / name)
    return workspace_with(folder, folder / "out", checkpoint, 2)


def test_nobody_waits_for_the_export_of_a_large_image(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labelling, "BAND", 1500 * 20)
    workspace = large_images(tmp_path, tiny_checkpoint)
    for name in ("a.png", "b.png"):
        workspace.act(name, 0, {"kind": "add", "points": LARGE}, 1.0)
        workspace.labels(name, 1)
    started, bands = threading.Event(), 0
    enlarged = Predictor.enlarged

    def counted(predictor: Predictor, *given: object) -> NDArray[np.int64]:
        nonlocal bands
        bands += 1
        if bands == 2:
            started.set()
        return enlarged(predictor, *given)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "enlarged", counted)
    with ThreadPoolExecutor(1) as pool:
        exported = pool.submit(workspace.export, "a.png", 1)
        assert started.wait(60)
        workspace.act("b.png", 1, {"kind": "add", "points": LARGE}, 1.0)
        workspace.labels("b.png", 2)
        answered_at = bands
        exported.result(60)
    assert answered_at < bands == 35
    workspace.journal.close()


@pytest.mark.filterwarnings("error")  # of arrays that are not writable, as PIL's
def test_an_export_has_one_state_even_if_the_image_changes_meanwhile(
    tmp_path: Path, tiny_checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = large_images(tmp_path, tiny_checkpoint)
    opened = workspace.act("a.png", 0, {"kind": "add", "points": LARGE}, 1.0)
    labeller, image = workspace._labeller, np.asarray(Image.open(tmp_path / "a.png"))
    expected = labeller.part(opened, image, Part.whole((700, 1500)))
    monkeypatch.setattr(labelling, "BAND", 1500 * 100)
    newer = workspace.act("a.png", 1, {"kind": "add", "points": [[x // 2 + 5, y // 2 + 5] for x, y in LARGE]}, 1.0)
    assert (labeller.part(newer, image, Part.whole((700, 1500))) != expected).any()

    class Meanwhile:
        def __enter__(self) -> None:
            labeller.labels(newer)

        def __exit__(self, *_: object) -> None:
            pass

    np.testing.assert_array_equal(labeller.exported(opened, Meanwhile()), expected)
    workspace.journal.close()
