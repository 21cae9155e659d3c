"""``fullseg annotate``: segment images by hand, in the browser."""

import argparse
import sys
from pathlib import Path

from fullseg.cli.spreading import add_spreading

SCENES = 6
SCENES_FOLDER = Path("datasets") / "annotator"


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    annotate = commands.add_parser("annotate", help="segment images by hand, in the browser")
    annotate.add_argument(
        "images", type=Path, nargs="?", metavar="IMAGES_DIR", help="folder of images (default: a few embedded scenes)"
    )
    annotate.add_argument(
        "--checkpoint", help="experiment, run folder or checkpoint (default: the newest run below runs/)"
    )
    annotate.add_argument(
        "--categories", type=Path, metavar="FILE.json", help="COCO json with the classes (default: the checkpoint's)"
    )
    annotate.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the journal and the exports (default: IMAGES_DIR/fullseg)"
    )
    annotate.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at (default: 127.0.0.1); with any other address browsers need a token",
    )
    annotate.add_argument("--port", type=int, default=8765, help="port; 0: any free port (default: 8765)")
    annotate.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    add_spreading(annotate)
    annotate.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    from fullseg.annotator.categories import read_categories
    from fullseg.annotator.serve import serve
    from fullseg.annotator.workspace import Workspace
    from fullseg.errors import DataError
    from fullseg.model.predictor import Predictor
    from fullseg.runs.find import find_checkpoint, newest_checkpoint

    given = read_categories(options.categories) if options.categories else None
    runs, named = Path("runs"), options.checkpoint
    checkpoint = find_checkpoint("--checkpoint", named, runs) if named else newest_checkpoint(runs)
    spreading = {"kriging": options.kriging, "diffusion": options.diffusion}
    predictor = Predictor.from_checkpoint(checkpoint, options.device, **spreading)
    images = options.images or _scenes(SCENES_FOLDER)
    out = (options.out or images / "fullseg").resolve()
    try:
        workspace = Workspace(images.resolve(), out, predictor, given)
    except PermissionError as error:
        raise DataError(f"{error}: name a folder that can be written, --out DIR") from error

    def announce(address: str) -> None:
        sys.stderr.write(f"{len(workspace.names)} images of {images}; the work goes to {out}\n")
        sys.stderr.write(f"Open {address} in a browser. Ctrl-C here ends the server; nothing is lost.\n")

    serve(workspace, host=options.host, port=options.port, announce=announce)
    return 0


def _scenes(folder: Path) -> Path:
    """Return a folder with a few scenes; missing ones are generated."""
    import numpy as np
    from PIL import Image

    from fullseg.data.scenes import generate_scene

    folder.mkdir(parents=True, exist_ok=True)
    for number in range(SCENES):
        path = folder / f"scene_{number}.png"
        if not path.is_file():
            Image.fromarray(generate_scene(np.random.default_rng((0, 1, number)))[0]).save(path)
    return folder
