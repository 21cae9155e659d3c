"""The labels of an image at the size of its file, where decided pixels are exact."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.layer import Layer, as_places
from fullseg.annotator.masks import decode_mask
from fullseg.annotator.work import Work
from fullseg.formats.image_file import enlarge
from fullseg.types import BACKGROUND, VOID

AROUND = 64  # px: how far around pixels without a label their new one is looked for first


def full_map(
    region_map: NDArray[np.int64], work: Work, layer: Layer | None, size: tuple[int, int]
) -> NDArray[np.int64]:
    """Return the labels at the size of the file, where each pixel of the page is a square.

    Args:
        region_map: (h, w), the labels that the page shows: region in [0, N), or VOID. Enlarging makes no new values.
        work: the state of the image, with N regions.
        layer: the decided pixels; None: there are none.
        size: (H, W) of the image file.

    Returns:
        (H, W) int64, region in [0, N), or VOID.
    """
    return with_exact(enlarge(region_map, size), work, layer)


def with_exact(region_map: NDArray[np.int64], work: Work, layer: Layer | None) -> NDArray[np.int64]:
    """Return a map (H, W), of the size of the file, in which all decided pixels have their regions.

    Args:
        region_map: (H, W), region in [0, N), or VOID.
        work: the state of the image, with N regions. Locked regions that have their pixels at this size keep them.
        layer: the decided pixels; None: there are none.
    """
    if layer is not None and not layer.sizes.same:
        region_map = _with_decisions(region_map, work, layer)
    return _with_locked(region_map, work)


def _with_decisions(region_map: NDArray[np.int64], work: Work, layer: Layer) -> NDArray[np.int64]:
    """Return a map (H, W) in which decided pixels have their regions, and those beside them do not.

    Enlarging gives the region of a decided pixel to its neighbours, too. These go with the nearest pixel that the
    network labelled.
    """
    locked = [place for place, region in enumerate(work.regions) if region.mask is not None]
    places = {region.id: place for place, region in enumerate(work.regions) if region.mask is None}
    held = np.isin(region_map, locked)
    owners = np.where(held, VOID, as_places(layer.owners(), places))
    rows, columns = layer.sizes.sampled()
    beside = enlarge((owners[rows[:, None], columns] != VOID).astype(np.int64), layer.sizes.full) > 0
    result = nearest(region_map, beside & (owners == VOID) & ~held, ~beside)
    result = _without_barred(result, places, layer)
    result[owners != VOID] = owners[owners != VOID]
    result[result == BACKGROUND] = VOID
    return result


def _without_barred(region_map: NDArray[np.int64], places: Mapping[int, int], layer: Layer) -> NDArray[np.int64]:
    """Return a map (H, W) in which no region has pixels that it cannot have. The nearest other region has them."""
    barred = {places[region]: pixels for region, pixels in layer.barred.items() if region in places}
    labels = region_map.ravel()
    wrong = [pixels[labels[pixels] == place] for place, pixels in barred.items()]
    every = np.unique(np.concatenate([np.zeros(0, np.int64), *wrong]))
    if len(every) == 0:
        return region_map
    sets = np.stack([np.isin(every, pixels, assume_unique=True) for pixels in barred.values()])  # (regions, pixels)
    kinds, kind = np.unique(sets, axis=1, return_inverse=True)
    result = region_map
    for number, forbidden in enumerate(kinds.T):
        here = np.zeros(region_map.shape, bool)
        here.ravel()[every[kind.ravel() == number]] = True
        result = nearest(result, here, ~np.isin(result, np.array(list(barred))[forbidden]) & ~here)
    return result


def _with_locked(region_map: NDArray[np.int64], work: Work) -> NDArray[np.int64]:
    """Return a map (H, W) in which locked regions have the pixels that they have at this size.

    Enlarging has given them others. Of these, each that is not their own goes with the nearest pixel of none of them.
    """
    masks = {index: region.full_mask for index, region in enumerate(work.regions) if region.full_mask is not None}
    if not masks:
        return region_map
    wrong = np.isin(region_map, list(masks))
    result = nearest(region_map, wrong, ~wrong)
    for index, mask in masks.items():
        result[decode_mask(mask, (region_map.shape[0], region_map.shape[1]))] = index
    return result


def nearest(region_map: NDArray[np.int64], wrong: NDArray[np.bool_], sources: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return a map (H, W) whose wrong pixels have the value of the nearest source, or VOID if there is none."""
    result = region_map.copy()
    rows, columns = np.flatnonzero(wrong.any(axis=1)), np.flatnonzero(wrong.any(axis=0))
    if len(rows) == 0:
        return result
    part = tuple(slice(max(0, int(at[0]) - AROUND), int(at[-1]) + 1 + AROUND) for at in (rows, columns))
    part = part if sources[part].any() else (slice(None), slice(None))
    values, here = region_map[part], sources[part]
    if not here.any():
        result[wrong] = VOID
        return result
    far = np.ascontiguousarray(~here).astype(np.uint8)
    _, labels = cv2.distanceTransformWithLabels(far, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL)
    value = np.full(int(labels.max()) + 1, VOID, np.int64)
    value[labels[here]] = values[here]
    result[part][wrong[part]] = value[labels[wrong[part]]]
    return result
