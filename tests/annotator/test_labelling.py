"""Several people work on several images: each image's features and last prediction stay in memory."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from fullseg import Predictor
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
