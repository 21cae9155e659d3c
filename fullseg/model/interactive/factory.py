"""Chooses the cache that fits a network."""

from typing import Any

from fullseg.model.base import Features
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.interactive.batches import BatchCache, TwoStageCache
from fullseg.model.interactive.crops import CropCache
from fullseg.model.interactive.first_looks import FirstLooks
from fullseg.model.interactive.region_cache import RegionCache
from fullseg.model.interactive.windows import WindowCache
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter


def make_region_cache(
    segmenter: Segmenter, features: Features, size: tuple[int, int], *, batched: bool
) -> RegionCache[Any]:
    """Make the cache of one image's regions.

    Args:
        segmenter: in evaluation mode.
        features: of the image.
        size: (H, W) of the image in pixels.
        batched: compute whole regions in one batch, which a GPU does faster than windows. Only the light head has the
            choice.

    Raises:
        TypeError: if there is no cache for this network.
    """
    if isinstance(segmenter, Dextr):
        return CropCache(segmenter, features, size)
    if not isinstance(segmenter, RegionSegmenter):
        raise TypeError(f"no region cache for a {type(segmenter).__name__}: write one and add it here")
    if segmenter.second_stage is not None:
        return TwoStageCache(segmenter, features, size)
    return (BatchCache if batched else WindowCache)(segmenter, features, size)


def first_looks(segmenter: Segmenter, features: Features, size: tuple[int, int]) -> FirstLooks | None:
    """Make what keeps the regions' first answers; None if the network does not see them again."""
    if isinstance(segmenter, RegionSegmenter) and segmenter.second_look:
        return FirstLooks(segmenter, features, size)
    return None
