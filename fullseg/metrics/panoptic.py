"""Panoptic quality (Kirillov et al., Panoptic Segmentation, CVPR 2019), by the rules of COCO's panopticapi."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fullseg.metrics.boundary import boundary_iou
from fullseg.types import BACKGROUND, VOID


class PanopticCounts(NamedTuple):
    """The sums that panoptic quality is computed from, over any number of images."""

    iou: float  # sum over the matched pairs
    matched: int  # true positives: pairs of a predicted and a true segment with IoU above 0.5
    false_positives: int  # predicted segments without a partner
    false_negatives: int  # true segments without a partner

    def segments(self) -> int:
        """Return the number of segments; a matched pair counts once."""
        return self.matched + self.false_positives + self.false_negatives

    def plus(self, other: "PanopticCounts") -> "PanopticCounts":
        """Return the sums over the images of both."""
        return PanopticCounts(
            self.iou + other.iou,
            self.matched + other.matched,
            self.false_positives + other.false_positives,
            self.false_negatives + other.false_negatives,
        )

    def quality(self) -> float:
        """Return panoptic quality in [0, 1]; NaN if there is no segment."""
        count = self.matched + (self.false_positives + self.false_negatives) / 2
        return self.iou / count if count else float("nan")


NO_COUNTS = PanopticCounts(0.0, 0, 0, 0)


class Segments(NamedTuple):
    """The segments of one image."""

    region_map: NDArray[np.int64]  # (H, W), segment in [0, N), VOID where nothing is labelled
    categories: NDArray[np.int64]  # (N,) ids
    crowd: NDArray[np.bool_]  # (N,)


class Quality(NamedTuple):
    """Panoptic quality and its two factors, of one category or as means over several. NaN if there is no segment."""

    panoptic: float  # in [0, 1]
    segmentation: float  # in [0, 1], mean IoU of the matched pairs
    recognition: float  # in [0, 1], F1 score of the matching
    classes: int  # categories that have a segment


def count_segments(given: Segments, wanted: Segments, *, boundary: bool) -> Iterator[tuple[int, PanopticCounts]]:
    """Match the segments of one image and count them per category.

    A predicted and a true segment of one category match if their IoU is above 0.5. Unlabelled pixels of the truth do
    not count in the union, those of a crowd do. A crowd is neither matched nor missed. A predicted segment without
    partner is no false positive if more than half of it lies on unlabelled pixels and on crowds of its category.

    Args:
        given: P predicted segments.
        wanted: T true segments of an image of the same size.
        boundary: take the smaller of IoU and boundary IoU as the IoU of a pair.

    Yields:
        The id of every category that occurs in one of both, and its counts.
    """
    counts = _overlaps(given, wanted)
    both, void = counts[1:, 1:], counts[0, 1:]  # (T, P) and (P,) pixels
    true_area, area = counts[1:].sum(axis=1), counts[:, 1:].sum(axis=0)
    union = true_area[:, None] + (area - void)[None] - both
    iou = np.divide(both, union, out=np.zeros(both.shape), where=union > 0)  # (T, P)
    same = wanted.categories[:, None] == given.categories
    match = (iou > 0.5) & same & ~wanted.crowd[:, None]  # at most one per row and per column
    if boundary:
        iou = np.minimum(iou, _boundary_iou(given, wanted, match))
        match &= iou > 0.5
    excused = void + (both * (same & wanted.crowd[:, None])).sum(axis=0)  # (P,) pixels
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


def panoptic_counts(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> PanopticCounts:
    """Match the predicted and the true regions of one image, all as one category.

    A region may match a region of another number. BACKGROUND pixels of the truth count in the union of a predicted
    region that has them, and excuse no false positive.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND. VOID pixels are unlabelled.
        num_regions: N.
    """
    mine, other = 0, 1  # categories
    regions = np.full(num_regions, mine)
    given = Segments(prediction, regions, np.zeros(num_regions, np.bool_))
    # BACKGROUND is a crowd of another category: never matched, never missed, and its pixels count in every union.
    truth = np.where(truth == BACKGROUND, num_regions, truth)
    wanted = Segments(truth, np.append(regions, other), np.arange(num_regions + 1) == num_regions)
    return dict(count_segments(given, wanted, boundary=False)).get(mine, NO_COUNTS)


def quality_of(counts: Mapping[int, PanopticCounts], categories: set[int]) -> Quality:
    """Return the means over those categories that have a segment.

    Args:
        counts: by category id.
        categories: ids to average over.
    """
    parts = [one for category, one in counts.items() if category in categories and one.segments()]
    if not parts:
        return Quality(float("nan"), float("nan"), float("nan"), 0)
    panoptic = np.array([one.quality() for one in parts])
    segmentation = np.array([one.iou / one.matched if one.matched else 0.0 for one in parts])
    recognition = np.array(
        [one.matched / (one.matched + (one.false_positives + one.false_negatives) / 2) for one in parts]
    )
    return Quality(float(panoptic.mean()), float(segmentation.mean()), float(recognition.mean()), len(parts))


def _overlaps(given: Segments, wanted: Segments) -> NDArray[np.int64]:
    """Count the pixels (T + 1, P + 1) of every true and predicted segment, those of VOID in row and column 0."""
    columns = len(given.categories) + 1
    pairs = (wanted.region_map - VOID) * columns + given.region_map - VOID
    return np.bincount(pairs.ravel(), minlength=columns * (len(wanted.categories) + 1)).reshape(-1, columns)


def _boundary_iou(given: Segments, wanted: Segments, match: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the boundary IoU (T, P) of the pairs that match, 0 for all other pairs."""
    result = np.zeros(match.shape)
    true, predicted = np.nonzero(match)
    if len(true) == 0:
        return result
    pairs = np.arange(len(true))
    maps = []
    for segments, chosen in ((given, predicted), (wanted, true)):
        pair_of = np.full(len(segments.categories) + 1, len(true))  # of a segment in no pair; the last entry is VOID's
        pair_of[chosen] = pairs
        pair_of[VOID] = VOID
        maps.append(pair_of[segments.region_map])
    result[true, predicted] = boundary_iou(maps[0], maps[1], len(true))
    return result
