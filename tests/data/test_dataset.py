"""Samples: a training sample is a function of (seed, epoch, index) alone, an evaluation sample of (seed, index)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.utils.data import DataLoader

from fullseg.data.dataset import TRIES, EpochSampler, EvaluationSet, Item, TrainingSet, collate
from fullseg.data.index.partitions import Partition
from fullseg.data.transforms import training_transform
from fullseg.errors import DataError
from fullseg.types import BACKGROUND, VOID, Batch, SampleKey

CROP = 40
GEOMETRY = training_transform(crop_size=CROP, scale=(0.75, 1.25), flip=0.5, colour=0)


class Partitions:
    """Images in memory, some of which can't be read."""

    def __init__(self, partitions: list[Partition], bad: Iterable[int] = ()) -> None:
        self.partitions, self.bad = partitions, set(bad)

    def __len__(self) -> int:
        return len(self.partitions)

    def __getitem__(self, index: int) -> Partition:
        if index in self.bad:
            raise DataError(f"{self.name(index)} cannot be read")
        return self.partitions[index]

    def name(self, index: int) -> str:
        return self.partitions[index].name


def partition(name: str, region_map: NDArray[np.int64], seed: int = 0) -> Partition:
    image = np.random.default_rng(seed).integers(0, 256, (*region_map.shape, 3), dtype=np.uint8)
    return Partition(name, image, region_map, np.arange(region_map.max() + 1) + 10)


def blocks(height: int = 60, width: int = 56) -> NDArray[np.int64]:
    """Return 16 blocks of about 15 x 14 px, the last of them VOID."""
    y, x = np.mgrid[:height, :width]
    numbers = (4 * y // height) * 4 + 4 * x // width
    return np.where(numbers == 15, VOID, numbers)


def some(count: int, bad: Iterable[int] = (), seed: int = 0) -> Partitions:
    return Partitions([partition(f"{k}.png", blocks(), seed + k) for k in range(count)], bad)


def training_set(partitions: Partitions, **options: Any) -> TrainingSet:
    transform = training_transform(crop_size=CROP, scale=(0.75, 1.25), flip=0.5, colour=0.5)
    defaults: dict[str, Any] = {
        "transform": transform,
        "jitter": 5.0,
        "vary_jitter": False,
        "min_region_area": 1,
        "regions_per_image": 0,
        "partly_marked": 0.0,
        "seed": 0,
    }
    return TrainingSet(partitions, **(defaults | options))


def content(item: Item) -> tuple[bytes, ...]:
    """Return all that a sample holds, to compare it with others."""
    sample = item.sample
    arrays = (sample.image, sample.region_map, sample.classes, sample.extreme_points)
    return (sample.name.encode(), *(array.tobytes() for array in arrays))


def contents(batch: Batch) -> list[tuple[bytes, ...]]:
    """Return the same of all samples of a batch."""
    found = []
    points = batch.extreme_points.split(batch.regions_per_image.tolist())
    classes = batch.classes.split(batch.regions_per_image.tolist())
    for k, name in enumerate(batch.names):
        arrays = (batch.images[k].permute(1, 2, 0).contiguous(), batch.region_maps[k], classes[k], points[k])
        found.append((name.encode(), *(array.numpy().tobytes() for array in arrays)))
    return found


def test_training_sample_is_a_function_of_seed_epoch_and_index() -> None:
    dataset, again = training_set(some(4)), training_set(some(4))
    keys = [SampleKey(epoch, index) for epoch in range(3) for index in range(4)]
    first = [content(dataset[key]) for key in keys]
    backwards = [content(again[key]) for key in reversed(keys)][::-1]

    assert first == backwards
    assert [content(dataset[key]) for key in keys] == first


def test_training_samples_differ_between_epochs_indices_and_seeds() -> None:
    same = Partitions([partition("a.png", blocks())] * 4)
    datasets = [training_set(same, transform=GEOMETRY, seed=seed) for seed in range(3)]
    keys = [SampleKey(epoch, index) for epoch in range(3) for index in range(4)]
    samples = [content(dataset[key]) for dataset in datasets for key in keys]

    assert len({image for _, image, *_ in samples}) == 36
    assert len({points for *_, points in samples}) == 36


def test_in_some_samples_only_some_regions_are_annotated_and_the_rest_is_background() -> None:
    keys = [SampleKey(epoch, index) for epoch in range(10) for index in range(4)]
    whole, half, all_ = (training_set(some(4), transform=GEOMETRY, partly_marked=part) for part in (0, 0.5, 1))
    counts = []
    for key in keys:
        sample, partly = whole[key].sample, all_[key].sample
        assert not sample.partly
        assert partly.partly
        assert 1 <= len(partly.classes) == len(partly.extreme_points) < len(sample.classes)
        regions = np.arange(len(partly.classes))
        shown = [np.unique(sample.region_map[partly.region_map == region]) for region in regions]
        assert [len(found) for found in shown] == len(regions) * [1]  # each is one region of the whole sample
        np.testing.assert_array_equal(partly.classes, sample.classes[np.concatenate(shown)])
        np.testing.assert_array_equal(partly.region_map == VOID, sample.region_map == VOID)
        assert (partly.region_map == BACKGROUND).any()
        counts.append(len(partly.classes) / len(sample.classes))
    assert min(counts) < 0.2
    assert max(counts) > 0.8
    assert 10 < sum(half[key].sample.partly for key in keys) < 30
    batch = collate([all_[keys[0]], whole[keys[0]]])
    assert batch.partly.tolist() == [True, False]


@pytest.mark.parametrize(("workers", "batch_size"), [(0, 1), (0, 3), (1, 2), (2, 1), (2, 2), (2, 3)])
def test_loader_delivers_the_same_samples_with_any_number_of_workers_and_any_batch_size(
    workers: int, batch_size: int
) -> None:
    dataset = training_set(some(6))
    sampler = EpochSampler(6, batch_size=batch_size, rank=0, ranks=1, seed=0)
    loader = DataLoader(
        dataset,
        batch_size=batch_size,
        sampler=sampler,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    for epoch in (0, 1):
        sampler.set_epoch(epoch)
        delivered = [sample for batch in loader for sample in contents(batch)]
        sampler.set_epoch(epoch)
        keys = list(sampler)

        assert sorted(key.index for key in keys) == list(range(6))
        assert delivered == [content(dataset[key]) for key in keys]


def test_crop_keeps_some_regions_and_the_others_are_background() -> None:
    whole, few = (training_set(some(6), regions_per_image=most) for most in (0, 3))
    chosen = set()
    for key in (SampleKey(epoch, index) for epoch in range(3) for index in range(6)):
        sample, every = few[key].sample, whole[key].sample
        assert content(few[key]) == content(few[key])
        assert len(sample.classes) == 3 < len(every.classes)
        np.testing.assert_array_equal(sample.image, every.image)
        places = np.searchsorted(every.classes, sample.classes)  # in this data every region has a class of its own
        expected = np.where(every.region_map >= 0, BACKGROUND, every.region_map)
        for region, place in enumerate(places):
            expected[every.region_map == place] = region
        np.testing.assert_array_equal(sample.region_map, expected)
        x, y = sample.extreme_points.astype(int).transpose(2, 0, 1)
        np.testing.assert_array_equal(sample.region_map[y, x], np.repeat(np.arange(3)[:, None], 4, axis=1))
        chosen.add(tuple(places.tolist()))
    assert len(chosen) > 10


def test_two_workers_augment_differently() -> None:
    same = Partitions([partition("a.png", blocks())] * 6)
    sampler = EpochSampler(6, batch_size=1, rank=0, ranks=1, seed=0)
    dataset = training_set(same, transform=GEOMETRY)
    loader = DataLoader(dataset, batch_size=1, sampler=sampler, collate_fn=collate, num_workers=2)
    delivered = [sample for batch in loader for sample in contents(batch)]

    assert len({image for _, image, *_ in delivered}) == 6
    assert len({points for *_, points in delivered}) == 6


def test_crop_has_its_size_types_and_points_that_lie_in_their_regions() -> None:
    dataset = training_set(some(2))
    moved = 0
    for key in [SampleKey(epoch, index) for epoch in range(10) for index in range(2)]:
        sample = dataset[key].sample
        points = sample.extreme_points
        count = len(sample.classes)

        assert sample.image.shape == (CROP, CROP, 3)
        assert sample.image.dtype == np.uint8
        assert sample.region_map.shape == (CROP, CROP)
        assert sample.region_map.dtype == sample.classes.dtype == np.int64
        assert set(np.unique(sample.region_map)) - {VOID} == set(range(count))
        assert points.shape == (count, 4, 2)
        assert points.dtype == np.float32
        x, y = points.astype(int).transpose(2, 0, 1)
        np.testing.assert_array_equal(sample.region_map[y, x], np.repeat(np.arange(count)[:, None], 4, axis=1))
        distances = np.abs(points_to_sides(points) - sides(sample.region_map, count))
        assert distances.max() <= 5
        moved += int((distances > 0).sum())
    assert moved > 100  # the jitter is there


def sides(region_map: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Return (N, 4): left column, top row, right column, bottom row of every region."""
    found = [np.nonzero(region_map == region) for region in range(count)]
    return np.array([(x.min(), y.min(), x.max(), y.max()) for y, x in found]).reshape(-1, 4)


def points_to_sides(points: NDArray[np.float32]) -> NDArray[np.float32]:
    return points[:, [0, 1, 2, 3], [0, 1, 0, 1]]


def test_without_jitter_the_points_are_extreme() -> None:
    sample = training_set(some(1), jitter=0.0)[SampleKey(0, 0)].sample
    found = points_to_sides(sample.extreme_points)
    np.testing.assert_array_equal(found, sides(sample.region_map, len(sample.classes)))


def test_each_sample_draws_its_own_jitter_if_wanted() -> None:
    exact, five, varied = (
        training_set(some(1), transform=GEOMETRY, jitter=jitter, vary_jitter=vary)
        for jitter, vary in ((0.0, False), (5.0, False), (5.0, True))
    )
    furthest = {}
    for name, dataset in (("exact", exact), ("five", five), ("varied", varied)):
        samples = [dataset[SampleKey(epoch, 0)].sample for epoch in range(60)]
        furthest[name] = [
            int(np.abs(points_to_sides(s.extreme_points) - sides(s.region_map, len(s.classes))).max()) for s in samples
        ]
    assert set(furthest["exact"]) == {0}
    assert set(furthest["five"]) == {5}
    assert set(furthest["varied"]) == {0, 1, 2, 3, 4, 5}


def test_classes_stay_with_their_regions() -> None:
    """Colour is off and every region is painted in the colour of its class."""
    region_map = blocks()
    painted = np.repeat(10 * (region_map + 1)[..., None], 3, axis=2).astype(np.uint8)
    one = Partitions([Partition("a.png", painted, region_map, np.random.default_rng(0).permutation(15))])
    colour_of = {int(label): 10 * (region + 1) for region, label in enumerate(one[0].classes)}
    transform = training_transform(crop_size=CROP, scale=(1, 1), flip=0.5, colour=0)
    dataset = training_set(one, transform=transform, min_region_area=30)
    dropped = 0
    for epoch in range(10):
        sample = dataset[SampleKey(epoch, 0)].sample
        assert len(sample.classes) > 3
        for region, label in enumerate(sample.classes):
            here = sample.region_map == region
            assert here.sum() >= 30
            assert (sample.image[here] == colour_of[int(label)]).all()
        dropped += len(set(np.unique(sample.image)) - {0, *(colour_of[int(label)] for label in sample.classes)})
    assert dropped > 0  # some regions are visible with too few pixels


def test_unreadable_sample_is_replaced_by_the_next_and_reported() -> None:
    dataset = training_set(some(5, bad=[1, 2, 4]))

    for index, name, skipped in [
        (0, "0.png", ()),
        (1, "3.png", ("1.png cannot be read", "2.png cannot be read")),
        (2, "3.png", ("2.png cannot be read",)),
        (4, "0.png", ("4.png cannot be read",)),
    ]:
        item = dataset[SampleKey(0, index)]
        assert item.sample.name == name
        assert item.skipped == skipped
    assert content(dataset[SampleKey(0, 2)]) != content(dataset[SampleKey(0, 3)])  # the replacement is another crop


def test_replacements_arrive_in_the_batch_through_workers() -> None:
    sampler = EpochSampler(4, batch_size=4, rank=0, ranks=1, seed=0)
    dataset = training_set(some(4, bad=[2, 3]))
    (batch,) = DataLoader(dataset, batch_size=4, sampler=sampler, collate_fn=collate, num_workers=1)

    assert set(batch.names) == {"0.png", "1.png"}
    assert sorted(batch.skipped) == ["2.png cannot be read", "3.png cannot be read", "3.png cannot be read"]
    assert len(batch.images) == 4


@pytest.mark.parametrize("workers", [0, 1])
def test_where_nothing_can_be_read_the_error_says_so(workers: int) -> None:
    sampler = EpochSampler(30, batch_size=30, rank=0, ranks=1, seed=0)
    dataset = training_set(some(30, bad=range(30)))
    loader = DataLoader(dataset, batch_size=30, sampler=sampler, collate_fn=collate, num_workers=workers)
    batches = iter(loader)
    with pytest.raises(DataError) as caught:
        next(batches)
    assert list(batches) == []  # torch takes 5 s to end a worker whose loader is not run to its end
    first = next(iter(sampler)).index
    message = str(caught.value)
    assert f"no usable sample among {TRIES} from {first}.png on:" in message
    assert message.count("cannot be read") == TRIES


def test_crop_without_a_region_is_drawn_again() -> None:
    region_map = np.full((100, 100), VOID)
    region_map[:45, :45] = 0
    crop = training_transform(crop_size=CROP, scale=(1, 1), flip=0, colour=0)
    dataset = training_set(Partitions([partition("a.png", region_map)]), transform=crop)
    items = [dataset[SampleKey(epoch, 0)] for epoch in range(30)]

    assert all(item.sample.classes.tolist() == [10] for item in items)
    assert all(item.skipped == () for item in items)  # nothing is wrong with the image
    assert len({content(item) for item in items}) == 30


def test_where_no_crop_holds_a_region_the_error_says_so() -> None:
    empty = Partition("a.png", np.zeros((60, 60, 3), np.uint8), np.full((60, 60), VOID), np.zeros(0, np.int64))
    with pytest.raises(DataError, match=r"no usable sample among 20 from a\.png on:\n  no crop holds a region"):
        training_set(Partitions([empty]))[SampleKey(0, 0)]


def test_smaller_regions_than_the_least_area_are_no_regions_of_the_crop() -> None:
    dataset = training_set(some(1), min_region_area=150)
    for epoch in range(10):
        sample = dataset[SampleKey(epoch, 0)].sample
        assert np.bincount(sample.region_map[sample.region_map != VOID]).min() >= 150


def test_evaluation_sample_is_the_whole_image_with_exact_points() -> None:
    partitions = some(3)
    dataset = EvaluationSet(partitions, min_region_area=1, seed=0)
    assert len(dataset) == 3
    for index in range(3):
        sample, skipped = dataset[index]
        np.testing.assert_array_equal(sample.image, partitions[index].image)
        np.testing.assert_array_equal(sample.region_map, partitions[index].region_map)
        np.testing.assert_array_equal(sample.classes, partitions[index].classes)
        found = sample.extreme_points
        x, y = found.astype(int).transpose(2, 0, 1)
        np.testing.assert_array_equal(points_to_sides(found), sides(sample.region_map, 15))
        np.testing.assert_array_equal(sample.region_map[y, x], np.repeat(np.arange(15)[:, None], 4, axis=1))
        assert sample.name == f"{index}.png"
        assert skipped == ()


def test_evaluation_sample_is_a_function_of_seed_and_index() -> None:
    same = Partitions([partition("a.png", blocks())] * 2)
    dataset, other = (EvaluationSet(same, min_region_area=1, seed=seed) for seed in (0, 1))

    assert content(dataset[1]) == content(dataset[1]) == content(EvaluationSet(same, min_region_area=1, seed=0)[1])
    assert content(dataset[0]) != content(dataset[1])
    assert content(dataset[0]) != content(other[0])


def test_small_regions_are_not_evaluated() -> None:
    region_map = np.zeros((20, 20), np.int64)
    region_map[0, :9] = 1
    region_map[5:, 5:] = 2
    sample, _ = EvaluationSet(Partitions([partition("a.png", region_map)]), min_region_area=10, seed=0)[0]

    assert sample.classes.tolist() == [10, 12]
    np.testing.assert_array_equal(sample.region_map, np.select([region_map == 1, region_map == 2], [VOID, 1], 0))


def test_unreadable_evaluation_sample_has_no_region_and_is_named() -> None:
    sample, skipped = EvaluationSet(some(2, bad=[1]), min_region_area=1, seed=0)[1]
    batch = collate([Item(sample, skipped)])

    assert batch.names == ("1.png",)
    assert batch.skipped == ("1.png cannot be read",)
    assert batch.regions_per_image.tolist() == [0]
    assert batch.extreme_points.shape == (0, 4, 2)
    assert batch.classes.shape == (0,)
    assert (batch.region_maps == VOID).all()
    assert batch.images.shape[2:] == batch.region_maps.shape[1:]
    expected = ((torch.uint8, 4), (torch.int64, 3), (torch.float32, 3), (torch.int64, 1))
    found = (batch.images, batch.region_maps, batch.extreme_points, batch.classes)
    assert tuple((tensor.dtype, tensor.ndim) for tensor in found) == expected
