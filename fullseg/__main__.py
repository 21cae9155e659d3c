"""The command line: ``python -m fullseg COMMAND``."""

import argparse
import errno
import signal
import sys
from collections.abc import Callable, Sequence

from fullseg.cli.arguments import parse
from fullseg.config.checks import parse_fraction
from fullseg.config.options import ConfigError
from fullseg.config.schema import load_config


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status.

    Errors of the user's making are one message, without a traceback.
    """
    options = parse(arguments)
    try:
        status = COMMANDS[options.command](options)
    except Exception as error:
        if not _users_making(error, options.command):
            raise
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as stop:  # what was under way may have said how to go on
        if str(stop) or type(stop) is KeyboardInterrupt:
            print(str(stop) or "Stopped.", file=sys.stderr)
        return getattr(stop, "status", 128 + signal.SIGINT)
    return status


def _users_making(error: Exception, command: str) -> bool:
    """Tell whether a message says all, or a bug's traceback is needed."""
    full = isinstance(error, OSError) and error.errno == errno.ENOSPC
    if full or isinstance(error, ConfigError):
        return True
    if command not in ("train", "study", "sweep", "reproduce") and isinstance(error, OSError | ValueError):
        return True
    from fullseg.data.index.files import DataError
    from fullseg.model.backbone import WeightsError
    from fullseg.model.predictor import CheckpointError

    return isinstance(error, DataError | WeightsError | CheckpointError)


def _train(options: argparse.Namespace) -> int:
    config = load_config(options.experiment, options.overrides)
    from fullseg.cli.tables import print_result
    from fullseg.sweeps.cell_folder import leave_result
    from fullseg.training.run import train

    result = train(config)
    leave_result(result.folder)
    print_result(result, config)
    return 0


def _study(options: argparse.Namespace) -> int:
    config = load_config(options.experiment, options.overrides)
    from fullseg.cli.tables import print_study
    from fullseg.sweeps.cell_folder import leave_result
    from fullseg.training.run_study import study

    folder, content = study(config)
    if content:  # on the first of several ranks
        leave_result(folder, content)
        print_study(folder, content)
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from fullseg.sweeps.run import sweep

    failed = sweep(
        options.sweep,
        options.overrides,
        experiment=options.experiment,
        runs=options.runs,
        jobs=options.jobs,
        dry_run=options.dry_run,
    )
    return int(failed > 0)


def _reproduce(options: argparse.Namespace) -> int:
    from fullseg.reproduce.run import reproduce

    found = reproduce(options.run, options.overrides, runs=options.runs, anyway=options.anyway)
    return int(found is not None and not found.identical)


def _predict(options: argparse.Namespace) -> int:
    from fullseg.cli.predict import predict

    picture = predict(options.checkpoint, options.annotations, options.image, options.out, options.device)
    print(f"{options.out}: COCO panoptic of {options.image}; picture {picture}")
    return 0


def _annotate(options: argparse.Namespace) -> int:
    from fullseg.cli.annotate import annotate

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


def _evaluate(options: argparse.Namespace) -> int:
    from fullseg.cli.evaluate import run

    run(options.prediction, options.truth, out=options.out, classes=options.classes)
    return 0


def _report(options: argparse.Namespace) -> int:
    from fullseg.report.page import write_report

    print(f"written {write_report(options.runs, options.out)}")
    return 0


def _dashboard(options: argparse.Namespace) -> int:
    from fullseg.tracking.dashboard import as_json, create

    if options.show:
        print(as_json(options.entity or "ENTITY", options.project))
    else:
        print(create(options.entity, options.project, options.runs / "dashboard.json", again=options.again))
    return 0


def _data(options: argparse.Namespace) -> int:
    if options.kind == "coco":
        return _data_coco(options)
    if options.kind == "ids":
        return _data_ids(options)
    from fullseg.data.bsds500 import import_bsds500
    from fullseg.data.scenes import write_scenes

    if options.kind == "scenes":
        write_scenes(options.out, train=options.train, val=options.val, seed=options.seed)
        return 0
    for split in options.split:
        import_bsds500(options.root, options.out, split, min_region_area=options.min_region_area)
    return 0


def _data_coco(options: argparse.Namespace) -> int:
    from fullseg.data.download.archives import archives_of
    from fullseg.data.download.coco import download_coco

    archives = archives_of(options.part)
    for line in download_coco(options.root, archives, mirror=options.mirror, expect=options.expect):
        print(line)
    print(f"COCO is in {options.root}: data.root={options.root} (make: DATA={options.root}); hashes in coco.json there")
    return 0


def _data_ids(options: argparse.Namespace) -> int:
    from fullseg.data.index.parts import RULE, images_of_part

    images, total = images_of_part(options.root, options.split, parse_fraction("--fraction", options.fraction))
    for number, name in images:
        print(f"{number}\t{name}")
    print(f"{len(images)} of {total} images, part {options.fraction}: {RULE}", file=sys.stderr)
    return 0


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "train": _train,
    "study": _study,
    "sweep": _sweep,
    "reproduce": _reproduce,
    "predict": _predict,
    "annotate": _annotate,
    "evaluate": _evaluate,
    "report": _report,
    "dashboard": _dashboard,
    "data": _data,
}

if __name__ == "__main__":
    sys.exit(main())
