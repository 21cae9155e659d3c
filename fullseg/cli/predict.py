"""Segment one image from a file of annotations."""

from pathlib import Path

import numpy as np
from PIL import Image

from fullseg.data.coco_panoptic import Category, DataError, NewSample, write_coco_panoptic
from fullseg.formats.annotation_file import read_annotations
from fullseg.model.predictor import Predictor
from fullseg.pictures import overlay, region_colours


def predict(checkpoint: Path, annotations: Path, image: Path, out: Path, device: str) -> Path:
    """Write the region map of an image as COCO panoptic, and a picture of it.

    Args:
        checkpoint: of a training run.
        annotations: JSON file, see ``annotation_file``.
        image: any image that Pillow reads.
        out: new folder for ``images/``, ``panoptic/``, ``panoptic.json`` and ``overlay.png``.
        device: torch device.

    Returns:
        The picture.

    Raises:
        FileNotFoundError: for a missing file.
        FileExistsError: if ``out`` is there already.
        ValueError: for a broken file, or annotations that do not fit the image.
    """
    given = read_annotations(annotations)
    pixels = _read(image)
    if out.exists():
        raise FileExistsError(f"--out {out} exists already: name a new folder")
    predictor = Predictor.from_checkpoint(checkpoint, device)
    predictor.set_image(pixels)
    try:
        region_map = predictor.predict(given)
    except ValueError as error:
        raise ValueError(f"{annotations} does not fit {image}: {error}") from error
    categories = [Category(**category) for category in predictor.categories]
    sample = NewSample(f"{image.stem}.png", pixels, region_map, predictor.classes())
    write_coco_panoptic(out, categories, [sample])
    picture = overlay(pixels, region_map, region_colours(len(given.extreme_points)))
    Image.fromarray(picture).save(out / "overlay.png")
    return out / "overlay.png"


def _read(image: Path) -> "np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]":
    if not image.is_file():
        raise FileNotFoundError(f"no image {image}")
    try:
        with Image.open(image) as file:
            return np.array(file.convert("RGB"))
    except (OSError, ValueError) as error:
        raise DataError(f"{image} can't be read as an image: {error}") from error
