"""Fixtures of all tests."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data next to the project ($FULLSEG_DATA wins); skip where there is none."""
    folder = Path(os.environ.get("FULLSEG_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set FULLSEG_DATA to its folder")
    return folder
