"""Which head a network has on one image."""

from typing import Any

from torch import Tensor

from fullseg.model.base import Segmenter
from fullseg.model.dextr.dextr import Dextr
from fullseg.model.interactive.batches import BatchedHead, TwoStageHead
from fullseg.model.interactive.crops import DextrHead
from fullseg.model.interactive.region_cache import RegionHead
from fullseg.model.interactive.windows import IncrementalHead
from fullseg.model.segmenter import RegionSegmenter


def make_head(segmenter: Segmenter, features: Tensor, size: tuple[int, int], *, batched: bool) -> RegionHead[Any]:
    """Return the head of a network on one image: with the light one windows where it is not to be ``batched``."""
    if isinstance(segmenter, Dextr):
        return DextrHead(segmenter, features, size)
    if not isinstance(segmenter, RegionSegmenter):
        raise TypeError(f"{type(segmenter).__name__} has no head for one image after another: add it here")
    if segmenter.second_stage is not None:
        return TwoStageHead(segmenter, features, size)
    return (BatchedHead if batched else IncrementalHead)(segmenter, features, size)
