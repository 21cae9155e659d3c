"""Tiles that are small enough for the images of these tests."""

import pytest

from fullseg.model.interactive import image_state


@pytest.fixture(autouse=True)
def _several_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(image_state, "SMALL_TILE", 128)
