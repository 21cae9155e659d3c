"""``fullseg learn``: let a model learn from finished images."""

import argparse
import time
from typing import TYPE_CHECKING

from fullseg.cli.predictor import add_checkpoint
from fullseg.cli.replay import add_finished

if TYPE_CHECKING:
    from fullseg.annotator.learnt import Learnt


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    learn = commands.add_parser("learn", help="let a model learn from the images that a person has finished")
    add_finished(learn)
    add_checkpoint(learn)
    learn.add_argument(
        "--use", action="store_true", help="let the annotator use the new model from now on, if it is better"
    )
    learn.add_argument(
        "--back", action="store_true", help="learn nothing; let the annotator use the model before again"
    )
    learn.add_argument(
        "overrides",
        nargs="*",
        metavar="key=value",
        help="options of the training, for example data.mix.format=bsds500 data.mix.root=/path/to/BSDS500: the data "
        "that the model was made from, so that it forgets nothing",
    )
    learn.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Learn, compare on the images held back, and print what came of it."""
    from fullseg.annotator.learnt import read_models, write_models
    from fullseg.runs.find import find_checkpoint

    out = options.out or options.images / "fullseg"
    if options.back:
        models = read_models(out).back(time.time())
        write_models(out, models)
        print(f"the annotator uses {_name(models.current)} again, from its next start")
        return 0
    from fullseg.journals.courses import finished_images

    finished_images(options.images, out)  # what is missing is said before what takes seconds to import
    checkpoint = find_checkpoint("--checkpoint", options.checkpoint, "runs")

    from fullseg.journals.learning import learn, source_of

    found = learn(options.images, out, source_of(options.checkpoint, checkpoint), options.overrides)
    _print(found)
    if found.better and options.use:
        write_models(out, read_models(out).using(found.name, time.time()))
        print(
            f"the annotator uses it from its next start; back to the one before: fullseg learn {options.images} --back"
        )
    elif found.better:
        print("the annotator offers it; or take it now: the same command with --use")
    else:
        print("it is not better on the images held back, so the annotator does not offer it")
    return 0


def _print(found: "Learnt") -> None:
    (before, after), (many, few) = found.iou, found.strokes
    print(f"learnt from {found.images} images; {found.held_back} were held back. On these, before and after:")
    print(f"  mean IoU without strokes                    {100 * before:5.1f} {100 * after:5.1f}")
    print(f"  strokes per image to equal quality          {many:5.1f} {few:5.1f}")
    if found.remembered is not None:
        was, now = found.remembered
        print(f"  mean IoU on the data that it was made from  {100 * was:5.1f} {100 * now:5.1f}")
    print(f"model       {found.checkpoint}")


def _name(model: "Learnt | None") -> str:
    return model.name if model is not None else "the model that it is started with"
