"""``fullseg annotate``: segment images by hand, in the browser."""

import argparse
import functools
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fullseg.cli.predictor import add_checkpoint, load_predictor
from fullseg.cli.spreading import add_spreading, positive

if TYPE_CHECKING:
    from concurrent.futures import Future

    from fullseg.model.predictor import Predictor

PHOTOGRAPHS = Path(__file__).parents[1] / "photographs"  # they come with the package
PHOTOGRAPHS_FOLDER = Path("datasets") / "photographs"  # where they are copied to, as the work goes beside them


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    annotate = commands.add_parser("annotate", help="segment images by hand, in the browser")
    annotate.add_argument(
        "images", type=Path, nargs="?", metavar="IMAGES_DIR", help="folder of images (default: a few photographs)"
    )
    add_checkpoint(annotate)
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
    annotate.add_argument(
        "--images-in-memory",
        type=positive,
        default=2,
        metavar="N",
        help="number of images whose features and labels stay in memory, 0.15 to 0.3 GB each: the person who goes back "
        "to an image need not wait; as many as people annotate at the same time (default: 2)",
    )
    annotate.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    annotate.add_argument(
        "--learn",
        action="append",
        default=[],
        metavar="key=value",
        help="option of the training when the model learns from finished images, as for fullseg learn; it may come "
        "several times",
    )
    add_spreading(annotate)
    annotate.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C. The model is loaded while the page is shown already."""
    from concurrent.futures import ThreadPoolExecutor

    from fullseg.annotator.categories import read_categories
    from fullseg.annotator.learning import Learning, Started, learning_options
    from fullseg.annotator.serve import serve
    from fullseg.annotator.workspace import Workspace
    from fullseg.cli.choices import list_choices
    from fullseg.errors import DataError
    from fullseg.runs.find import find_checkpoint

    given = read_categories(options.categories) if options.categories else None
    checkpoint = find_checkpoint("--checkpoint", options.checkpoint, "runs")
    images = options.images or _photographs(PHOTOGRAPHS_FOLDER)
    out = (options.out or images / "fullseg").resolve()
    started = Started(images.resolve(), out, options.checkpoint, learning_options(options.learn))
    spreading = {"kriging": options.kriging, "diffusion": options.diffusion}
    load = functools.partial(load_predictor, device=options.device, **spreading)
    with ThreadPoolExecutor(1) as background:
        model = background.submit(load, checkpoint)
        model.add_done_callback(lambda loaded: _say_loaded(options.checkpoint, loaded))
        try:
            choices = functools.partial(list_choices, options.checkpoint, Path("runs"))
            learning = Learning(started, model, load, choices)
            workspace = Workspace(
                images.resolve(), out, learning.predictor, given, learning.first, options.images_in_memory
            )
        except PermissionError as error:
            raise DataError(f"{error}: name a folder that can be written, --out DIR") from error

        def announce(address: str) -> None:
            sys.stderr.write(f"{len(workspace.names)} images of {images}; the work goes to {out}\n")
            sys.stderr.write(f"Open {address} in a browser. Ctrl-C here ends the server; nothing is lost.\n")

        serve(workspace, model, host=options.host, port=options.port, announce=announce, learning=learning)
    return 0


def _say_loaded(name: str, model: "Future[Predictor]") -> None:
    if model.exception() is None:
        sys.stderr.write(f"The model {name} is loaded.\n")


def _photographs(folder: Path) -> Path:
    """Return a folder with the photographs of the package; missing ones are copied."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(PHOTOGRAPHS.iterdir()):
        if not (folder / path.name).is_file():
            shutil.copyfile(path, folder / path.name)
    return folder
