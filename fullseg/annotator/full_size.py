"""The labels of an image at the size of its file, where decided pixels are exact."""

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from fullseg.annotator.layer import Layer, Part, as_places
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
    return with_exact(enlarge(region_map, size), work, layer, locked_pixels(work, size))


def with_exact(
    region_map: NDArray[np.int64],
    work: Work,
    layer: Layer | None,
    locked: NDArray[np.int32] | None,
    part: Part | None = None,
) -> NDArray[np.int64]:
    """Return a map (H, W), of the size of the file or of a part of it, in which all decided pixels have their regions.

    Args:
        region_map: (H, W), region in [0, N), or VOID.
        work: the state of the image, with N regions.
        layer: the decided pixels of the file; None: there are none.
        locked: ``locked_pixels`` of the file.
        part: of the file; None: all of it.
    """
    if layer is not None and not layer.sizes.same:
        region_map = _with_decisions(region_map, work, layer, part or Part.whole(layer.sizes.full))
    if locked is not None:
        region_map = _with_locked(region_map, work, locked[part.slices] if part else locked)
    return region_map


def locked_pixels(work: Work, size: tuple[int, int]) -> NDArray[np.int32] | None:
    """Return which locked region has a pixel at the size of the file, (H, W): its place in [0, N), or VOID.

    None: no region has pixels of its own at this size.
    """
    result = None
    for place, region in enumerate(work.regions):
        if region.full_mask is not None:
            result = np.full(size, VOID, np.int32) if result is None else result
            result[decode_mask(region.full_mask, size)] = place
    return result


def _with_decisions(region_map: NDArray[np.int64], work: Work, layer: Layer, part: Part) -> NDArray[np.int64]:
    """Return a map (H, W) in which decided pixels have their regions, and those beside them do not.

    Enlarging gives the region of a decided pixel to its neighbours, too. These go with the nearest pixel that the
    network labelled.
    """
    held = np.isin(region_map, [place for place, region in enumerate(work.regions) if region.mask is not None])
    places = {region.id: place for place, region in enumerate(work.regions) if region.mask is None}
    owners = np.where(held, VOID, as_places(layer.owners(part), places))
    rows, columns = (
        np.clip(shown_by[here] - here.start, 0, here.stop - here.start - 1)
        for shown_by, here in zip(layer.sizes.shown_by(), part.slices, strict=True)
    )
    beside = owners[rows[:, None], columns] != VOID
    result = nearest(region_map, beside & (owners == VOID) & ~held, ~beside)
    width = layer.sizes.full[1]
    barred = {places[region]: pixels for region, pixels in layer.barred.items() if region in places}
    result = _without_barred(result, {place: part.inside(pixels, width) for place, pixels in barred.items()})
    result[owners != VOID] = owners[owners != VOID]
    result[result == BACKGROUND] = VOID
    return result


def _without_barred(region_map: NDArray[np.int64], barred: Mapping[int, NDArray[np.int64]]) -> NDArray[np.int64]:
    """Return a map (H, W) in which no region has pixels that it cannot have. The nearest other region has them.

    Args:
        region_map: region in [0, N), or VOID.
        barred: by region its pixels, y * W + x in rising order.
    """
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


def _with_locked(region_map: NDArray[np.int64], work: Work, locked: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return a map (H, W) in which locked regions have the pixels that they have at this size.

    Enlarging has given them others. Of these, each that is not their own goes with the nearest pixel of none of them.
    """
    wrong = np.isin(region_map, [place for place, region in enumerate(work.regions) if region.full_mask is not None])
    return np.where(locked != VOID, locked, nearest(region_map, wrong, ~wrong))


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
