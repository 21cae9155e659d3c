"""What a segmentation is worth at full resolution: region IoU (paper, Sec. 5), boundary IoU, panoptic quality."""

from typing import Any, NamedTuple, overload

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from torch import Tensor
from torchmetrics import Metric

from fullseg.types import BACKGROUND, VOID

SIZES = {"small": (0, 32**2), "medium": (32**2, 96**2), "large": (96**2, float("inf"))}  # px^2, as COCO
BOUNDARY_WIDTH = 0.02  # of the image's diagonal (Cheng et al. 2021, Sec. 5)


@overload
def region_iou(prediction: Tensor, truth: Tensor, num_regions: int) -> Tensor: ...
@overload
def region_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]: ...
def region_iou(
    prediction: Tensor | NDArray[np.int64], truth: Tensor | NDArray[np.int64], num_regions: int
) -> Tensor | NDArray[np.float64]:
    """Return the intersection over union of every region of one image.

    Pixels that are VOID in the truth are not scored; a VOID prediction elsewhere belongs to no region, which is right
    where the truth is BACKGROUND.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID; a numpy array or a tensor.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        num_regions: N.

    Returns:
        (N,) float64 in [0, 1], of the arguments' kind; NaN for a region without a scored pixel in either map.

    Raises:
        ValueError: if the maps differ in shape or hold a region that is not in [0, N).
    """
    if tuple(prediction.shape) != tuple(truth.shape):
        raise ValueError(f"prediction is {tuple(prediction.shape)}, truth is {tuple(truth.shape)}")
    given, wanted = torch.as_tensor(prediction).flatten().long(), torch.as_tensor(truth).flatten().long()
    for name, regions, least in (("prediction", given, VOID), ("truth", wanted, BACKGROUND)):
        if len(regions) and not (int(regions.min()) >= least and int(regions.max()) < num_regions):
            raise ValueError(f"{name} holds regions {int(regions.min())} to {int(regions.max())} of {num_regions}")
    scored = wanted != VOID
    # Row 0: predicted VOID; column 0: BACKGROUND.
    pairs = (given[scored] + 1) * (num_regions + 1) + (wanted[scored] + 1).clamp(min=0)
    counts = torch.bincount(pairs, minlength=(num_regions + 1) ** 2).view(num_regions + 1, num_regions + 1)
    intersection = counts[1:, 1:].diagonal()
    union = counts[1:].sum(dim=1) + counts[:, 1:].sum(dim=0) - intersection
    iou = intersection.double() / union.double()
    return iou if isinstance(prediction, Tensor) else iou.numpy()


class RegionIoU(Metric):
    """Mean IoU over all regions of all images, and by region size (small < 32^2 px <= medium < 96^2 px <= large).

    Sums over regions are all that is kept, so images may be spread over ranks in any way.
    """

    full_state_update = False
    sums: Tensor
    counts: Tensor

    def __init__(self, **kwargs: Any) -> None:  # noqa: ANN401  torchmetrics' own arguments
        super().__init__(**kwargs)
        self.add_state("sums", torch.zeros(len(SIZES), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("counts", torch.zeros(len(SIZES), dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, iou: Tensor, area: Tensor) -> None:
        """Add one image's regions.

        Args:
            iou: (N,) in [0, 1]; NaN is left out.
            area: (N,) true area of every region, in square pixels.
        """
        for row, (low, high) in enumerate(SIZES.values()):
            chosen = iou[(area >= low) & (area < high) & ~iou.isnan()]
            self.sums[row] += chosen.sum()
            self.counts[row] += len(chosen)

    def compute(self) -> dict[str, Tensor]:
        """Return ``iou`` and ``iou_<size>``, NaN where there is no region, and ``regions``, their number."""
        by_size = {f"iou_{name}": self.sums[row] / self.counts[row] for row, name in enumerate(SIZES)}
        return {"iou": self.sums.sum() / self.counts.sum(), **by_size, "regions": self.counts.sum()}


def boundary_iou(prediction: NDArray[np.int64], truth: NDArray[np.int64], num_regions: int) -> NDArray[np.float64]:
    """Return every region's boundary IoU: that of the bands along the inside of both contours.

    Cheng et al., Boundary IoU: Improving Object-Centric Image Segmentation Evaluation, CVPR 2021. A mask's band is what
    d erosions by 3 x 3 squares take away, d being 2 % of the image's diagonal; the image's edge is a contour, too. VOID
    pixels of the truth are not scored.

    Args:
        prediction: (H, W) int, region in [0, N) or VOID.
        truth: (H, W) int, region in [0, N), VOID or BACKGROUND.
        num_regions: N.

    Returns:
        (N,) float64 in [0, 1]; NaN for a region without a pixel in either band.
    """
    reach = max(1, round(BOUNDARY_WIDTH * float(np.hypot(*truth.shape))))
    kernel = np.ones((2 * reach + 1, 2 * reach + 1), np.uint8)
    boxes = (find_objects(regions + 1, max_label=num_regions) for regions in (prediction, truth))
    iou = np.full(num_regions, np.nan)
    for region, pair in enumerate(zip(*boxes, strict=True)):
        found = [box for box in pair if box is not None]
        if not found:
            continue
        frame = tuple(
            slice(min(box[axis].start for box in found), max(box[axis].stop for box in found)) for axis in (0, 1)
        )
        scored = truth[frame] != VOID
        mine, wanted = (_band(regions[frame] == region, kernel) & scored for regions in (prediction, truth))
        union = np.count_nonzero(mine | wanted)
        if union:
            iou[region] = np.count_nonzero(mine & wanted) / union
    return iou


def _band(mask: NDArray[np.bool_], kernel: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the pixels that erosion takes away; nothing of the mask lies beyond the array."""
    core = cv2.erode(mask.view(np.uint8), kernel, borderType=cv2.BORDER_CONSTANT, borderValue=0)
    band: NDArray[np.bool_] = mask & (core == 0)
    return band


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
