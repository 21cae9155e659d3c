"""Open the annotator on a folder of images."""

import os
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from fullseg.annotator.categories import read_categories
from fullseg.annotator.serve import serve
from fullseg.annotator.workspace import Workspace
from fullseg.data.scenes import generate_scene
from fullseg.model.predictor import Predictor

SCENES = 6
SCENES_FOLDER = Path("datasets") / "annotator"


def annotate(
    images: Path | None,
    checkpoint: Path | None,
    *,
    categories: Path | None,
    out: Path | None,
    host: str,
    port: int,
    device: str,
) -> None:
    """Serve the page until Ctrl-C.

    Args:
        images: folder of images; None: a few embedded scenes.
        checkpoint: of a training run, or its folder; None: the newest below runs/.
        categories: COCO json with the classes to choose from; None: the checkpoint's.
        out: folder of the journal and the exports; None: ``fullseg/`` in the folder of images.
        host: address to listen at.
        port: likewise.
        device: torch device.

    Raises:
        FileNotFoundError: for a missing folder or file.
        ValueError: for a broken file, or an address that cannot be had.
    """
    given = read_categories(categories) if categories else None
    predictor = Predictor.from_checkpoint(checkpoint or newest_checkpoint(Path("runs")), device)
    images = images or _scenes(SCENES_FOLDER)
    out = (out or images / "fullseg").resolve()
    try:
        workspace = Workspace(images.resolve(), out, predictor, given)
    except PermissionError as error:
        raise ValueError(f"{error}: name a folder for the work that may be written, --out DIR") from error

    def announce(address: str) -> None:
        sys.stderr.write(f"{len(workspace.names)} images of {images}; the work goes to {out}\n")
        sys.stderr.write(f"Open {address} in a browser; Ctrl-C here ends it, nothing is lost.\n")

    serve(workspace, host=host, port=port, announce=announce)


def newest_checkpoint(runs: Path) -> Path:
    """Return the best checkpoint of the newest run; raise FileNotFoundError if there is none."""
    found = sorted(runs.glob("**/checkpoints/best.ckpt"), key=os.path.getmtime)
    if not found:
        raise FileNotFoundError(f"no checkpoint below {runs}/: name one, --checkpoint PATH, or train one, make train")
    return found[-1]


def _scenes(folder: Path) -> Path:
    """Return a folder with a few scenes, made where they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SCENES):
        path = folder / f"scene_{number}.png"
        if not path.is_file():
            Image.fromarray(generate_scene(np.random.default_rng((0, 1, number)))[0]).save(path)
    return folder
