"""How steps take the images, compared with a training that is written out batch by batch."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fullseg.data.steps import batches_of_epoch, batches_of_run, share_of_batch
from fullseg.errors import ConfigError


def test_ranks_share_a_batch_evenly() -> None:
    assert [share_of_batch(16, ranks) for ranks in (1, 2, 8, 16)] == [16, 8, 2, 1]
    for batch_size, ranks in ((4, 8), (9, 2)):
        with pytest.raises(ConfigError, match=f"data.batch_size={batch_size}: {ranks} processes cannot share"):
            share_of_batch(batch_size, ranks)


@given(st.integers(1, 7), st.integers(1, 4), st.integers(0, 30))
def test_batches_had_are_those_before_the_next_step(batches: int, accumulated: int, step: int) -> None:
    taken = []  # (batches of the run, of the epoch) before each step
    for epoch in range(31):
        taken += [(epoch * batches + at, at) for at in range(0, batches, accumulated)]
    found = batches_of_run(step, batches, accumulated), batches_of_epoch(step, batches, accumulated)
    assert found == taken[step]
