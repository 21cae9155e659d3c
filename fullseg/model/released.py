"""Models that are known by name: those that come with fullseg, and those that were downloaded."""

import json
import os
from pathlib import Path
from typing import NamedTuple

from fullseg.errors import CheckpointError

WEIGHTS = Path(__file__).parents[1] / "weights"  # models that come with the package, and the list of all models
MODELS = "models.json"
DEFAULT = "photos"  # the model that annotates photographs where no other one is named


class Released(NamedTuple):
    """One entry of the list of all models."""

    name: str
    about: str  # one line: what it was trained on and how good it is
    size: int  # bytes
    sha256: str  # of the file
    url: str | None = None  # where it can be downloaded; None: it comes with the package

    @property
    def path(self) -> Path:
        """Where the file lies, or will lie after its download."""
        return (WEIGHTS if self.url is None else downloads()) / f"{self.name}.ckpt"


def downloads() -> Path:
    """Return the folder of downloaded models."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "fullseg" / "models"


def released_models() -> list[Released]:
    """Return all models that are known by name."""
    entries = json.loads((WEIGHTS / MODELS).read_text(encoding="utf-8"))
    return [Released(**entry) for entry in entries]


def released_file(name: str) -> Path | None:
    """Return the file of a model that is known by this name; None if no model is.

    Raises:
        CheckpointError: if the model has not been downloaded yet.
    """
    found = next((model for model in released_models() if model.name == name), None)
    if found is not None and not found.path.is_file():
        raise CheckpointError(f"the model {name} is not on this machine yet: fullseg model get {name}")
    return found.path if found is not None else None


def checkpoint_file(path: Path) -> Path:
    """Return the file that is meant: this one, the best checkpoint of this run folder, or the model of this name.

    Raises:
        FileNotFoundError: if there is no such file.
        CheckpointError: if it is a released model that has not been downloaded yet.
    """
    path = path / "checkpoints" / "best.ckpt" if path.is_dir() else path
    found = path if path.is_file() else released_file(str(path))
    if found is None:
        raise FileNotFoundError(f"no checkpoint {path}")
    return found
