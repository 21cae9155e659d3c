"""Opens a split of the data set that the options name."""

import copy
from pathlib import Path
from typing import Any

from fullseg.config.checks import parse_fraction
from fullseg.config.schema import DataConfig
from fullseg.data.coco_instances import CocoInstances
from fullseg.data.coco_panoptic import CocoPanoptic
from fullseg.data.index.partitions import IndexedPartitions
from fullseg.data.mixture import Mixture
from fullseg.data.prepare import prepare
from fullseg.errors import ConfigError


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


def open_training(config: DataConfig, folder: Path) -> IndexedPartitions | Mixture:
    """Open the training split, mixed with the second data set if the options name one.

    Raises:
        DataError: if files are missing or damaged, or if the two have different categories.
    """
    own = open_split(config, folder, "train")
    if not config.mix.part:
        return own
    return Mixture(own, open_split(second := second_data(config), prepare(second), "train"), config.mix.part)


def second_data(config: DataConfig) -> DataConfig:
    """Return the options of the second data set (``data.mix``); raise ConfigError if its folder is not named."""
    second, mix = copy.copy(config), config.mix
    if mix.format != "scenes" and mix.root is None:
        raise ConfigError(f"data.mix.part={mix.part:g}: name the second data set, data.mix.root=FOLDER")
    second.format, second.root, second.train_fraction = mix.format, mix.root, "1/1"
    second.train_split = second.val_split = mix.split
    second.train_annotators = mix.annotators
    return second
