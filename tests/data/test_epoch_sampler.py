"""The order of the samples of an epoch, and which of them each rank takes."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fullseg.data.dataset import EpochSampler
from fullseg.errors import DataError


def samplers(length: int, batch_size: int, ranks: int, seed: int = 0) -> list[EpochSampler]:
    return [EpochSampler(length, batch_size=batch_size, rank=r, ranks=ranks, seed=seed) for r in range(ranks)]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(0, 60), st.integers(0, 5), st.integers(0, 5))
def test_ranks_share_a_permutation_without_its_rest(
    batch_size: int, ranks: int, more: int, seed: int, epoch: int
) -> None:
    step = batch_size * ranks
    length = step + more
    orders = []
    for sampler in samplers(length, batch_size, ranks, seed):
        sampler.set_epoch(epoch)
        keys = list(sampler)
        assert {key.epoch for key in keys} == {epoch}
        assert len(sampler) == len(keys)
        assert len(keys) % batch_size == 0
        orders.append([key.index for key in keys])
    taken = [index for position in zip(*orders, strict=True) for index in position]  # strict: all have equally many

    assert len(set(taken)) == len(taken) == length // step * step
    assert set(taken) <= set(range(length))
    # The same order as on one rank: a step has the same samples for any number of ranks.
    (alone,) = samplers(length, step, 1, seed)
    alone.set_epoch(epoch)
    assert taken == [key.index for key in alone]


def test_every_epoch_and_seed_has_its_own_order_and_always_the_same() -> None:
    orders = {}
    for seed, epoch in itertools.product(range(3), range(3)):
        (sampler,) = samplers(30, 7, 1, seed)
        sampler.set_epoch(epoch)
        orders[seed, epoch] = tuple(key.index for key in sampler)
        assert tuple(key.index for key in sampler) == orders[seed, epoch]
    assert len(set(orders.values())) == 9
    assert set().union(*orders.values()) == set(range(30))  # what one epoch leaves out, another one takes
    assert orders[0, 0] != tuple(range(28))


def test_resumed_epoch_goes_on_where_it_stopped_and_the_next_is_whole() -> None:
    for sampler in samplers(24, 2, 2):
        whole = list(sampler)
        sampler.first = lambda: 8
        assert list(sampler) == whole[8:]
        sampler.first = lambda: 0
        assert list(sampler) == whole


def test_too_few_samples_for_one_step_name_the_remedy() -> None:
    with pytest.raises(DataError, match=r"^7 training samples, but a step takes data\.batch_size=8 of them"):
        samplers(7, 4, 2)
    with pytest.raises(DataError, match=r"lower data\.batch_size"):
        samplers(0, 1, 1)
    assert [len(sampler) for sampler in samplers(8, 4, 2)] == [4, 4]
