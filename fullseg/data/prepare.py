"""Brings a data set to this disk as COCO panoptic: generates it, imports it, or finds it."""

import hashlib
from pathlib import Path

from fullseg.config.schema import DataConfig
from fullseg.data.bsds500 import import_bsds500
from fullseg.data.scenes import write_scenes
from fullseg.errors import DataError

SCENES = {"train": 400, "val": 60, "seed": 0}  # every run uses the same embedded data set


def prepare(config: DataConfig) -> Path:
    """Generate or import the data set if that has not been done yet, and return its folder as COCO panoptic.

    Several processes may call this at once: one of them writes a split, the others wait for it.

    Raises:
        DataError: if ``data.root`` is needed and missing, if its files are missing or broken, or if ``data.cache``
            cannot be written.
    """
    if config.format == "scenes":
        folder = Path(config.cache) / "scenes-{train}-{val}-{seed}".format(**SCENES)
        if not all((folder / split).exists() for split in ("train", "val")):
            write_scenes(folder, **SCENES, exist_ok=True)
        return folder
    if config.root is None:
        raise DataError(f"data.format={config.format} needs data.root=FOLDER (make: DATA=FOLDER)")
    root = Path(config.root)
    if not root.is_dir():
        raise DataError(f"data.root={config.root}: no such folder")
    if config.format in ("coco_panoptic", "coco_instances"):
        return root
    origin = hashlib.sha256(str(root.resolve()).encode()).hexdigest()[:8]
    folder = Path(config.cache) / f"bsds500-{config.min_region_area}px-{origin}"
    for split in {config.train_split, config.val_split}:
        if not (folder / split).exists():
            import_bsds500(root, folder, split, min_region_area=config.min_region_area, exist_ok=True)
    return folder
