"""Sessions: which batches come, with which scribbles, in which order, and that a resumed run goes on with the same."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from fullseg.config.schema import DataConfig, ExtremePointsConfig
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.data.dataset import Item
from fullseg.data.sessions import LIVE, SessionLoader, Sessions
from fullseg.simulation.interaction import draw_habits, training_round
from fullseg.simulation.randomness import TRAINING, seeded
from fullseg.types import Batch
from tests.data.test_scribbling import loader, strokes_by_name

SEED, ROUNDS = 5, 3
Step = tuple[list[list[int]], dict[str, Any]]  # keys of the batch, scribbles of its samples


def shift(batch: Batch) -> Tensor:
    """Return a prediction that is wrong along every border, and less so with every scribble."""
    by = 2 + 40 // (10 + len(batch.scribble_lengths))
    return torch.roll(batch.region_maps, (by, by), (1, 2))


def sessions(workers: int = 0, rounds: int = ROUNDS, short: float = 0.5) -> Sessions:
    return Sessions(move=lambda batch: batch, rounds=rounds, short=short, seed=SEED, workers=workers)


def steps(batches: SessionLoader, count: int) -> Iterator[Batch]:
    """Train for a number of steps, over as many epochs as they take."""
    while count > 0:
        for batch in batches:
            yield batch
            batches.answer(shift(batch))
            count -= 1
            if count == 0:
                return


def described(batch: Batch) -> Step:
    return batch.keys.tolist(), strokes_by_name([batch])


def run(folder: object, count: int, kept: dict[str, Any] | None = None, **options: Any) -> tuple[list[Step], Any]:
    """Return what the steps were trained on, and the state after them."""
    mine = sessions(**options)
    batches = SessionLoader(loader(folder, 2), mine, kept, int)  # type: ignore[arg-type]
    try:
        return [described(batch) for batch in steps(batches, count)], batches.state()
    finally:
        mine.close()


@pytest.fixture(scope="module")
def trained(tiny_data: Path) -> list[Step]:
    return run(tiny_data, 80)[0]


def rounds_of(trained: list[Step]) -> dict[tuple[int, ...], list[int]]:
    """Return the numbers of the steps that trained each batch, by its first key."""
    found: dict[tuple[int, ...], list[int]] = {}
    for number, (keys, _) in enumerate(trained):
        found.setdefault(tuple(keys[0]), []).append(number)
    return found


def test_every_batch_is_trained_in_a_random_number_of_rounds(trained: list[Step]) -> None:
    lengths = {key: len(at) for key, at in rounds_of(trained).items() if at[0] < 20}  # long ended at step 80
    assert set(lengths.values()) == set(range(1, ROUNDS + 2))  # round 0 and up to ROUNDS more
    for (epoch, index), length in lengths.items():
        assert length - 1 == seeded(SEED, TRAINING, epoch, index, 0).spawn(2)[1].integers(ROUNDS + 1)


def test_the_samples_are_those_of_the_loader_epoch_after_epoch(tiny_data: Path, trained: list[Step]) -> None:
    plain: DataLoader[Item] = loader(tiny_data, 2)  # type: ignore[assignment]
    expected = []
    for epoch in range(20):
        plain.sampler.set_epoch(epoch)  # type: ignore[attr-defined]
        expected += [tuple(batch.keys[0].tolist()) for batch in plain]
    begun = list(rounds_of(trained))
    assert len(begun) > len(plain)
    assert begun == expected[: len(begun)]


def test_a_session_comes_again_after_all_that_waited_before_it(trained: list[Step]) -> None:
    again = sorted(pair for at in rounds_of(trained).values() for pair in pairwise(at))
    assert len(again) > 40
    assert all(later - earlier >= LIVE for earlier, later in again)  # the others give the simulation time
    following = [later for _, later in again]
    assert following == sorted(following)


def test_scribbles_are_those_of_each_round_and_sample_alone(tiny_data: Path) -> None:
    mine = sessions()
    batches = SessionLoader(loader(tiny_data, 2), mine, None, int)  # type: ignore[arg-type]
    earlier: dict[str, list[Batch]] = {}  # by the samples' keys, the same batch in the rounds before
    for batch in steps(batches, 50):
        rounds = earlier.setdefault(str(batch.keys.tolist()), [])
        for row, (epoch, index) in enumerate(batch.keys.tolist()):
            habits = draw_habits(0.5, seeded(SEED, TRAINING, epoch, index, 0).spawn(1)[0])
            truth, count = batch.region_maps[row].numpy(), int(batch.regions_per_image[row])
            expected = []
            for number, before in enumerate(rounds, start=1):
                rng = seeded(SEED, TRAINING, epoch, index, number)
                expected += training_round(truth, shift(before)[row].numpy(), count, habits, rng)
            assert strokes_by_name([batch])[batch.names[row]] == [(s.region, s.points.tolist()) for s in expected]
        rounds.append(batch)
    mine.close()
    assert max(map(len, earlier.values())) == ROUNDS + 1


def test_workers_change_nothing(tiny_data: Path, trained: list[Step]) -> None:
    assert run(tiny_data, 20, workers=2)[0] == trained[:20]


@pytest.mark.parametrize("first", [3, 4, 9, 21])
def test_a_resumed_run_goes_on_with_the_same_batches(
    tiny_data: Path, trained: list[Step], tmp_path: Path, first: int
) -> None:
    begun, state = run(tiny_data, first)
    torch.save(state, tmp_path / "state")
    kept = torch.load(tmp_path / "state", weights_only=True)
    assert begun == trained[:first]
    assert run(tiny_data, 12, kept)[0] == trained[first : first + 12]


def test_an_epoch_has_as_many_steps_as_the_loader_has_batches(tiny_data: Path) -> None:
    mine = sessions()
    batches = SessionLoader(loader(tiny_data, 2), mine, None, int)  # type: ignore[arg-type]
    for _ in range(2):
        count = 0
        for batch in batches:
            batches.answer(shift(batch))
            count += 1
        assert count == len(batches) == 4
    mine.close()


def test_an_error_of_a_worker_reaches_the_training(tiny_data: Path) -> None:
    mine = sessions(workers=1)
    batches = SessionLoader(loader(tiny_data, 2), mine, None, int)  # type: ignore[arg-type]
    for batch in batches:
        batches.answer(torch.full_like(batch.region_maps, 999))
    with pytest.raises(ValueError, match="prediction holds regions 999 to 999"):
        batches.state()
    mine.close()


def test_a_batch_has_one_answer(tiny_data: Path) -> None:
    mine = sessions()
    batches = SessionLoader(loader(tiny_data, 2), mine, None, int)  # type: ignore[arg-type]
    batch = next(iter(batches))
    batches.answer(batch.region_maps)
    with pytest.raises(RuntimeError, match="no batch waits for an answer"):
        batches.answer(batch.region_maps)
    mine.close()


def test_another_number_of_ranks_begins_new_sessions(tiny_data: Path) -> None:
    _, state = run(tiny_data, 5)
    config = DataConfig(format="coco_panoptic", root=str(tiny_data), cache=str(tiny_data / "cache"), workers=0)
    data = InteractiveDataModule(config, extreme_points=ExtremePointsConfig(jitter=5), seed=SEED)
    data.load_state_dict({"sessions": [state, state]})
    assert data.kept == {}
    data.load_state_dict({"sessions": [state]})
    assert data.kept == {"sessions": state}
