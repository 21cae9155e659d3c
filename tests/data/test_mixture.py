from pathlib import Path

import numpy as np
import pytest

from fullseg.config.load import load_config
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.mixture import Mixture
from fullseg.data.scenes import write_scenes
from fullseg.data.splits import open_split
from fullseg.errors import ConfigError, DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import Category


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("few")
    write_scenes(folder, train=3, val=1, seed=2)
    return folder


def mixed(own: Path, second: Path, part: float, cache: Path) -> InteractiveDataModule:
    options = [f"data.root={own}", "data.format=coco_panoptic", f"data.cache={cache}", "data.workers=0"]
    options += [f"data.mix.root={second}", f"data.mix.part={part}", "data.batch_size=2", "data.crop_size=64"]
    data = InteractiveDataModule.from_config(load_config(None, options))
    data.prepare_data()
    data.setup()
    return data


@pytest.mark.parametrize(("part", "own", "theirs"), [(0.5, 3 * 3, 8), (0.75, 3, 8), (0.9, 3, 8 * 3)])
def test_samples_come_in_the_wanted_parts(
    few: Path, tiny_data: Path, tmp_path: Path, part: float, own: int, theirs: int
) -> None:
    data = mixed(few, tiny_data, part, tmp_path)
    mixture = data.train_partitions
    assert isinstance(mixture, Mixture)
    assert len(mixture) == own + theirs
    first, second = (open_split(mixed(root, root, 0, tmp_path).config, root, "train") for root in (few, tiny_data))
    for index in (0, 1, own - 1, own, own + 5, len(mixture) - 1):
        data_set, place = (first, index % 3) if index < own else (second, (index - own) % 8)
        assert mixture.name(index) == data_set.name(place)
        assert np.array_equal(mixture[index].image, data_set[place].image)
    assert len(mixture.image_keys()) == len(mixture)
    assert abs(theirs / len(mixture) - part) < 0.05


def test_batches_are_drawn_from_both_and_the_fingerprint_names_both(few: Path, tiny_data: Path, tmp_path: Path) -> None:
    data = mixed(few, tiny_data, 0.5, tmp_path)
    names = {name for batch in data.train_dataloader() for name in batch.names}
    own = open_split(data.config, few, "train")
    assert {own.name(index) for index in range(3)} < names
    alone = mixed(few, few, 0, tmp_path)
    assert data.fingerprint()["train_hash"] != alone.fingerprint()["train_hash"]
    assert data.fingerprint()["val_hash"] == alone.fingerprint()["val_hash"]


def test_an_evaluation_image_may_be_in_neither(few: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "train").parent.mkdir()
    (other / "train").symlink_to(few / "val")  # its training images are the evaluation images of the first
    with pytest.raises(DataError, match=r"that is also in data.train_split"):
        mixed(few, other, 0.5, tmp_path)


def test_other_categories_are_named(few: Path, tmp_path: Path) -> None:
    sample = NewSample("a.png", np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8), np.int64), np.zeros(1, np.int64))
    write_coco_panoptic(tmp_path / "other" / "train", [Category(1, "fish", isthing=True)], [sample])
    with pytest.raises(DataError, match=r"data.mix: its categories are fish, those of the data"):
        mixed(few, tmp_path / "other", 0.5, tmp_path)


def test_the_options_must_fit() -> None:
    with pytest.raises(ConfigError, match=r"data.mix.part=0.5: name the second data set, data.mix.root=FOLDER"):
        InteractiveDataModule.from_config(load_config(None, ["data.mix.part=0.5"])).prepare_data()
    with pytest.raises(ConfigError, match="single objects"):
        load_config(None, ["data.mix.part=0.5", "data.mix.root=x", "data.format=coco_instances"])
