"""The arguments of the command line; what they do is in __main__.py."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fullseg.config.options import describe
from fullseg.config.schema import Config
from fullseg.data.download.archives import PARTS

if TYPE_CHECKING:
    Commands = argparse._SubParsersAction[argparse.ArgumentParser]


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the options of a command line, without the program's name; None: this process's."""
    parser = _parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command in ("sweep", "reproduce"):  # argparse takes no key=value behind an option
        options.overrides += [word for word in rest if not word.startswith("-")]
        rest = [word for word in rest if word.startswith("-")]
    if rest:
        parser.error(f"unrecognized arguments: {' '.join(rest)}")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m fullseg", description="Interactive full image segmentation.")
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

    study = commands.add_parser("study", help="annotate an evaluation set with the simulated annotator")
    study.add_argument("experiment", type=Path, metavar="EXPERIMENT.yaml")
    study.add_argument("overrides", nargs="*", metavar="key=value", help="as of train; checkpoint=, counterpart=")

    _add_sweep(commands)
    _add_reproduce(commands)
    _add_predict(commands)
    _add_annotate(commands)
    _add_evaluate(commands)
    _add_report(commands)
    _add_dashboard(commands)
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


def _add_reproduce(commands: "Commands") -> None:
    reproduce = commands.add_parser(
        "reproduce",
        help="train a run again, study it again, and report every difference",
        epilog="exit status: 0 where all that can be compared is identical, bit for bit; 1 where something differs",
    )
    reproduce.add_argument("run", type=Path, metavar="RUN", help="its folder, for example runs/default/latest")
    reproduce.add_argument("overrides", nargs="*", metavar="key=value", help="as of train: where the data is now, ...")
    reproduce.add_argument(
        "--runs",
        type=Path,
        default=Path("runs/reproduced"),
        metavar="DIR",
        help="of the new run (default: runs/reproduced, so that no experiment's newest run becomes another)",
    )
    reproduce.add_argument("--anyway", action="store_true", help="even from other data or another counterpart")


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


def _add_evaluate(commands: "Commands") -> None:
    evaluate = commands.add_parser("evaluate", help="panoptic quality of one COCO panoptic file against another")
    evaluate.add_argument("prediction", type=Path, metavar="PREDICTION.json", help="its png beside it in PREDICTION/")
    evaluate.add_argument("truth", type=Path, metavar="TRUTH.json")
    evaluate.add_argument("--out", type=Path, metavar="FILE.json", help="write the numbers, of every class too")
    evaluate.add_argument("--classes", action="store_true", help="print every class")


def _add_report(commands: "Commands") -> None:
    report = commands.add_parser("report", help="make one HTML page of one or more runs")
    report.add_argument("runs", type=Path, nargs="+", metavar="RUN_DIR", help="or a study's in it, RUN_DIR/studies/*")
    report.add_argument("--out", type=Path, metavar="FILE.html", help="default: report.html in the first folder")


def _add_dashboard(commands: "Commands") -> None:
    dashboard = commands.add_parser("dashboard", help="create the project's W&B workspace, once")
    dashboard.add_argument("--entity", help="W&B user or team (default: the key's own)")
    dashboard.add_argument("--project", default="fullseg", help="as tracking.project (default: fullseg)")
    dashboard.add_argument("--runs", type=Path, default=Path("runs"), help="folder that remembers it (default: runs)")
    dashboard.add_argument("--again", action="store_true", help="create another where there is one")
    dashboard.add_argument("--show", action="store_true", help="print the definition; needs neither key nor network")


def _add_data(commands: "Commands") -> None:
    data = commands.add_parser("data", help="generate or import a data set as COCO panoptic")
    kinds = data.add_subparsers(dest="kind", required=True)
    scenes = kinds.add_parser("scenes", help="the embedded procedural scenes")
    scenes.add_argument("--out", type=Path, required=True, metavar="DIR")
    scenes.add_argument("--train", type=int, default=400, help="number of training scenes")
    scenes.add_argument("--val", type=int, default=60, help="number of evaluation scenes")
    scenes.add_argument("--seed", type=int, default=0)
    bsds500 = kinds.add_parser("bsds500", help="the original files of BSDS500")
    bsds500.add_argument("--root", type=Path, required=True, help="folder with images/ and groundTruth/")
    bsds500.add_argument("--out", type=Path, required=True, metavar="DIR")
    bsds500.add_argument("--split", nargs="+", default=["train", "val"])
    bsds500.add_argument("--min-region-area", type=int, default=25, help="smaller regions become VOID, in px")
    _add_coco(kinds)
    _add_ids(kinds)


def _add_coco(kinds: "Commands") -> None:
    coco = kinds.add_parser(
        "coco",
        help="download COCO, check it and unpack it",
        description="Downloads, checks and unpacks COCO. Interrupted, the same command goes on. Zips that lie in DIR "
        "already are used, and, like those downloaded, removed once they are unpacked.",
    )
    coco.add_argument("--root", type=Path, required=True, metavar="DIR", help="what data.root (DATA=) is set to then")
    coco.add_argument(
        "--part",
        nargs="+",
        choices=PARTS,
        default=["panoptic2017"],
        help="panoptic2017 (default): train2017, val2017 and panoptic annotations, for Table 2; "
        "instances2017: val2017, and instances2014: train2014, each with its instance annotations, for Table 1",
    )
    coco.add_argument("--mirror", metavar="URL", help="another server with COCO's zips/ and annotations/")
    coco.add_argument(
        "--expect", type=Path, metavar="coco.json", help="of another machine's DIR: have the same archives, by sha256"
    )


def _add_ids(kinds: "Commands") -> None:
    ids = kinds.add_parser(
        "ids", help="print the ids and file names of a part of COCO panoptic data, see data.*_fraction"
    )
    ids.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the data set, data.root")
    ids.add_argument("--split", default="train", help="train (default): COCO's train2017")
    ids.add_argument("--fraction", default="1/8", metavar="K/N", help="the K-th of N parts (default: 1/8)")
