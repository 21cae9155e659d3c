"""Samples with simulated annotations, and the batches made of them."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np
import torch
from albumentations import Compose
from numpy.typing import NDArray
from torch.utils.data import Dataset, DistributedSampler

from fullseg.data.index.partitions import Partition
from fullseg.data.transforms import apply_transform, keep_some_regions, keep_visible_regions
from fullseg.errors import DataError
from fullseg.model.base import Strokes
from fullseg.simulation.extreme_points import simulate_extreme_points
from fullseg.simulation.randomness import EVALUATION, TRAINING, seeded
from fullseg.types import VOID, Batch, Sample, SampleKey

TRIES = 20  # samples that are tried, one after another, until one can be used


class Partitions(Protocol):
    """Images with one partition each; reading one may raise DataError."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Partition: ...
    def name(self, index: int) -> str: ...  # noqa: D102


class Item(NamedTuple):
    """A sample, and messages about those that were skipped to get it."""

    sample: Sample
    skipped: tuple[str, ...]


class TrainingSet(Dataset[Item]):
    """Random crops with jittered extreme points; a sample is a function of (seed, epoch, index) alone.

    Args:
        partitions: the images with their regions.
        transform: of ``training_transform``.
        jitter: of the extreme points, in pixels.
        vary_jitter: each sample draws its own jitter, a whole number of pixels from 0 to ``jitter``.
        min_region_area: in square pixels; smaller regions of a crop become VOID.
        regions_per_image: number of regions of a crop that are kept, at random, while the others become BACKGROUND; 0
            keeps all.
        partly_marked: part of the samples, in [0, 1], in which only some regions are annotated, a random number of
            them, and the others become BACKGROUND, which competes.
        seed: of the run.
    """

    def __init__(
        self,
        partitions: Partitions,
        *,
        transform: Compose,
        jitter: float,
        vary_jitter: bool,
        min_region_area: int,
        regions_per_image: int,
        partly_marked: float,
        seed: int,
    ) -> None:
        self.partitions, self.transform, self.seed = partitions, transform, seed
        self.jitter, self.vary_jitter = jitter, vary_jitter
        self.min_region_area, self.regions_per_image = min_region_area, regions_per_image
        self.partly_marked = partly_marked

    def __len__(self) -> int:
        return len(self.partitions)

    def __getitem__(self, key: SampleKey) -> Item:
        """Make one sample. If it cannot be read, the next one that can takes its place, and a message says so.

        Raises:
            DataError: if none of ``TRIES`` samples can be used.
        """
        rng = seeded(self.seed, TRAINING, key.epoch, key.index, 0)
        skipped = []
        for step in range(TRIES):
            try:
                partition = self.partitions[(key.index + step) % len(self)]
            except DataError as error:
                skipped.append(str(error))
                continue
            sample = self._crop(partition, key, rng)
            if len(sample.classes):
                return Item(sample, tuple(skipped))
        found = "\n  ".join(skipped) or "no crop holds a region"
        raise DataError(f"no usable sample among {TRIES} from {self.partitions.name(key.index)} on:\n  {found}")

    def _crop(self, partition: Partition, key: SampleKey, rng: np.random.Generator) -> Sample:
        seed = int(rng.integers(2**31))
        image, region_map = apply_transform(self.transform, partition.image, partition.region_map, seed)
        region_map, classes = keep_visible_regions(region_map, partition.classes, self.min_region_area)
        if self.regions_per_image:
            region_map, classes = keep_some_regions(region_map, classes, self.regions_per_image, rng)
        partly = bool(self.partly_marked and len(classes) > 1 and rng.random() < self.partly_marked)
        if partly:
            region_map, classes = keep_some_regions(region_map, classes, int(rng.integers(1, len(classes))), rng)
        jitter = float(rng.integers(int(self.jitter) + 1)) if self.vary_jitter else self.jitter
        sample = _annotate(key, partition.name, image, region_map, classes, jitter, rng)
        return sample._replace(partly=partly)


class EvaluationSet(Dataset[Item]):
    """Whole images at their own resolution with exact extreme points; a sample is a function of (seed, index) alone.

    Args:
        partitions: the images with their regions.
        min_region_area: in square pixels; smaller regions become VOID.
        seed: of the run.
    """

    def __init__(self, partitions: Partitions, *, min_region_area: int, seed: int) -> None:
        self.partitions, self.min_region_area, self.seed = partitions, min_region_area, seed

    def __len__(self) -> int:
        return len(self.partitions)

    def __getitem__(self, index: int) -> Item:
        """Make one sample. One that cannot be read has no region, so that it is not scored, and a message says so."""
        key = SampleKey(0, index)
        try:
            partition = self.partitions[index]
        except DataError as error:
            blank = np.zeros((1, 1, 3), np.uint8), np.full((1, 1), VOID), np.zeros(0, np.int64)
            no_points = np.zeros((0, 4, 2), np.float32)
            return Item(Sample(key, self.partitions.name(index), *blank, no_points), (str(error),))
        region_map, classes = keep_visible_regions(partition.region_map, partition.classes, self.min_region_area)
        rng = seeded(self.seed, EVALUATION, 0, index, 0)
        return Item(_annotate(key, partition.name, partition.image, region_map, classes, 0, rng), ())


def _annotate(
    key: SampleKey,
    name: str,
    image: NDArray[np.uint8],
    region_map: NDArray[np.int64],
    classes: NDArray[np.int64],
    jitter: float,
    rng: np.random.Generator,
) -> Sample:
    points = simulate_extreme_points(region_map, len(classes), jitter, rng)
    return Sample(key, name, image, region_map, classes, points)


class EpochSampler(DistributedSampler[SampleKey]):
    """Puts all samples into a new order every epoch, of which every rank takes an equal part.

    Of R ranks, rank r takes the samples at r, r + R, r + 2 R, ... of the order. Lightning leaves a
    ``DistributedSampler`` as it is, so any Trainer may be used.

    Args:
        length: number of samples.
        batch_size: per rank. Samples at the end of the order that do not fill a batch on every rank are left out.
        rank: of this process.
        ranks: number of processes.
        seed: of the run.

    Attributes:
        first: returns the number of this rank's samples that a resumed epoch has had already. It is asked when the
            first sample of an epoch is taken, because a resumed run loads its state after it has made its loaders.

    Raises:
        DataError: if there are fewer samples than one step of all ranks takes.
    """

    def __init__(self, length: int, *, batch_size: int, rank: int, ranks: int, seed: int) -> None:
        super().__init__(range(length), num_replicas=ranks, rank=rank, seed=seed)  # type: ignore[arg-type]
        self.length = length
        self.used = length - length % (batch_size * ranks)
        self.first: Callable[[], int] = lambda: 0
        if self.used == 0:
            raise DataError(
                f"{length} training samples, but a step takes data.batch_size={batch_size * ranks} of them: lower "
                "data.batch_size"
            )

    def __len__(self) -> int:
        return self.used // self.num_replicas

    def __iter__(self) -> Iterator[SampleKey]:
        order = np.random.default_rng((self.seed, self.epoch)).permutation(self.length)[: self.used]
        mine = order[self.rank :: self.num_replicas][self.first() :]
        return iter([SampleKey(self.epoch, int(index)) for index in mine])


def collate(items: Sequence[Item]) -> Batch:
    """Put samples of one size together.

    Args:
        items: B items whose images have the same size.

    Returns:
        Batch of B samples with their M regions one after another and no scribbles.
    """
    samples = [item.sample for item in items]
    counts = [len(sample.classes) for sample in samples]
    none = Strokes.pack([])
    return Batch(
        keys=torch.tensor([sample.key for sample in samples]),
        images=torch.from_numpy(np.stack([sample.image for sample in samples])).permute(0, 3, 1, 2),
        region_maps=torch.from_numpy(np.stack([sample.region_map for sample in samples])),
        partly=torch.tensor([sample.partly for sample in samples]),
        regions_per_image=torch.tensor(counts),
        extreme_points=torch.from_numpy(np.concatenate([s.extreme_points for s in samples])),
        scribble_points=none.points,
        scribble_lengths=none.lengths,
        scribble_regions=none.regions,
        classes=torch.from_numpy(np.concatenate([sample.classes for sample in samples])),
        names=tuple(sample.name for sample in samples),
        skipped=tuple(message for item in items for message in item.skipped),
    )
