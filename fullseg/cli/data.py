"""``fullseg data``: generate, import or download a data set, or list a part of it."""

import argparse
import sys
from pathlib import Path

from fullseg.config.checks import parse_fraction
from fullseg.data.download.archives import PARTS, archives_of


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    data = commands.add_parser("data", help="generate, import or download a data set, or list a part of it")
    kinds = data.add_subparsers(dest="kind", required=True)
    _add_scenes(kinds)
    _add_bsds500(kinds)
    _add_coco(kinds)
    _add_ids(kinds)


def _add_scenes(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    scenes = kinds.add_parser("scenes", help="generate the embedded procedural scenes as COCO panoptic")
    scenes.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder of the data set")
    scenes.add_argument("--train", type=int, default=400, help="number of training scenes (default: 400)")
    scenes.add_argument("--val", type=int, default=60, help="number of evaluation scenes (default: 60)")
    scenes.add_argument("--seed", type=int, default=0, help="another seed makes other scenes (default: 0)")
    scenes.set_defaults(run=_scenes)


def _add_bsds500(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    bsds500 = kinds.add_parser("bsds500", help="import the original files of BSDS500 as COCO panoptic")
    bsds500.add_argument("--root", type=Path, required=True, help="folder with images/ and groundTruth/")
    bsds500.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder of the data set")
    bsds500.add_argument("--split", nargs="+", default=["train", "val"], help="splits (default: train val)")
    bsds500.add_argument(
        "--min-region-area", type=int, default=25, help="smaller regions become VOID, in pixels (default: 25)"
    )
    bsds500.set_defaults(run=_bsds500)


def _add_coco(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    coco = kinds.add_parser(
        "coco",
        help="download COCO, check it and unpack it",
        description="Downloads, checks and unpacks COCO. After an interruption the same command goes on. Zips that are "
        "already in DIR are used. Every zip is removed once it is unpacked.",
    )
    coco.add_argument(
        "--root", type=Path, required=True, metavar="DIR", help="folder of the data set, the data.root of later runs"
    )
    coco.add_argument(
        "--part",
        nargs="+",
        choices=PARTS,
        default=["panoptic2017"],
        help="panoptic2017 (default): train2017, val2017 and their panoptic annotations, for Table 2; "
        "instances2017: val2017, and instances2014: train2014, each with its instance annotations, for Table 1",
    )
    coco.add_argument("--mirror", metavar="URL", help="another server that has COCO's zips/ and annotations/")
    coco.add_argument(
        "--expect",
        type=Path,
        metavar="coco.json",
        help="coco.json of another machine: stop if an archive differs from the one there",
    )
    coco.set_defaults(run=_coco)


def _add_ids(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    ids = kinds.add_parser("ids", help="print the ids and file names of a part of a COCO panoptic data set")
    ids.add_argument("--root", type=Path, required=True, metavar="DIR", help="folder of the data set, data.root")
    ids.add_argument("--split", default="train", help="split (default: train, which is COCO's train2017)")
    ids.add_argument("--fraction", default="1/8", metavar="K/N", help="the K-th of N parts, or J-K/N (default: 1/8)")
    ids.set_defaults(run=_ids)


def _scenes(options: argparse.Namespace) -> int:
    from fullseg.data.scenes import write_scenes

    write_scenes(options.out, train=options.train, val=options.val, seed=options.seed)
    return 0


def _bsds500(options: argparse.Namespace) -> int:
    from fullseg.data.bsds500 import import_bsds500

    for split in options.split:
        import_bsds500(options.root, options.out, split, min_region_area=options.min_region_area)
    return 0


def _coco(options: argparse.Namespace) -> int:
    from fullseg.data.download.coco import download_coco

    archives = archives_of(options.part)
    for line in download_coco(options.root, archives, mirror=options.mirror, expect=options.expect):
        print(line)
    print(f"COCO is in {options.root}: data.root={options.root} (make: DATA={options.root}); hashes in coco.json there")
    return 0


def _ids(options: argparse.Namespace) -> int:
    from fullseg.data.index.parts import RULE, images_of_part

    images, total = images_of_part(options.root, options.split, parse_fraction("--fraction", options.fraction))
    for number, name in images:
        print(f"{number}\t{name}")
    print(f"{len(images)} of {total} images, part {options.fraction}: {RULE}", file=sys.stderr)
    return 0
