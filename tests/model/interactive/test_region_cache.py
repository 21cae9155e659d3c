"""Every method of the base class on every kind of cache: the same logits as computing everything anew."""

from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from fullseg.model.factory import make_segmenter
from fullseg.model.interactive.batches import BatchCache, TwoStageCache
from fullseg.model.interactive.crops import CropCache
from fullseg.model.interactive.drawing import bounding_box, difference, draw_regions
from fullseg.model.interactive.factory import make_region_cache
from fullseg.model.interactive.region_cache import Region, RegionCache
from fullseg.model.interactive.windows import WindowCache
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.segmenter import Segmenter
from fullseg.types import Annotations, Scribble
from tests.model.interactive.test_image_state import (
    DEXTR,
    SIZE,
    VARIANTS,
    features_of,
    random_quad,
    straightforward,
    tell_classes_apart,
)

KINDS = {
    WindowCache: ({}, False),
    BatchCache: ({}, True),
    TwoStageCache: (VARIANTS["two stages"], True),
    CropCache: (DEXTR, True),
}
POINTS = np.stack([random_quad(np.random.default_rng(seed)) for seed in range(4)])
STROKE = Scribble(1, np.array([POINTS[1, 0], POINTS[1].mean(axis=0).round()], np.float32))


def segmenter_of(options: dict[str, Any], tiny_model: dict[str, Any]) -> Segmenter:
    torch.manual_seed(0)
    segmenter = make_segmenter(options if "name" in options else {"name": "region", **tiny_model, **options}).eval()
    if isinstance(segmenter, RegionSegmenter):
        tell_classes_apart(segmenter)
        for convolution in segmenter.convolutions:
            torch.nn.init.normal_(convolution.bias)  # type: ignore[arg-type]  # 0 before training
    return segmenter


def draw(cache: RegionCache[Any], region: Region, quad: NDArray[np.float32], paths: list[NDArray[np.float32]]) -> None:
    segmenter = cache.segmenter
    before = region.drawing
    [region.drawing] = draw_regions(
        quad[None], [paths], SIZE, encoding=segmenter.annotation_encoding, share=segmenter.share
    )
    region.extreme_points, region.scribbles = quad, paths
    change = difference(before.shared, region.drawing.shared)
    cache.total.ravel()[change.pixels] += change.values


@pytest.mark.parametrize("kind", KINDS)
def test_each_method_works_on_each_kind(kind: type[RegionCache[Any]], tiny_model: dict[str, Any]) -> None:
    options, batched = KINDS[kind]
    segmenter = segmenter_of(options, tiny_model)
    features = features_of(segmenter)
    cache = make_region_cache(segmenter, features, SIZE, batched=batched)
    assert type(cache) is kind
    regions = [Region() for _ in POINTS]
    with torch.inference_mode():
        anew = straightforward(segmenter, features, Annotations(POINTS, []))
        for region, quad, box in zip(regions, POINTS, anew.boxes.int().tolist(), strict=True):
            region.box = tuple(box)
            draw(cache, region, quad, [])
        whole = (0, 1, 0, 1)  # any window: nothing is kept yet
        reached = cache.update([(region, whole) for region in regions])

        assert reached == [region.box for region in regions]
        assert_logits(regions, anew.logits)

        before = regions[1].drawing.own
        draw(cache, regions[1], POINTS[1], [STROKE.points])
        pixels = bounding_box(difference(before, regions[1].drawing.own), SIZE[1])
        assert pixels is not None
        seen = [(region, cache.touched_cells(region.box, pixels)) for region in regions]
        touched = [(region, window) for region, window in seen if window is not None]
        assert regions[1] in [region for region, _ in touched]
        reached = cache.update(touched)

        anew = straightforward(segmenter, features, Annotations(POINTS, [STROKE]))
        assert_logits(regions, anew.logits)
        for (region, _), (x0, y0, x1, y1) in zip(touched, reached, strict=True):
            assert region.box[0] <= x0 < x1 <= region.box[2]
            assert region.box[1] <= y0 < y1 <= region.box[3]

        for region in regions:
            cache.forget(region)
            assert region.hidden == []
            region.logits = None
        cache.update([(region, whole) for region in regions])
        assert_logits(regions, anew.logits)
        assert cache.update([]) == []


@pytest.mark.parametrize("kind", KINDS)
def test_no_kind_inherits_from_another(kind: type[RegionCache[Any]]) -> None:
    assert [base for base in kind.__mro__ if issubclass(base, RegionCache)] == [kind, RegionCache]


@pytest.mark.parametrize("kind", KINDS)
def test_pixels_out_of_sight_touch_no_cell(kind: type[RegionCache[Any]], tiny_model: dict[str, Any]) -> None:
    options, batched = KINDS[kind]
    segmenter = segmenter_of(options, tiny_model)
    cache = make_region_cache(segmenter, features_of(segmenter), SIZE, batched=batched)
    assert cache.touched_cells((100, 20, 140, 60), (0, 0, 90, 150)) is None
    assert cache.touched_cells((100, 20, 140, 60), (90, 0, 110, 150)) is not None


def test_a_network_without_a_cache_is_named() -> None:
    class Other(Segmenter):
        features = region_inputs = head = backbone_parts = None  # type: ignore[assignment]

    other = Other(share="none", annotation_encoding="binary", background=False)
    with pytest.raises(TypeError, match="no region cache for a Other"):
        make_region_cache(other, torch.zeros(8, 4, 4), SIZE, batched=False)


def assert_logits(regions: list[Region], expected: torch.Tensor) -> None:
    found = torch.stack([region.logits for region in regions if region.logits is not None])
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)
