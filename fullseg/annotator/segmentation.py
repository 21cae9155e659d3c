"""From the state of the work to a label for every pixel, and to what the model is least sure of."""

import base64
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fullseg.annotator.work import Work
from fullseg.model.predictor import Predictor
from fullseg.types import VOID


class Segmentation(NamedTuple):
    """One answer of the model to N regions."""

    region_map: NDArray[np.int64]  # (H, W), index into the work's regions, or VOID
    unassigned: int  # pixels that no region's box covers, before any filling
    uncertainty: NDArray[np.float32]  # (H, W) in [0, 1]: 1 - probability of the pixel's region; 0 where it has none
    expected_iou: NDArray[np.float32]  # (N,) in [0, 1], of every region by the model's own probabilities
    classes: NDArray[np.int64]  # (N,), the model's guess, index into its categories


def segment(predictor: Predictor, work: Work, classes: Mapping[int, int]) -> Segmentation:
    """Ask the model about the image it holds.

    Args:
        predictor: after ``set_image`` with the image of this work.
        work: all regions; a locked one has just its own pixels.
        classes: of regions, by their place in the work, that the person named as one of the model's classes.

    Returns:
        The labels, filled where the work says so.

    Raises:
        ValueError: if a locked region's mask is not of the image's size.
    """
    locked = {
        i: decode_mask(region.mask, work.size) for i, region in enumerate(work.regions) if region.mask is not None
    }
    region_map = predictor.predict(work.annotations(), locked=locked, classes=classes)
    certainty = predictor.certainty()
    unassigned = int(np.count_nonzero(region_map == VOID))
    uncertainty = np.where(region_map == VOID, np.float32(0), 1 - certainty)
    if work.filled:
        region_map = fill(region_map, [index for index in range(len(work.regions)) if index not in locked])
    expected = expected_iou(region_map, certainty, predictor.expected_areas())
    return Segmentation(region_map, unassigned, uncertainty, expected, predictor.classes())


def expected_iou(
    region_map: NDArray[np.int64], certainty: NDArray[np.float32], expected_areas: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the IoU (N,) of every region with its own probabilities: what the model expects of itself.

    It is the quantity that a correction raises (the importance of an error, paper, Sec. 4.2) with the model's
    probabilities in place of the truth, which a person does not have.

    Args:
        region_map: (H, W) in [0, N) or VOID.
        certainty: (H, W), probability of every pixel's own region, 0 where it had none before any filling.
        expected_areas: (N,), sum of every region's probabilities over all pixels.
    """
    count = len(expected_areas)
    labels = region_map.ravel() - VOID
    areas = np.bincount(labels, minlength=count + 1)[1:]
    own = np.bincount(labels, weights=certainty.ravel(), minlength=count + 1)[1:]
    union = areas + expected_areas - own
    iou = np.divide(own, union, out=np.zeros(count), where=union > 0)
    return np.asarray(iou, np.float32)


def fill(region_map: NDArray[np.int64], regions: list[int]) -> NDArray[np.int64]:
    """Give every VOID pixel to the nearest pixel's region, of those listed; leave it VOID if none of them has a pixel.

    Args:
        region_map: (H, W), region in [0, N) or VOID.
        regions: that may grow.
    """
    seeds = np.isin(region_map, regions)
    void = region_map == VOID
    if not seeds.any() or not void.any():
        return region_map
    nearest = ndimage.distance_transform_edt(~seeds, return_distances=False, return_indices=True)
    return np.where(void, region_map[tuple(nearest)], region_map)


def encode_mask(pixels: NDArray[np.bool_]) -> str:
    """Return pixels (H, W) as text: bits, row after row, compressed."""
    return base64.b64encode(zlib.compress(np.packbits(pixels).tobytes())).decode("ascii")


def decode_mask(text: str, size: tuple[int, int]) -> NDArray[np.bool_]:
    """Return the pixels (H, W) that ``encode_mask`` wrote; raise ValueError if they are not of this size."""
    count = size[0] * size[1]
    try:
        bits = np.frombuffer(zlib.decompress(base64.b64decode(text, validate=True)), np.uint8)
    except (ValueError, zlib.error) as error:
        raise ValueError(f"a locked region's mask cannot be read: {error}") from error
    if len(bits) != (count + 7) // 8:
        raise ValueError(f"a locked region's mask is not of an image of {size[1]} x {size[0]} pixels")
    return np.unpackbits(bits, count=count).reshape(size).astype(bool)
