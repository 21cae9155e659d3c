"""Random partitions and predictions, on which properties of the simulated annotator are tested."""

from typing import NamedTuple

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from fullseg.run_lengths import Runs
from fullseg.simulation.errors import ErrorRegion
from fullseg.types import BACKGROUND, VOID


class Case(NamedTuple):
    truth: NDArray[np.int64]  # (H, W)
    prediction: NDArray[np.int64]  # (H, W)
    num_regions: int
    seed: int


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Return a truth of blocks with holes, VOID, BACKGROUND; and a shifted, patched or unrelated prediction."""
    height, width = draw(st.integers(1, 24)), draw(st.integers(1, 24))
    num_regions, seed = draw(st.integers(1, 6)), draw(st.integers(0, 2**32 - 1))
    kind = draw(st.sampled_from(["shifted", "patched", "unrelated", "equal"]))
    rng = np.random.default_rng(seed)

    def blocks(size: int, least: int = VOID) -> NDArray[np.int64]:
        coarse = rng.integers(least if rng.random() < 0.5 else 0, num_regions, (height // size + 1, width // size + 1))
        return coarse.repeat(size, axis=0).repeat(size, axis=1)[:height, :width].astype(np.int64)

    truth = blocks(int(rng.integers(1, 6)), BACKGROUND)
    prediction = {
        "shifted": lambda: np.roll(truth, (1, 2), (0, 1)),
        "patched": lambda: np.where(blocks(3) % 2 == 0, truth, blocks(2)),
        "unrelated": lambda: blocks(2),
        "equal": truth.copy,
    }[kind]()
    return Case(truth, np.maximum(prediction, VOID), num_regions, seed)  # nobody predicts BACKGROUND


def mask_of(error: ErrorRegion, case: Case) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of an error."""
    mask = np.zeros(case.truth.shape, bool)
    x0, y0, x1, y1 = error.box
    mask[y0:y1, x0:x1] = error.mask
    return mask


def painted(runs: Runs, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) of runs, of which none comes twice."""
    mask = np.zeros(shape, bool)
    for row, start, stop in zip(runs.row, runs.start, runs.stop, strict=True):
        assert not mask[row, start:stop].any()
        mask[row, start:stop] = True
    return mask
