"""Scores of masks that are each by themselves: the strategy ``single_region``."""

import numpy as np
import torch
from numpy.typing import NDArray

from fullseg.metrics.boundary import boundary_iou
from fullseg.metrics.region_iou import independent_iou
from fullseg.simulation.alone import mask_alone, truth_alone
from fullseg.simulation.errors import pixels_of
from fullseg.simulation.interaction import Round
from fullseg.study.corrections import Correction, lengths_of
from fullseg.types import VOID


def iou_alone(masks: NDArray[np.bool_], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the IoU (N,) of masks (N, H, W) with the true regions of the region map (H, W), as ``independent_iou``."""
    return independent_iou(torch.from_numpy(masks), torch.from_numpy(truth)).numpy()


def boundary_iou_alone(masks: NDArray[np.bool_], truth: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the boundary IoU (N,) of masks (N, H, W) with the true regions of the region map (H, W)."""
    return np.array(
        [boundary_iou(mask_alone(mask), truth_alone(truth, number), 1)[0] for number, mask in enumerate(masks)]
    )


def judge_alone(before: NDArray[np.bool_], state: Round, truth: NDArray[np.int64]) -> Correction:
    """Compare the masks before and after a round of scribbles, as ``judge`` compares region maps.

    Args:
        before: (N, H, W) bool, the masks before the round.
        state: the state after the round.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND. VOID pixels do not count.

    Returns:
        ``damage`` counts the pixels of every mask; ``ideal_iou`` is of every mask by itself.
    """
    mended, ideal = [], before.copy()
    for error in state.errors:
        pixels, _ = pixels_of([error], truth.shape[1])
        mended.append(int(np.count_nonzero(state.prediction[error.region].ravel()[pixels])))
        ideal[error.region].ravel()[pixels] = True
    wanted = truth == np.arange(len(before))[:, None, None]
    damaged = (before == wanted) & (state.prediction != wanted) & (truth != VOID)
    return Correction(
        region=np.array([scribble.region for scribble in state.new_scribbles], np.int64),
        true_region=np.array([error.region for error in state.errors], np.int64),
        length=lengths_of(state.new_scribbles),
        area=np.array([error.area for error in state.errors], np.int64),
        mended=np.array(mended, np.int64),
        damage=int(np.count_nonzero(damaged)),
        ideal_iou=iou_alone(ideal, truth),
    )
