"""Opens a split of the data set that the options name."""

from pathlib import Path
from typing import Any

from fullseg.config.checks import parse_fraction
from fullseg.config.schema import DataConfig
from fullseg.data.coco_instances import CocoInstances
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.index.partitions import IndexedPartitions


def open_split(config: DataConfig, folder: Path, which: str) -> IndexedPartitions:
    """Open a split.

    Args:
        config: the options of the data.
        folder: of the data set, as ``prepare`` returns it.
        which: ``train`` or ``val``.

    Raises:
        DataError: if files are missing or damaged.
    """
    split, annotators, fraction = (getattr(config, f"{which}_{key}") for key in ("split", "annotators", "fraction"))
    limits: dict[str, Any] = {"max_regions": config.max_regions, "skip_bad": config.skip_bad}
    options = limits | {"fraction": parse_fraction(f"data.{which}_fraction", fraction), "cache": Path(config.cache)}
    if config.format == "coco_instances":
        return CocoInstances(folder, split, **options)
    return CocoPanoptic(folder, split, annotators=annotators, **options)
