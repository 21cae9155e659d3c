"""What the scribbles of a round have done to an image: how much of their errors is right now, and what broke."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.metrics.region_iou import region_iou
from fullseg.simulation.errors import pixels_of
from fullseg.simulation.interaction import Round
from fullseg.types import BACKGROUND, VOID, Scribble


class Correction(NamedTuple):
    """One round of S scribbles on an image of N regions."""

    region: NDArray[np.int64]  # (S,), that each scribble was given to
    true_region: NDArray[np.int64]  # (S,), of the error that it was drawn for; another one if it was misplaced
    length: NDArray[np.float64]  # (S,), along the scribble in pixels; 0 for a dot
    area: NDArray[np.int64]  # (S,), of the error, in square pixels
    mended: NDArray[np.int64]  # (S,), pixels of the error that are right after the round
    damage: int  # pixels of the whole image that were right before the round and are wrong after it
    ideal_iou: NDArray[np.float64]  # (N,), if every error with a scribble became right and nothing else changed


def judge(before: NDArray[np.int64], state: Round, truth: NDArray[np.int64], num_regions: int) -> Correction:
    """Compare an image before and after a round of scribbles.

    Args:
        before: (H, W) int, the prediction before the round: region in [0, N) or VOID.
        state: the state after the round.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND. VOID pixels do not count.
        num_regions: N.
    """
    errors = {one.number: one for one in state.errors}  # each once; two scribbles may share an error
    pixels, error = pixels_of(list(errors.values()), truth.shape[1])
    wanted = truth.ravel()[pixels]
    good = state.prediction.ravel()[pixels] == wanted
    mended = before.copy()
    mended.ravel()[pixels] = wanted
    right = np.where(truth == BACKGROUND, VOID, truth)
    damaged = (before == right) & (state.prediction != right) & (truth != VOID)
    mended_of = dict(zip(errors, np.bincount(error[good], minlength=len(errors)).tolist(), strict=True))
    return Correction(
        region=np.array([scribble.region for scribble in state.new_scribbles], np.int64),
        true_region=np.array([one.region for one in state.errors], np.int64),
        length=lengths_of(state.new_scribbles),
        area=np.array([one.area for one in state.errors], np.int64),
        mended=np.array([mended_of[one.number] for one in state.errors], np.int64),
        damage=int(np.count_nonzero(damaged)),
        ideal_iou=region_iou(mended, truth, num_regions),
    )


def lengths_of(scribbles: Sequence[Scribble]) -> NDArray[np.float64]:
    """Return the lengths (S,) of scribbles in pixels; 0 for a dot."""
    steps = [np.linalg.norm(np.diff(scribble.points, axis=0), axis=1) for scribble in scribbles]
    return np.array([lengths.sum() for lengths in steps], np.float64)
