"""The command line: ``python -m fullseg COMMAND``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fullseg.config import Config, load_config
from fullseg.options import ConfigError, describe

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    Errors of the user's making are one message, without a traceback.
    """
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "sweep":  # argparse takes no key=value behind an option
        options.overrides += [word for word in rest if not word.startswith("-")]
        rest = [word for word in rest if word.startswith("-")]
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    from fullseg.data.coco_panoptic import DataError
    from fullseg.model.backbone import WeightsError

    try:
        status: int = options.run(options)
    except (ConfigError, DataError, WeightsError, FileNotFoundError, FileExistsError, ValueError) as error:
        if not isinstance(error, (ConfigError, DataError, WeightsError)) and options.command in (
            "train",
            "study",
            "sweep",
        ):
            raise  # a bug: its traceback is needed
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:  # before or after the part that has a way of its own to stop
        print("Stopped.", file=sys.stderr)
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fullseg", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)

    defaults = "\n".join(f"  {key}={value}\n      {text}" for key, value, text in describe(Config))
    train = commands.add_parser(
        "train",
        help="train one experiment",
        epilog=f"options and their defaults:\n{defaults}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    train.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    train.add_argument("overrides", nargs="*", metavar="key=value")
    train.set_defaults(run=_train)

    study = commands.add_parser("study", help="annotate an evaluation set with the simulated annotator")
    study.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    study.add_argument("overrides", nargs="*", metavar="key=value", help="as of train; checkpoint=, counterpart=")
    study.set_defaults(run=_study)

    _add_sweep(commands)
    _add_predict(commands)
    _add_annotate(commands)
    _add_report(commands)
    _add_data(commands)
    return parser


def _add_sweep(commands: "Commands") -> None:
    sweep = commands.add_parser("sweep", help="run all cells of a W&B sweep here, without its server")
    sweep.add_argument("sweep", type=Path, metavar="SWEEP.yaml", help="as `wandb sweep` takes it")
    sweep.add_argument("overrides", nargs="*", metavar="key=value", help="as of train, for every cell")
    sweep.add_argument("--experiment", type=Path, metavar="EXPERIMENT.yaml", help="instead of the one in the sweep")
    sweep.add_argument("--runs", type=Path, default=Path("runs"), metavar="DIR", help="of all runs (default: runs)")
    sweep.add_argument("--jobs", type=_positive, metavar="N", help="cells at once (default: one a GPU, or one)")
    sweep.add_argument("--dry-run", action="store_true", help="list the cells and run none")
    sweep.set_defaults(run=_sweep)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: a number from 1")
    return int(text)


def _add_predict(commands: "Commands") -> None:
    predict = commands.add_parser("predict", help="segment one image from a file of annotations")
    predict.add_argument("image", type=Path, metavar="IMAGE")
    predict.add_argument("--checkpoint", type=Path, required=True, help="best.ckpt of a run, or the run's folder")
    predict.add_argument("--annotations", type=Path, required=True, metavar="FILE.json")
    predict.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the result")
    predict.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    predict.set_defaults(run=_predict)


def _add_annotate(commands: "Commands") -> None:
    annotate = commands.add_parser("annotate", help="segment images by hand, in the browser")
    annotate.add_argument(
        "images", type=Path, nargs="?", metavar="IMAGES_DIR", help="folder of images (default: embedded scenes)"
    )
    annotate.add_argument("--checkpoint", type=Path, help="of a run, or its folder (default: the newest below runs/)")
    annotate.add_argument(
        "--categories", type=Path, metavar="FILE.json", help="COCO json with the classes (default: the checkpoint's)"
    )
    annotate.add_argument(
        "--out", type=Path, metavar="DIR", help="folder of the journal and exports (default: IMAGES_DIR/fullseg)"
    )
    annotate.add_argument(
        "--host", default="127.0.0.1", help="address to listen at (default: 127.0.0.1); any other needs a token"
    )
    annotate.add_argument("--port", type=int, default=8765, help="0 for any that is free (default: 8765)")
    annotate.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    annotate.set_defaults(run=_annotate)


def _add_report(commands: "Commands") -> None:
    report = commands.add_parser("report", help="make one HTML page of one or more runs")
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR")
    report.add_argument("--out", type=Path, metavar="FILE.html", help="default: report.html in the first run's folder")
    report.set_defaults(run=_report)


def _add_data(commands: "Commands") -> None:
    data = commands.add_parser("data", help="generate or import a data set as COCO panoptic")
    kinds = data.add_subparsers(dest="kind", required=True)
    scenes = kinds.add_parser("scenes", help="the embedded procedural scenes")
    scenes.add_argument("--out", type=Path, required=True, metavar="DIR")
    scenes.add_argument("--train", type=int, default=400, help="number of training scenes")
    scenes.add_argument("--val", type=int, default=60, help="number of evaluation scenes")
    scenes.add_argument("--seed", type=int, default=0)
    scenes.set_defaults(run=_scenes)
    bsds500 = kinds.add_parser("bsds500", help="the original files of BSDS500")
    bsds500.add_argument("--root", type=Path, required=True, help="folder with images/ and groundTruth/")
    bsds500.add_argument("--out", type=Path, required=True, metavar="DIR")
    bsds500.add_argument("--split", nargs="+", default=["train", "val"])
    bsds500.add_argument("--min-region-area", type=int, default=25, help="smaller regions become VOID, in px")
    bsds500.set_defaults(run=_bsds500)


def _train(options: argparse.Namespace) -> int:
    config = load_config(options.experiment, options.overrides)
    from fullseg.training.folder import Interrupted
    from fullseg.training.run import train
    from fullseg.training.sweep_folder import leave_result
    from fullseg.training.table import print_result

    try:
        result = train(config)
        leave_result(result.folder)
        print_result(result, config)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    return 0


def _study(options: argparse.Namespace) -> int:
    config = load_config(options.experiment, options.overrides)
    from fullseg.training.folder import Interrupted
    from fullseg.training.run_study import study
    from fullseg.training.sweep_folder import leave_result
    from fullseg.training.table import print_study

    try:
        folder, content = study(config)
        if content:  # on the first of several ranks
            leave_result(folder, content)
            print_study(folder, content)
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from fullseg.training.folder import Interrupted
    from fullseg.training.sweep import sweep

    try:
        failed = sweep(
            options.sweep,
            options.overrides,
            experiment=options.experiment,
            runs=options.runs,
            jobs=options.jobs,
            dry_run=options.dry_run,
        )
    except Interrupted as stop:
        print(stop, file=sys.stderr)
        return 130
    return int(failed > 0)


def _predict(options: argparse.Namespace) -> int:
    from fullseg.predict import predict

    picture = predict(options.checkpoint, options.annotations, options.image, options.out, options.device)
    print(f"{options.out}: COCO panoptic of {options.image}; picture {picture}")
    return 0


def _annotate(options: argparse.Namespace) -> int:
    from fullseg.annotate import annotate

    annotate(
        options.images,
        options.checkpoint,
        categories=options.categories,
        out=options.out,
        host=options.host,
        port=options.port,
        device=options.device,
    )
    return 0


def _report(options: argparse.Namespace) -> int:
    from fullseg.report import write_report

    print(f"written {write_report(options.runs, options.out)}")
    return 0


def _scenes(options: argparse.Namespace) -> int:
    from fullseg.data.scenes import write_scenes

    write_scenes(options.out, train=options.train, val=options.val, seed=options.seed)
    return 0


def _bsds500(options: argparse.Namespace) -> int:
    from fullseg.data.bsds500 import import_bsds500

    for split in options.split:
        import_bsds500(options.root, options.out, split, min_region_area=options.min_region_area)
    return 0


if __name__ == "__main__":
    sys.exit(main())
