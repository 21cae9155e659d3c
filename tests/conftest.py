"""Fixtures of all tests."""

import os
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import torch

from fullseg.data.scenes import write_scenes
from fullseg.model.region_segmenter import RegionSegmenter

pytest_plugins = ["tests.tiny_runs", "tests.annotated_people"]


def pytest_configure() -> None:
    """Set up hypothesis, and give all processes one thread each: more threads than cores would slow all down."""
    hypothesis.settings.register_profile("fullseg", deadline=None)  # on a busy machine the first example may take long
    hypothesis.settings.load_profile("fullseg")
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the files that have slow tests: a long file at the end would leave the other cores without work."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data: $FULLSEG_DATA, or the one next to the project; skip the test if there is none."""
    folder = Path(os.environ.get("FULLSEG_DATA", Path(__file__).parents[1].parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real data at {folder}: set FULLSEG_DATA to its folder")
    return folder


@pytest.fixture(scope="session")
def tiny_model() -> dict[str, Any]:
    """Return arguments of a RegionSegmenter that is quick to run and knows two classes."""
    return {
        "backbone": "tf_efficientnet_lite0",
        "pretrained": False,
        "features": "fpn",
        "stride": 4,
        "feature_channels": 8,
        "roi_size": 9,
        "mask_size": 9,
        "head": "light",
        "head_channels": 8,
        "head_dilations": [1, 2],
        "box_maps": True,
        "share": "all",
        "annotation_encoding": "binary",
        "background": False,
        "num_classes": 2,
        "mix_classes": True,
    }


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory, tiny_model: dict[str, Any]) -> Path:
    """Return a checkpoint of an untrained tiny model."""
    torch.manual_seed(0)
    state = {f"segmenter.{key}": value for key, value in RegionSegmenter(**tiny_model).state_dict().items()}
    categories = [{"id": number, "name": f"class {number}", "isthing": True} for number in (1, 2)]
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.ckpt"
    torch.save(
        {
            "state_dict": state,
            "hyper_parameters": {"model": {"name": "region", **tiny_model}, "categories": categories},
        },
        path,
    )
    return path


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 8 training and 3 evaluation scenes as COCO panoptic."""
    folder = tmp_path_factory.mktemp("data")
    write_scenes(folder, train=8, val=3, seed=1)
    return folder


@pytest.fixture(scope="session")
def tiny_options(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Return overrides that make any experiment quick; the data is ``tiny_data``."""
    return [
        "data.format=coco_panoptic",
        f"data.cache={tmp_path_factory.mktemp('cache')}",
        "data.train_fraction=1/1",
        "data.val_fraction=1/1",
        "data.crop_size=64",
        "data.batch_size=2",
        "data.workers=0",
        "model.pretrained=false",
        "model.feature_channels=8",
        "model.head_channels=8",
        "model.roi_size=9",
        "model.mask_size=9",
        "optimizer.warmup_steps=1",
        "trainer.progress_bar=false",
        "trainer.accelerator=cpu",
        "trainer.precision=32-true",
        "tracking.pictures=1",
    ]
