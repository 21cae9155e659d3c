"""Asks the model for the label of each pixel, and for how sure it is of each region."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.annotator.evidence import Shown
from fullseg.annotator.layer import Layer
from fullseg.annotator.masks import decode_mask
from fullseg.annotator.work import Work
from fullseg.types import BACKGROUND, VOID, Scribble

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor


class Segmentation(NamedTuple):
    """The model's answer for N regions."""

    region_map: NDArray[np.int64]  # (H, W), index into the work's regions, or VOID
    unassigned: int  # number of pixels of no region, before filling
    uncertainty: NDArray[np.float32]  # (H, W) in [0, 1]: 1 - probability of the pixel's region; 0 for VOID
    expected_iou: NDArray[np.float32]  # (N,) in [0, 1]: the IoU that the model expects of each region
    classes: NDArray[np.int64]  # (N,) the model's guess: index into its categories


def segment(
    predictor: "Predictor",
    work: Work,
    classes: Mapping[int, int],
    layer: Layer | None = None,
    shown: Sequence[Shown] = (),
    *,
    kept: bool = True,
) -> Segmentation:
    """Ask the model for the labels of the image that it holds.

    Args:
        predictor: after ``set_image`` with the image of this work.
        work: all regions. Locked regions keep exactly their pixels.
        classes: the classes of the model that the person chose, by the region's index in the work.
        layer: the decided pixels; None: there are none.
        shown: what the network learns from earlier decisions.
        kept: with the decisions to keep a pixel as it was.

    Returns:
        The model's answer. VOID pixels are filled if ``work.filled``.

    Raises:
        ValueError: if a locked region's mask is not of the image's size.
    """
    locked = {
        i: decode_mask(region.mask, work.size) for i, region in enumerate(work.regions) if region.mask is not None
    }
    annotations, decisions = work.annotations(), None
    if work.filled:  # all that there is in the image is marked, so nothing is of no region
        annotations = annotations._replace(scribbles=[one for one in annotations.scribbles if one.region != BACKGROUND])
    if layer is not None:
        places = {region.id: i for i, region in enumerate(work.regions)}
        annotations.scribbles.extend(Scribble(places[one.region], one.points) for one in shown)
        decisions = layer.decisions(places, kept=kept)._replace(evidence=len(shown))
    # Until the person says that all of the image is marked, a pixel may be of no region, if the model has learnt that.
    partly = predictor.trained_partly and not work.filled
    region_map = predictor.predict(annotations, locked=locked, classes=classes, decisions=decisions, partly=partly)
    certainty = predictor.certainty()
    unassigned = int(np.count_nonzero(region_map == VOID))
    uncertainty = np.where(region_map == VOID, np.float32(0), 1 - certainty)
    if work.filled:
        growing = [index for index in range(len(work.regions)) if index not in locked]
        region_map = fill(region_map, growing, decisions.barred if decisions else {})
    expected = expected_iou(region_map, certainty, predictor.expected_areas())
    return Segmentation(region_map, unassigned, uncertainty, expected, predictor.classes())


def expected_iou(
    region_map: NDArray[np.int64], certainty: NDArray[np.float32], expected_areas: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the IoU (N,) that the model expects of each region.

    The importance of an error is how much its correction raises the IoU with the truth (paper, Sec. 4.2). The truth is
    unknown here, so the model's probabilities take its place.

    Args:
        region_map: (H, W) in [0, N) or VOID.
        certainty: (H, W) in [0, 1], probability of each pixel's region; 0 for pixels that were VOID before filling.
        expected_areas: (N,) sum of each region's probabilities over all pixels.
    """
    count = len(expected_areas)
    labels = region_map.ravel() - VOID
    areas = np.bincount(labels, minlength=count + 1)[1:]
    own = np.bincount(labels, weights=certainty.ravel(), minlength=count + 1)[1:]
    union = areas + expected_areas - own
    iou = np.divide(own, union, out=np.zeros(count), where=union > 0)
    return np.asarray(iou, np.float32)


def fill(
    region_map: NDArray[np.int64], regions: Sequence[int], barred: Mapping[int, NDArray[np.bool_]]
) -> NDArray[np.int64]:
    """Give each VOID pixel to the nearest of some regions. If these have no pixel at all, VOID pixels stay VOID.

    Args:
        region_map: (H, W), region in [0, N) or VOID.
        regions: numbers of the regions that may grow.
        barred: per region pixels (H, W) that it cannot get. They go to the nearest of the others.
    """
    filled = _filled(region_map, region_map == VOID, regions)
    for region, mask in barred.items():
        wrong = mask & (region_map == VOID) & (filled == region)
        filled = _filled(np.where(wrong, VOID, filled), wrong, [other for other in regions if other != region])
    return filled


def _filled(region_map: NDArray[np.int64], void: NDArray[np.bool_], regions: Sequence[int]) -> NDArray[np.int64]:
    seeds = np.isin(region_map, regions)
    if not seeds.any() or not void.any():
        return region_map
    nearest = ndimage.distance_transform_edt(~seeds, return_distances=False, return_indices=True)
    return np.where(void, region_map[tuple(nearest)], region_map)
