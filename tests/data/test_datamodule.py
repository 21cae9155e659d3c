"""Loaders of real files: what they deliver, what they refuse at the start, and what does not stop the training."""

import json
import signal
import warnings
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import lightning as L
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.workers import worker_context
from fullseg.errors import ConfigError, DataError
from fullseg.formats.coco_writer import NewSample, write_coco_panoptic
from fullseg.types import BACKGROUND, VOID, Batch, Category

CATEGORIES = (Category(7, "person", True), Category(200, "sky", False))
SIZE = (40, 50)  # (H, W), px
pytestmark = pytest.mark.filterwarnings("ignore:'pin_memory' argument is set as true")


def sample(name: str, region_map: NDArray[np.int64] | None = None) -> NewSample:
    """Return an image of noise; without a region map it has three regions, one of them a single pixel."""
    rng = np.random.default_rng(list(name.encode()))
    if region_map is None:
        region_map = np.zeros(SIZE, np.int64)
        region_map[20:] = 1
        region_map[30, 25] = 2
    classes = np.arange(region_map.max() + 1) % 2
    return NewSample(name, rng.integers(0, 256, (*region_map.shape, 3), dtype=np.uint8), region_map, classes)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a data set of 6 training and 3 evaluation images."""
    folder = tmp_path / "coco"
    write_coco_panoptic(folder / "train", CATEGORIES, [sample(f"t{k}.png") for k in range(6)])
    write_coco_panoptic(folder / "val", CATEGORIES, [sample(f"v{k}.png") for k in range(3)])
    return folder


def module(root: Path, seed: int = 0, **options: Any) -> InteractiveDataModule:
    defaults: dict[str, Any] = {
        "format": "coco_panoptic",
        "root": str(root),
        "cache": str(root.parent / "cache"),
        "crop_size": 48,
        "scale": [1.0, 1.0],
        "batch_size": 2,
        "workers": 0,
    }
    return InteractiveDataModule(
        DataConfig(**(defaults | options)), extreme_points=ExtremePointsConfig(jitter=2.0), seed=seed
    )


def ready(root: Path, seed: int = 0, **options: Any) -> InteractiveDataModule:
    data = module(root, seed, **options)
    data.prepare_data()
    data.setup("fit")
    return data


def epoch_of(data: InteractiveDataModule, epoch: int = 0) -> list[Batch]:
    """Return the training batches of an epoch as Lightning passes them on."""
    loader = data.train_dataloader()
    loader.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
    return [data.on_after_batch_transfer(batch, 0) for batch in loader]


def evaluation_of(data: InteractiveDataModule) -> list[Batch]:
    return [data.on_after_batch_transfer(batch, 0) for batch in data.val_dataloader()]


def truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def edit(root: Path, change: Callable[[dict[str, Any]], Any], split: str = "train") -> None:
    path = root / split / "panoptic.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


@pytest.mark.parametrize("workers", [0, 2])
def test_training_loader_delivers_crops_of_every_image_once_an_epoch(root: Path, workers: int) -> None:
    data = ready(root, workers=workers)
    batches = epoch_of(data)

    assert [len(batch.names) for batch in batches] == [2, 2, 2]
    assert sorted(name for batch in batches for name in batch.names) == [f"t{k}.png" for k in range(6)]
    for batch in batches:
        assert type(batch) is Batch
        assert batch.images.shape == (2, 3, 48, 48)
        assert batch.region_maps.shape == (2, 48, 48)
        assert int(batch.regions_per_image.sum()) == len(batch.extreme_points) == len(batch.classes)
        assert batch.skipped == ()


def test_loaders_follow_the_seed_and_the_epoch(root: Path) -> None:
    (one, other), third = (ready(root), ready(root)), ready(root, seed=1)
    images = [torch.cat([batch.images for batch in epoch_of(data)]) for data in (one, other, third)]

    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert not torch.equal(images[0], torch.cat([batch.images for batch in epoch_of(one, epoch=1)]))
    orders = {tuple(name for batch in epoch_of(ready(root, seed)) for name in batch.names) for seed in range(5)}
    assert len(orders) > 2


def test_options_of_the_crop_reach_the_samples(root: Path) -> None:
    data = ready(root, crop_size=64, scale=[0.5, 0.5], batch_size=3)
    batches = epoch_of(data)

    assert [len(batch.names) for batch in batches] == [3, 3]
    for batch in batches:
        assert batch.region_maps.shape == (3, 64, 64)
        assert ((batch.region_maps != VOID).sum(dim=(1, 2)) >= 20 * 25 - 1).all()
        assert ((batch.region_maps != VOID).sum(dim=(1, 2)) <= 20 * 25).all()
    for batch in epoch_of(ready(root, min_region_area=2)) + evaluation_of(ready(root, min_region_area=2)):
        assert set(batch.regions_per_image.tolist()) == {2}  # without the single pixel


def test_regions_of_a_training_image_are_limited_and_those_of_evaluation_are_not(root: Path) -> None:
    data = ready(root, regions_per_image=2)
    for batch in epoch_of(data):
        assert batch.regions_per_image.tolist() == [2, 2]
        assert (batch.region_maps == BACKGROUND).any()
    assert [batch.regions_per_image.tolist() for batch in evaluation_of(data)] == [[3], [3], [3]]


@pytest.mark.parametrize("flip", [0.0, 1.0])
def test_flip_and_colour_reach_the_samples(root: Path, flip: float) -> None:
    for batch in epoch_of(ready(root, crop_size=50, flip=flip, colour=0.0)):
        for image, name in zip(batch.images, batch.names, strict=True):
            expected = sample(name).image[:, ::-1] if flip else sample(name).image
            np.testing.assert_array_equal(image.permute(1, 2, 0)[5:45].numpy(), expected)  # between 5 rows of padding
    plain, changed = (epoch_of(ready(root, crop_size=50, flip=flip, colour=colour)) for colour in (0.0, 1.0))
    for before, after in zip(plain, changed, strict=True):
        assert ((before.images != after.images).float().mean(dim=(1, 2, 3)) > 0.4).all()
        assert torch.equal(before.region_maps, after.region_maps)


def test_jitter_is_that_of_the_option_in_training_and_0_in_evaluation(root: Path) -> None:
    data = ready(root, crop_size=50, flip=0.0)
    rows = torch.cat([batch.extreme_points[1::3, 1, 1] for epoch in range(5) for batch in epoch_of(data, epoch)])
    assert set(rows.tolist()) == {25.0, 26.0, 27.0}  # region 1 starts in row 20, below 5 rows of padding
    assert {float(batch.extreme_points[1, 1, 1]) for batch in evaluation_of(data)} == {20.0}


def test_annotators_are_chosen_for_each_split(tmp_path: Path) -> None:
    for split in ("train", "val"):
        image = sample(f"{split}.png")  # another image of the same name
        several = [image._replace(file_name="a.png", annotator=k, median=k == 1) for k in range(3)]
        write_coco_panoptic(tmp_path / split, CATEGORIES, several)
    data = ready(tmp_path, batch_size=1)
    assert sorted(batch.names[0] for batch in epoch_of(data)) == ["a.png#0", "a.png#1", "a.png#2"]
    assert [batch.names for batch in evaluation_of(data)] == [("a.png#1",)]
    data = ready(tmp_path, batch_size=1, train_annotators="2", val_annotators="all")
    assert [batch.names for batch in epoch_of(data)] == [("a.png#2",)]
    assert [batch.names[0] for batch in evaluation_of(data)] == ["a.png#0", "a.png#1", "a.png#2"]


@pytest.mark.parametrize("rename", [False, True])
def test_an_image_that_is_in_both_splits_is_named(tmp_path: Path, rename: bool) -> None:
    shared = sample("shared.png")
    write_coco_panoptic(tmp_path / "train", CATEGORIES, [sample("a.png"), shared])
    again = shared._replace(file_name="other_name.png") if rename else shared
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [sample("b.png"), again])
    name = "other_name.png" if rename else "shared.png"
    with pytest.raises(DataError, match=rf"1 of the 2 samples of data.val_split=val .* for example {name}"):
        ready(tmp_path, batch_size=1)


def test_one_file_for_both_splits_is_refused_and_parts_of_it_are_not(tmp_path: Path) -> None:
    write_coco_panoptic(tmp_path / "all", CATEGORIES, [sample(f"{k}.png") for k in range(8)])
    for entry in (tmp_path / "all").iterdir():
        entry.rename(tmp_path / entry.name)
    with pytest.raises(DataError, match=r"8 of the 8 samples of data\.val_split=vla"):
        ready(tmp_path, batch_size=1, val_split="vla")
    assert len(ready(tmp_path, batch_size=1, val_split="vla", common_images=True).val_partitions) == 8
    parts = ready(tmp_path, batch_size=1, train_fraction="1/2", val_fraction="2/2")
    assert len(parts.train_partitions) + len(parts.val_partitions) == 8


def with_rank(data: InteractiveDataModule, rank: int, ranks: int, **state: int) -> InteractiveDataModule:
    """Let a data module believe that it is on one of several ranks, in a run that has this state."""
    started = {"global_step": 0, "num_training_batches": 1, "accumulate_grad_batches": 1, **state}
    data.trainer = SimpleNamespace(global_rank=rank, world_size=ranks, **started)  # type: ignore[assignment]
    return data


def test_ranks_share_the_images_and_a_resumed_epoch_goes_on(root: Path) -> None:
    whole = [batch.names[0] for batch in epoch_of(ready(root, batch_size=1))]
    seen, evaluated = [], []
    for rank in range(2):
        data = with_rank(ready(root, batch_size=2), rank, 2, global_step=3 + 1, num_training_batches=3)
        seen.append([batch.names[0] for batch in epoch_of(data)])  # 3 steps per epoch, of which this one has done one
        evaluated.append([batch.names[0] for batch in evaluation_of(data)])

    assert seen == [whole[2::2], whole[3::2]]
    assert evaluated == [["v0.png", "v2.png"], ["v1.png"]]


def test_an_epoch_has_the_same_steps_and_a_step_the_same_images_on_any_number_of_ranks(tmp_path: Path) -> None:
    write_coco_panoptic(tmp_path / "train", CATEGORIES, [sample(f"t{k}.png") for k in range(37)])
    write_coco_panoptic(tmp_path / "val", CATEGORIES, [sample("v.png")])
    alone = [set(batch.names) for batch in epoch_of(ready(tmp_path, batch_size=16))]
    assert len(alone) == 2
    for ranks in (8, 16):
        parts = [epoch_of(with_rank(ready(tmp_path, batch_size=16), rank, ranks)) for rank in range(ranks)]
        assert {len(batch.names) for part in parts for batch in part} == {16 // ranks}
        assert [{name for batch in step for name in batch.names} for step in zip(*parts, strict=True)] == alone


def test_a_batch_that_ranks_cannot_share_names_both_numbers(root: Path) -> None:
    data = with_rank(ready(root, batch_size=4), 0, 3)
    message = (
        r"data\.batch_size=4: 3 processes cannot share 4 images evenly; .*multiple of 3, for example data\.batch_size=6"
    )
    with pytest.raises(ConfigError, match=message):
        data.train_dataloader()


def test_workers_leave_ctrl_c_to_the_trainer(root: Path) -> None:
    begin = ready(root).train_dataloader().worker_init_fn
    with worker_context().Pool(1, initializer=begin) as pool:
        assert pool.apply(signal.getsignal, (signal.SIGINT,)) is signal.SIG_IGN


@pytest.mark.parametrize("workers", [0, 1])
def test_every_evaluation_image_comes_once_whole_and_by_itself(root: Path, workers: int) -> None:
    batches = evaluation_of(ready(root, workers=workers, batch_size=2, flip=1.0, scale=[0.5, 0.6]))

    assert [batch.names for batch in batches] == [("v0.png",), ("v1.png",), ("v2.png",)]
    for k, batch in enumerate(batches):
        expected = sample(f"v{k}.png")
        np.testing.assert_array_equal(batch.images[0].permute(1, 2, 0).numpy(), expected.image)
        np.testing.assert_array_equal(batch.region_maps[0].numpy(), expected.region_map)
        assert batch.classes.tolist() == [0, 1, 0]


def test_single_pixel_region_survives_to_the_batch(root: Path) -> None:
    data = ready(root)
    for batch in evaluation_of(data):
        assert batch.regions_per_image.tolist() == [3]
        assert int((batch.region_maps == 2).sum()) == 1
        assert batch.extreme_points[2].tolist() == [[25, 30]] * 4
    for batch in epoch_of(data):  # the crop of 48 px holds column 25 of 50 wherever it lies
        assert batch.regions_per_image.tolist() == [3, 3]
        for k in range(2):
            ((y, x),) = torch.nonzero(batch.region_maps[k] == 2).tolist()
            assert batch.extreme_points[3 * k + 2].tolist() == [[x, y]] * 4


class Recorder(L.LightningModule):
    """A module that trains nothing and keeps what it was given."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))
        self.training_batches: list[tuple[int, Batch]] = []
        self.validation_names: list[tuple[str, ...]] = []

    def training_step(self, batch: Batch, batch_idx: int) -> torch.Tensor:  # noqa: ARG002  Lightning's signature
        self.training_batches.append((self.current_epoch, batch))
        return (0 * self.weight).sum()

    def validation_step(self, batch: Batch, batch_idx: int) -> None:  # noqa: ARG002  Lightning's signature
        self.validation_names.append(batch.names)

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.parameters(), lr=0.1)


def test_trainer_gets_other_crops_every_epoch_and_warnings_once(root: Path, tmp_path: Path) -> None:
    data = module(root)
    data.prepare_data()
    data.setup("fit")
    truncate(root / "train" / "images" / "t4.png")
    recorder = Recorder()
    trainer = L.Trainer(
        max_epochs=3,
        accelerator="cpu",
        devices=1,
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        use_distributed_sampler=False,
        default_root_dir=tmp_path,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trainer.fit(recorder, datamodule=data)

    assert [epoch for epoch, _ in recorder.training_batches] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert all(type(batch) is Batch for _, batch in recorder.training_batches)
    assert all("t4.png" not in batch.names for _, batch in recorder.training_batches)
    crops = [image.numpy().tobytes() for _, batch in recorder.training_batches for image in batch.images]
    assert len(set(crops)) >= 16  # of 18: crops are mostly padding, so two may be alike by chance
    assert recorder.validation_names == 3 * [("v0.png",), ("v1.png",), ("v2.png",)]
    skipped = [str(warning.message) for warning in caught if "skipped" in str(warning.message)]
    assert len(skipped) == 1
    assert skipped[0].startswith("skipped, 1 so far: ")
    assert "t4.png cannot be read" in skipped[0]


def test_fingerprint_is_that_of_the_data_wherever_it_lies(root: Path, tmp_path: Path) -> None:
    before = ready(root).fingerprint()
    assert (before["train_samples"], before["val_samples"]) == (6, 3)
    assert before["train_hash"] != before["val_hash"]

    (tmp_path / "moved").mkdir()
    root.rename(tmp_path / "moved" / "coco")
    assert ready(tmp_path / "moved" / "coco").fingerprint() == before


def test_fingerprint_changes_with_the_data(root: Path) -> None:
    before = ready(root).fingerprint()
    seen = {before["train_hash"]}
    part = ready(root, train_fraction="1/2", batch_size=1).fingerprint()
    assert int(part["train_samples"]) < 6
    seen.add(part["train_hash"])
    for change in (
        lambda content: content["annotations"][0]["segments_info"][0].update(category_id=200),
        lambda content: content["annotations"][1]["segments_info"][0].update(area=1),
        lambda content: content["images"].pop(),
    ):
        edit(root, change)
        after = ready(root).fingerprint()
        assert after["val_hash"] == before["val_hash"]
        seen.add(after["train_hash"])
    assert len(seen) == 5


def test_categories_are_those_of_the_data(root: Path) -> None:
    assert ready(root).categories == CATEGORIES


def test_setting_up_twice_reads_the_files_once(root: Path) -> None:
    data = ready(root)
    partitions = data.train_partitions
    data.setup("validate")
    assert data.train_partitions is partitions


def test_folder_without_data_says_where_it_looked(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no COCO panoptic data: looked for .*train/panoptic\.json"):
        ready(tmp_path)


def test_splits_of_different_categories_are_refused(root: Path) -> None:
    edit(root, lambda content: content["categories"].append({"id": 9, "name": "sea", "isthing": 0}), split="val")
    with pytest.raises(DataError, match="train and val have different categories"):
        ready(root)


def test_too_few_images_for_a_batch_name_the_option(root: Path) -> None:
    data = ready(root, batch_size=7)
    with pytest.raises(DataError, match=r"6 training samples, but a step takes data\.batch_size=7 of them"):
        data.train_dataloader()


def no_region(root: Path) -> None:
    edit(root, lambda content: content["annotations"][2].update(segments_info=[]))


def ten_thousand_regions(root: Path) -> None:
    write_coco_panoptic(root / "many", CATEGORIES, [sample("t2.png", np.arange(10_000).reshape(100, 100))])
    for folder in ("images", "panoptic"):
        (root / "many" / folder / "t2.png").replace(root / "train" / folder / "t2.png")
    segments = json.loads((root / "many" / "panoptic.json").read_text())["annotations"][0]["segments_info"]
    edit(root, lambda content: content["annotations"][2].update(segments_info=segments))
    edit(root, lambda content: content["images"][2].update(width=100, height=100))


def other_size(root: Path) -> None:
    Image.new("RGB", (51, 40)).save(root / "train" / "panoptic" / "t2.png")


def missing_image(root: Path) -> None:
    (root / "train" / "images" / "t2.png").unlink()


def no_image(root: Path) -> None:
    (root / "train" / "images" / "t2.png").write_bytes(b"nothing")


BAD = pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (no_region, r"t2\.png: no region"),
        (ten_thousand_regions, r"t2\.png: 10000 regions, more than data\.max_regions=400"),
        (other_size, r"t2\.png: .*panoptic/t2\.png is 51 x 40, but the JSON says 50 x 40"),
        (missing_image, r"t2\.png: .*images/t2\.png is missing"),
        (no_image, r"t2\.png: .*images/t2\.png is not an image"),
    ],
)


@BAD
def test_bad_sample_is_named_at_start_up(root: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(root)
    with pytest.raises(DataError, match=rf"train/panoptic\.json: 1 of 6 samples are bad; (?s:.*){reason}") as caught:
        ready(root)
    assert "data.skip_bad=true" in str(caught.value)


@BAD
def test_bad_sample_is_left_out_on_demand(root: Path, spoil: Callable[[Path], None], reason: str) -> None:
    spoil(root)
    with pytest.warns(UserWarning, match=rf"left out 1 of 6 samples as bad:\n  {reason}"):
        data = ready(root, skip_bad=True, batch_size=1)
    assert sorted(name for batch in epoch_of(data) for name in batch.names) == [f"t{k}.png" for k in (0, 1, 3, 4, 5)]
    assert data.fingerprint()["train_samples"] == 5


def test_ten_thousand_regions_are_fine_where_they_are_allowed(root: Path) -> None:
    ten_thousand_regions(root)
    data = ready(root, max_regions=10_000, batch_size=1)
    counts = {batch.names[0]: int(batch.regions_per_image[0]) for batch in epoch_of(data)}
    assert counts.pop("t2.png") == 48 * 48
    assert set(counts.values()) == {3}


def test_bad_evaluation_sample_is_named_too(root: Path) -> None:
    (root / "val" / "images" / "v1.png").unlink()
    with pytest.raises(DataError, match=r"val/panoptic\.json: 1 of 3 samples are bad"):
        ready(root)


@pytest.mark.parametrize("workers", [0, 1])
@pytest.mark.parametrize("folder", ["images", "panoptic"])
def test_file_truncated_after_start_up_is_skipped_with_a_warning(root: Path, folder: str, workers: int) -> None:
    data = ready(root, workers=workers)
    truncate(root / "train" / folder / "t2.png")
    with pytest.warns(UserWarning, match=rf"skipped, 1 so far: .*{folder}/t2\.png cannot be read"):
        batches = epoch_of(data)

    names = [name for batch in batches for name in batch.names]
    assert sorted(names) == ["t0.png", "t1.png", "t3.png", "t3.png", "t4.png", "t5.png"]
    assert [len(batch.names) for batch in batches] == [2, 2, 2]


def test_evaluation_image_truncated_after_start_up_counts_nowhere(root: Path) -> None:
    data = ready(root)
    truncate(root / "val" / "images" / "v1.png")
    with pytest.warns(UserWarning, match=r"skipped, 1 so far: .*images/v1\.png cannot be read"):
        batches = evaluation_of(data)

    assert [batch.names for batch in batches] == [("v0.png",), ("v1.png",), ("v2.png",)]
    assert [batch.regions_per_image.tolist() for batch in batches] == [[3], [0], [3]]


def test_more_unreadable_files_than_allowed_stop_the_training(root: Path) -> None:
    for k in (1, 3, 5):
        data = ready(root, max_bad=2)
        truncate(root / "train" / "images" / f"t{k}.png")
    with pytest.warns(UserWarning, match="skipped, "), pytest.raises(DataError) as caught:
        epoch_of(data)
    message = str(caught.value)
    assert message.startswith("3 samples can't be read, more than data.max_bad=2; ")
    assert [f"images/t{k}.png cannot be read" in message for k in range(6)] == [False, True] * 3


def test_as_many_unreadable_files_as_allowed_are_survived_and_counted_once(root: Path) -> None:
    data = ready(root, max_bad=2)
    for k in (1, 3):
        truncate(root / "train" / "images" / f"t{k}.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for epoch in range(3):
            assert len(epoch_of(data, epoch)) == 3
    counted = [str(warning.message)[:17] for warning in caught if "skipped" in str(warning.message)]
    assert counted == ["skipped, 1 so far", "skipped, 2 so far"]


def test_no_unreadable_file_is_allowed_with_max_bad_0(root: Path) -> None:
    data = ready(root, max_bad=0)
    truncate(root / "train" / "images" / "t1.png")
    with pytest.warns(UserWarning, match="skipped, 1"), pytest.raises(DataError, match=r"more than data\.max_bad=0"):
        epoch_of(data)
