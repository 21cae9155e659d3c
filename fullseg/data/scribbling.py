"""Scribbles for training batches, simulated from a model's errors while another batch is trained on."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Sampler

from fullseg.data.dataset import Item
from fullseg.data.workers import begin_worker, worker_context
from fullseg.model.base import Strokes
from fullseg.simulation.interaction import training_scribbles
from fullseg.simulation.randomness import TRAINING, seeded
from fullseg.types import Batch, SampleKey, Scribble

Ahead = list[list[tuple[int, list[list[float]]]]]  # per sample of a batch its scribbles: region and points of each


class Truth(NamedTuple):
    """What the simulated annotator knows of the B samples of a batch."""

    region_maps: NDArray[np.int16]  # (B, H, W), region of its own sample in [0, N), VOID or BACKGROUND
    regions_per_image: list[int]  # N of every sample
    keys: list[SampleKey]

    @classmethod
    def of(cls, batch: Batch) -> "Truth":
        """Take it from a batch on the CPU."""
        keys = [SampleKey(*key) for key in batch.keys.tolist()]
        return cls(batch.region_maps.to(torch.int16).numpy(), batch.regions_per_image.tolist(), keys)


class Simulator:
    """Draws the scribbles of batches in processes of its own, while the trainer goes on.

    Args:
        workers: number of processes; 0: a thread of this process draws.
    """

    def __init__(self, workers: int) -> None:
        self.processes: Executor | None = None
        if workers:
            self.processes = ProcessPoolExecutor(workers, mp_context=worker_context(), initializer=begin_worker)
        self.thread = ThreadPoolExecutor(1)  # waits for predictions and hands them to the processes

    def simulate(
        self, draw: Callable[..., list[Scribble]], truth: Truth, region_maps: Tensor
    ) -> Future[list[list[Scribble]]]:
        """Begin to draw scribbles on the errors of predictions.

        Args:
            draw: called for every sample with its truth (H, W), prediction (H, W), N and key.
            truth: of B samples.
            region_maps: (B, H, W) int64, predictions that a GPU may still be computing.

        Returns:
            The future scribbles of each sample.
        """
        on_device = region_maps.to(torch.int16)
        predictions = torch.empty(on_device.shape, dtype=torch.int16, pin_memory=on_device.is_cuda)
        # The copy must be queued before the kernels of the next training step, or it would wait for them.
        predictions.copy_(on_device, non_blocking=True)
        copied = torch.cuda.Event() if on_device.is_cuda else None  # type: ignore[no-untyped-call]
        if copied is not None:
            copied.record()
        return self.thread.submit(self._draw, draw, truth, predictions, copied)

    def _draw(
        self, draw: Callable[..., list[Scribble]], truth: Truth, predictions: Tensor, copied: torch.cuda.Event | None
    ) -> list[list[Scribble]]:
        if copied is not None:
            copied.synchronize()
        run = map if self.processes is None else self.processes.map
        return list(run(draw, truth.region_maps, predictions.numpy(), truth.regions_per_image, truth.keys))

    def close(self) -> None:
        """End the processes."""
        self.thread.shutdown(cancel_futures=True)
        if self.processes is not None:
            self.processes.shutdown(cancel_futures=True)


class Scribbler(Simulator):
    """Adds simulated scribbles to batches.

    Args:
        predict: returns the region maps (B, H, W) int64 that the model gives for a batch; a GPU may still be at work.
        move: moves a batch to the model's device.
        max_scribbles: per region, see ``training_scribbles``.
        seed: of the run.
        workers: number of processes that simulate; 0: this process does.
    """

    def __init__(
        self,
        *,
        predict: Callable[[Batch], Tensor],
        move: Callable[[Batch], Batch],
        max_scribbles: int,
        seed: int,
        workers: int,
    ) -> None:
        super().__init__(workers)
        self.predict, self.move = predict, move
        self.draw = partial(_scribbles_of, max_scribbles=max_scribbles, seed=seed)
        self.predicting = 0.0  # seconds spent on predictions, which is not waiting

    def start(self, batch: Batch) -> tuple[Batch, Future[list[list[Scribble]]]]:
        """Predict a batch and begin to simulate its scribbles.

        Args:
            batch: on the CPU, without scribbles.

        Returns:
            The batch on the model's device, and the future scribbles of each of its samples.
        """
        moved = self.move(batch)
        begin = time.perf_counter()
        scribbles = self.simulate(self.draw, Truth.of(batch), self.predict(moved))
        self.predicting += time.perf_counter() - begin
        return moved, scribbles

    def finish(self, batch: Batch, scribbles: list[list[Scribble]]) -> Batch:
        """Put scribbles into a batch, see ``with_scribbles``."""
        return with_scribbles(batch, scribbles)


def with_scribbles(batch: Batch, scribbles: list[list[Scribble]]) -> Batch:
    """Put scribbles into a batch on any device: a list per sample, with regions in [0, N) of the sample."""
    first = [0, *batch.regions_per_image.cumsum(0).tolist()]
    points, lengths, regions = Strokes.pack(
        scribble._replace(region=scribble.region + start)
        for start, mine in zip(first, scribbles, strict=False)
        for scribble in mine
    ).to(batch.images.device)
    return batch._replace(scribble_points=points, scribble_lengths=lengths, scribble_regions=regions)


def as_numbers(scribbles: list[list[Scribble]]) -> Ahead:
    """Return the scribbles of every sample as plain numbers, for a checkpoint."""
    return [[(scribble.region, scribble.points.tolist()) for scribble in mine] for mine in scribbles]


def from_numbers(numbers: Ahead) -> list[list[Scribble]]:
    """Return the scribbles of ``as_numbers``."""
    return [[Scribble(region, np.array(path, np.float32)) for region, path in mine] for mine in numbers]


class ScribbledLoader:
    """Adds scribbles to the batches of a loader. While a batch is trained on, those of the next one are simulated.

    With ``scribbles.predictor=self`` the scribbles of a batch come from the errors of the model one step before it. A
    run that is resumed within an epoch could not simulate them again, so a checkpoint keeps them.

    Args:
        loader: of batches without scribbles.
        scribbler: adds them.
        first: the scribbles of the first batch, of ``state``; None: simulate them.
    """

    def __init__(self, loader: DataLoader[Item], scribbler: Scribbler, first: Ahead | None) -> None:
        self.loader, self.scribbler, self.first = loader, scribbler, first
        self._ahead: tuple[Batch, Future[list[list[Scribble]]]] | None = None

    @property
    def sampler(self) -> Sampler[SampleKey]:
        """The loader's sampler, which Lightning tells the epoch."""
        return self.loader.sampler  # type: ignore[return-value]

    @property
    def simulator(self) -> Simulator:
        """What draws the scribbles."""
        return self.scribbler

    @property
    def batch_size(self) -> int | None:
        """Samples per batch."""
        return self.loader.batch_size

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        current: tuple[Batch, Future[list[list[Scribble]]]] | None
        self._ahead = None
        for batch in self.loader:
            current, self._ahead = self._ahead, self._start(batch)
            if current is not None:
                yield self.scribbler.finish(current[0], current[1].result())
        current, self._ahead = self._ahead, None
        if current is not None:
            yield self.scribbler.finish(current[0], current[1].result())

    def state(self) -> Ahead | None:
        """Return the scribbles of the next batch as plain numbers; None if that batch is in the next epoch."""
        if self._ahead is None:
            return None
        return as_numbers(self._ahead[1].result())

    def _start(self, batch: Batch) -> tuple[Batch, Future[list[list[Scribble]]]]:
        if self.first is None:
            return self.scribbler.start(batch)
        known: Future[list[list[Scribble]]] = Future()
        known.set_result(from_numbers(self.first))
        self.first = None
        return self.scribbler.move(batch), known


def _scribbles_of(
    truth: NDArray[np.int16],
    prediction: NDArray[np.int16],
    num_regions: int,
    key: SampleKey,
    *,
    max_scribbles: int,
    seed: int,
) -> list[Scribble]:
    """Simulate the scribbles of one sample from its truth (H, W) and prediction (H, W), in any process."""
    rng = seeded(seed, TRAINING, key.epoch, key.index, 1)
    return training_scribbles(truth, prediction, num_regions, max_scribbles, rng)
