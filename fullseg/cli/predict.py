"""``fullseg predict``: segment one image from a file of annotations."""

import argparse
from pathlib import Path

from fullseg.cli.predictor import add_checkpoint, load_predictor
from fullseg.cli.spreading import add_spreading, positive


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command's arguments."""
    predict = commands.add_parser("predict", help="segment one image from a file of annotations")
    predict.add_argument("image", type=Path, metavar="IMAGE", help="any image that Pillow reads")
    add_checkpoint(predict)
    predict.add_argument(
        "--annotations",
        type=Path,
        required=True,
        metavar="FILE.json",
        help='{"regions": [{"extreme_points": [4 of [x, y]: left, top, right, bottom], "scribbles": [[[x, y], ...]]}]}'
        " in pixels; example.json of a run folder is one",
    )
    predict.add_argument("--out", type=Path, required=True, metavar="DIR", help="new folder for the result")
    predict.add_argument("--device", default="cpu", help="torch device (default: cpu)")
    predict.add_argument(
        "--side",
        type=positive,
        metavar="PX",
        help="the network sees larger images reduced to this longer side (default: 1024, as in the annotator)",
    )
    predict.add_argument(
        "--partly",
        action="store_true",
        help="the file has only some regions of the image: a pixel may be of none of them, even in a box",
    )
    add_spreading(predict)
    predict.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Write the region map of the image as COCO panoptic, and a picture of it."""
    from fullseg.errors import DataError
    from fullseg.formats.annotation_file import read_annotations
    from fullseg.formats.image_file import SIDE, read_image, shrink
    from fullseg.runs.find import find_checkpoint

    annotations = read_annotations(options.annotations)  # first, before what takes seconds to import
    if not options.image.is_file():
        raise DataError(f"no image {options.image}")
    pixels = read_image(options.image)
    if options.out.exists():
        raise DataError(f"--out {options.out} exists already: name a new folder")
    checkpoint = find_checkpoint("--checkpoint", options.checkpoint, "runs")

    from PIL import Image

    from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
    from fullseg.pictures import overlay, region_colours

    spreading = {"kriging": options.kriging, "diffusion": options.diffusion}
    predictor = load_predictor(checkpoint, options.device, **spreading)
    size = pixels.shape[0], pixels.shape[1]
    seen = shrink(pixels, options.side or SIDE)
    predictor.set_image(seen)
    scaled = annotations.scaled(seen.shape[1] / size[1], seen.shape[0] / size[0])
    try:
        region_map = predictor.predict(scaled, partly=options.partly)
    except DataError as error:
        raise DataError(f"{options.annotations} does not fit {options.image}: {error}") from error
    if seen.shape != pixels.shape:
        region_map = predictor.enlarged(pixels, region_map)
    sample = NewSample(f"{options.image.stem}.png", pixels, region_map, predictor.classes())
    write_coco_panoptic(options.out, predictor.categories, [sample])
    picture = options.out / "overlay.png"
    Image.fromarray(overlay(pixels, region_map, region_colours(len(annotations.extreme_points)))).save(picture)
    print(f"{options.out}: COCO panoptic of {options.image}; picture {picture}")
    return 0
