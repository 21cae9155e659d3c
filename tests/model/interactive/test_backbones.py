"""Updates equal everything computed anew, whatever network makes the features."""

from typing import Any

import numpy as np
import pytest
import torch

from fullseg.model.canvas import project_to_canvas
from fullseg.model.interactive.image_state import ImageState
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import Annotations
from tests.model.interactive.test_image_state import (
    SIZE,
    assert_same,
    changed,
    features_of,
    held,
    random_quad,
    straightforward,
)
from tests.model.test_backbone_families import FAMILIES


@pytest.mark.parametrize("sharp_channels", [0, 4])
@pytest.mark.parametrize("family", FAMILIES)
def test_updates_give_what_computing_everything_anew_gives(
    family: str, sharp_channels: int, tiny_model: dict[str, Any]
) -> None:
    torch.manual_seed(0)
    options = tiny_model | {"backbone": FAMILIES[family], "sharp_channels": sharp_channels, "num_classes": 1}
    segmenter = RegionSegmenter(**options).eval()
    rng = np.random.default_rng(0)
    annotations = Annotations(np.stack([random_quad(rng) for _ in range(4)]), [])
    features = features_of(segmenter)
    assert (features.sharp is not None) == (sharp_channels > 0)
    with torch.inference_mode():
        state = ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False)
        for _ in range(4):
            state.update(annotations, {}, {})
            regions = straightforward(segmenter, features, annotations)
            assert_same(state, regions, held(project_to_canvas(regions.logits, regions.boxes, SIZE), annotations, {}))
            annotations = changed(annotations, rng)
