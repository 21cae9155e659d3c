"""Training in sessions: round after round, batches get scribbles on the errors of the model in training itself."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from fullseg.data.dataset import EpochSampler, Item, TrainingSet, collate
from fullseg.data.scribbling import Simulator, Truth, as_numbers, from_numbers, with_scribbles
from fullseg.simulation.interaction import draw_habits, training_round
from fullseg.simulation.randomness import TRAINING, seeded
from fullseg.types import Batch, SampleKey, Scribble

LIVE = 6  # batches in training at once: while one is trained on, the next rounds of the others are drawn


@dataclass
class Session:
    """A batch that is trained on several times, each time with one more round of scribbles."""

    batch: Batch  # on the model's device, with the scribbles that it was last trained with
    truth: Truth
    rounds: int  # after how many rounds the session ends
    round: int  # number of the round that it is trained on next, from 0
    scribbles: list[list[Scribble]]  # of each sample, until ``round``, without the new ones
    new: Future[list[list[Scribble]]] | None = None  # of each sample, for ``round``; None in round 0

    def all_scribbles(self) -> list[list[Scribble]]:
        """Wait for the new scribbles of each sample, and return all."""
        if self.new is not None:
            self.scribbles = [old + new for old, new in zip(self.scribbles, self.new.result(), strict=True)]
            self.new = None
        return self.scribbles


class Sessions(Simulator):
    """Begins sessions, and draws their rounds.

    Args:
        move: moves a batch to the model's device.
        rounds: most rounds of scribbles in a session.
        short: see ``draw_habits``.
        seed: of the run.
        workers: number of processes that simulate; 0: this process does.
    """

    def __init__(self, *, move: Callable[[Batch], Batch], rounds: int, short: float, seed: int, workers: int) -> None:
        super().__init__(workers)
        self.move, self.rounds, self.short, self.seed = move, rounds, short, seed

    def begin(self, batch: Batch) -> Session:
        """Begin a session with a batch on the CPU, without scribbles. Its first key decides on its number of rounds."""
        truth = Truth.of(batch)
        epoch, index = truth.keys[0]
        # A sample and its annotator have streams of their own: the number does not depend on them.
        rng = seeded(self.seed, TRAINING, epoch, index, 0).spawn(2)[1]
        return Session(self.move(batch), truth, int(rng.integers(self.rounds + 1)), 0, [[] for _ in truth.keys])

    def go_on(self, session: Session, region_maps: Tensor) -> None:
        """Begin to draw the next round of a session, on the errors of the predictions (B, H, W) int64 of this one."""
        session.round += 1
        draw = partial(_scribbles_of_round, number=session.round, short=self.short, seed=self.seed)
        session.new = self.simulate(draw, session.truth, region_maps)


class SessionLoader:
    """Gives the batches of several sessions in turn, without end, each with the scribbles that it has so far.

    A step trains on the session that has waited longest. After it, ``answer`` takes the step's predictions; the
    session's next round is drawn from them while other sessions are trained on. Where a session has ended, a fresh
    batch of the loader begins another. An epoch has as many steps as the loader has batches, but needs fewer fresh
    ones; sessions go on from epoch to epoch. The order of the batches never depends on how long a simulation takes.

    Args:
        loader: of batches without scribbles, of a ``TrainingSet`` with an ``EpochSampler``.
        sessions: begins the sessions and draws their rounds.
        kept: state of an earlier loader, of ``state``; None: no session has begun.
        taken: returns the number of batches of the loader to begin after, over all epochs, if no state was kept. It is
            asked when the first batch is taken.
    """

    def __init__(
        self, loader: DataLoader[Item], sessions: Sessions, kept: dict[str, Any] | None, taken: Callable[[], int]
    ) -> None:
        self.loader, self.sessions = loader, sessions
        self._before = taken
        self.taken: int | None = None if kept is None else kept["taken"]  # None: not asked yet
        self.live = deque(self._restored(session) for session in kept["live"]) if kept else deque[Session]()
        self._trained: Session | None = None  # the one that the current step trains on
        self._fresh = self._endless()

    @property
    def simulator(self) -> Simulator:
        """What draws the scribbles."""
        return self.sessions

    @property
    def batch_size(self) -> int | None:
        """Samples per batch."""
        return self.loader.batch_size

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[Batch]:
        for _ in range(len(self)):
            self._trained = self.live.popleft() if len(self.live) == LIVE else self.sessions.begin(next(self._fresh))
            self._trained.batch = with_scribbles(self._trained.batch, self._trained.all_scribbles())
            yield self._trained.batch

    def answer(self, region_maps: Tensor) -> None:
        """Take the predictions (B, H, W) int64 for the batch that was given last; a GPU may still be at work."""
        session, self._trained = self._trained, None
        if session is None:
            raise RuntimeError("no batch waits for an answer")
        if session.round < session.rounds:
            self.sessions.go_on(session, region_maps)
            self.live.append(session)

    def state(self) -> dict[str, Any]:
        """Return all that a resumed run needs, after ``answer``: plain numbers."""
        live = [
            {
                "keys": [list(key) for key in session.truth.keys],
                "rounds": session.rounds,
                "round": session.round,
                "scribbles": as_numbers(session.all_scribbles()),
            }
            for session in self.live
        ]
        return {"taken": self._taken(), "live": live}

    def _taken(self) -> int:
        return self._before() if self.taken is None else self.taken

    def _restored(self, kept: dict[str, Any]) -> Session:
        dataset: TrainingSet = self.loader.dataset  # type: ignore[assignment]
        batch = collate([dataset[SampleKey(*key)] for key in kept["keys"]])
        scribbles = from_numbers(kept["scribbles"])
        return Session(self.sessions.move(batch), Truth.of(batch), kept["rounds"], kept["round"], scribbles)

    def _endless(self) -> Iterator[Batch]:
        """Yield the loader's batches, epoch after epoch, from number ``taken`` on."""
        sampler: EpochSampler = self.loader.sampler  # type: ignore[assignment]
        self.taken = self._taken()
        while True:
            epoch, batches = divmod(self.taken, len(self.loader))
            sampler.set_epoch(epoch)
            sampler.first = partial(int, batches * (self.loader.batch_size or 1))
            for batch in self.loader:
                self.taken += 1
                yield batch


def _scribbles_of_round(
    truth: NDArray[np.int16],
    prediction: NDArray[np.int16],
    num_regions: int,
    key: SampleKey,
    *,
    number: int,
    short: float,
    seed: int,
) -> list[Scribble]:
    """Draw the round ``number`` of one sample from its truth (H, W) and prediction (H, W), in any process."""
    habits = draw_habits(short, seeded(seed, TRAINING, key.epoch, key.index, 0).spawn(1)[0])
    rng = seeded(seed, TRAINING, key.epoch, key.index, number)
    return training_round(truth, prediction, num_regions, habits, rng)
