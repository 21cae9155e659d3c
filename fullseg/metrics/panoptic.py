"""Panoptic quality (Kirillov et al., CVPR 2019): segments matched by the rules of COCO's panopticapi."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.metrics.boundary import boundary_iou
from fullseg.types import BACKGROUND, VOID


class PanopticCounts(NamedTuple):
    """What panoptic quality is made of; sums over images."""

    iou: float  # sum over the matched pairs
    matched: int  # true positives: pairs of a predicted and a true region with IoU above 0.5
    false_positives: int  # predicted regions without a partner
    false_negatives: int  # true regions without a partner

    def segments(self) -> int:
        """Return the number of segments, a matched pair being one."""
        return self.matched + self.false_positives + self.false_negatives

    def plus(self, other: "PanopticCounts") -> "PanopticCounts":
        """Return the counts of both together."""
        return PanopticCounts(
            self.iou + other.iou,
            self.matched + other.matched,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    def quality(self) -> float:
        """Return panoptic quality in [0, 1]; NaN without any region."""
        count = self.matched + (self.false_positives + self.false_negatives) / 2
        return self.iou / count if count else float("nan")


NO_COUNTS = PanopticCounts(0.0, 0, 0, 0)


class Segments(NamedTuple):
    """The segments of one image."""

    region_map: NDArray[np.int64]  # (H, W), segment in [0, N), VOID where nothing is labelled
    categories: NDArray[np.int64]  # (N,) ids
    crowd: NDArray[np.bool_]  # (N,)


class Quality(NamedTuple):
    """What one class, or the mean over some, is worth."""

    panoptic: float  # in [0, 1], as all that follow; NaN without a segment
    segmentation: float  # mean IoU of matched pairs
    recognition: float  # F1 of the matching
    classes: int  # that have a segment


def count_segments(given: Segments, wanted: Segments, *, boundary: bool) -> Iterator[tuple[int, PanopticCounts]]:
    """Match the segments of one image; yield the counts of every category that has one.

    A pair of one category matches above IoU 0.5; unlabelled pixels of the truth do not count in the union, those of a
    crowd do. A crowd is never matched or missed; a prediction without partner that lies by more than half on unlabelled
    pixels and on crowds of its category is no false positive.

    Args:
        given: predicted.
        wanted: true.
        boundary: a pair's IoU is the smaller of its IoU and its boundary IoU.
    """
    both, area, void = _overlaps(given, wanted)
    true_area = np.bincount(wanted.region_map.ravel() - VOID, minlength=len(wanted.categories) + 1)[1:]
    union = true_area[:, None] + (area - void)[None] - both
    iou = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    same = wanted.categories[:, None] == given.categories
    match = (iou > 0.5) & same & ~wanted.crowd[:, None]  # at most one a row and column
    if boundary:
        iou = np.minimum(iou, _boundary_iou(given, wanted, match))
        match &= iou > 0.5
    excused = void + (both * (same & wanted.crowd[:, None])).sum(axis=0)
    false = ~match.any(axis=0) & (2 * excused <= area) & (area > 0)
    missed = ~match.any(axis=1) & ~wanted.crowd & (true_area > 0)
    for category in np.unique(np.concatenate([given.categories, wanted.categories])).tolist():
        mine, true = given.categories == category, wanted.categories == category
        pairs = match & true[:, None]
        yield (
            category,
            PanopticCounts(
                float(iou[pairs].sum()), int(pairs.sum()), int((false & mine).sum()), int((missed & true).sum())
            ),
        )


def quality_of(counts: Mapping[int, PanopticCounts], categories: set[int]) -> Quality:
    """Return the mean over the categories that have a segment."""
    parts = [one for category, one in counts.items() if category in categories and one.segments()]
    if not parts:
        return Quality(float("nan"), float("nan"), float("nan"), 0)
    panoptic = np.array([one.quality() for one in parts])
    segmentation = np.array([one.iou / one.matched if one.matched else 0.0 for one in parts])
    recognition = np.array(
        [one.matched / (one.matched + (one.false_positives + one.false_negatives) / 2) for one in parts]
    )
    return Quality(float(panoptic.mean()), float(segmentation.mean()), float(recognition.mean()), len(parts))


def _overlaps(given: Segments, wanted: Segments) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return pixels of every pair (T, P), of every predicted segment (P,), and of those on unlabelled pixels (P,)."""
    columns = len(given.categories) + 1
    pairs = (wanted.region_map - VOID) * columns + given.region_map - VOID
    counts = np.bincount(pairs.ravel(), minlength=columns * (len(wanted.categories) + 1)).reshape(-1, columns)
    return counts[1:, 1:], counts[:, 1:].sum(axis=0), counts[0, 1:]


def _boundary_iou(given: Segments, wanted: Segments, match: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the boundary IoU of pairs (T, P), 0 of all others."""
    result = np.zeros(match.shape)
    true, predicted = np.nonzero(match)
    if len(true) == 0:
        return result
    numbers = np.arange(len(true))
    maps = []
    for segments, chosen in ((given, predicted), (wanted, true)):
        renumber = np.full(len(segments.categories) + 1, len(true))  # of no pair
        renumber[chosen] = numbers
        renumber[VOID] = VOID
        maps.append(renumber[segments.region_map])
    result[true, predicted] = boundary_iou(maps[0], maps[1], len(true))
    return result


def panoptic_counts(
    prediction: NDArray[np.int64],
    truth: NDArray[np.int64],
    num_regions: int,
    crowd: NDArray[np.bool_] | None = None,
) -> PanopticCounts:
    """Match predicted and true regions of one image by the rules of COCO's panopticapi, all in one class.

    Kirillov et al., Panoptic Segmentation, CVPR 2019, Sec. 4. A pair matches above IoU 0.5, whatever its numbers;
    unlabelled ("void") pixels of the truth do not count in the union; an unmatched prediction that lies by more than
    half on void and crowd pixels is no false positive. A hole in the prediction is missing from its region. BACKGROUND
    pixels do count in the union of a prediction that has them.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID.
        truth: (H, W) int, region in [0, N), BACKGROUND, or VOID for unlabelled and crowd pixels.
        num_regions: N.
        crowd: (H, W), which of the truth's VOID pixels are of a crowd: these do count in the union.
    """
    pairs = (truth - BACKGROUND) * (num_regions + 1) + prediction - VOID
    counts = np.bincount(pairs.ravel(), minlength=(num_regions + 2) * (num_regions + 1)).reshape(num_regions + 2, -1)
    both, ignored = counts[2:, 1:], counts[1, 1:]  # (truth, prediction), (prediction,)
    wanted, given = counts[2:].sum(axis=1), counts[:, 1:].sum(axis=0)
    void = ignored
    if crowd is not None:
        of_crowd = prediction[crowd & (truth == VOID)] - VOID
        void = ignored - np.bincount(of_crowd, minlength=num_regions + 1)[1:]
    union = wanted[:, None] + (given - void) - both
    iou = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)
    match = iou > 0.5  # at most one a row and column
    free = ~match.any(axis=0) & (given > 0) & (2 * ignored <= given)
    missed = ~match.any(axis=1) & (wanted > 0)
    return PanopticCounts(float(iou[match].sum()), int(match.sum()), int(free.sum()), int(missed.sum()))
