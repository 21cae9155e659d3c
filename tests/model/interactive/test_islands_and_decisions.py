"""Islands and holes go to other regions, but what a person decided pixel by pixel stays, and changes no other pixel."""

from typing import Any

import numpy as np
import pytest
import torch
from scipy import ndimage

from fullseg.model.interactive.image_state import ImageState
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import BACKGROUND, VOID, Annotations, Decisions
from tests.model.interactive.test_image_state import SIZE, changed, features_of, random_quad


@pytest.mark.parametrize("partly", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_decided_pixels_stay_and_no_other_pixel_changes(tiny_model: dict[str, Any], seed: int, partly: bool) -> None:
    torch.manual_seed(seed)
    segmenter = RegionSegmenter(**{**tiny_model, "num_classes": 1, "least_part": 300}).eval()
    features, rng = features_of(segmenter), np.random.default_rng(seed)
    annotations = Annotations(np.stack([random_quad(rng) for _ in range(5)]), [])
    for _ in range(4):
        annotations = changed(annotations, rng)
    owners = np.full(SIZE, VOID, np.int64)
    for region in range(len(annotations.extreme_points)):  # specks, far smaller than an island may be
        y, x = (int(rng.integers(0, length - 4)) for length in SIZE)
        owners[y : y + 4, x : x + 4] = region
    owners[20:24, 30:34] = BACKGROUND
    barred = {0: rng.random(SIZE) < 0.02}
    plain, painted = (ImageState(segmenter, features, SIZE, hold_scribbles=True, batched=False) for _ in range(2))
    with torch.inference_mode():
        plain.update(annotations, {}, {}, partly=partly)
        painted.update(annotations, {}, {}, Decisions(owners, barred), partly=partly)
    assert (plain.region_map != plain.canvas.region_map).any()  # there are islands
    decided = (owners != VOID) | barred[0]
    np.testing.assert_array_equal(painted.region_map[~decided], plain.region_map[~decided])
    wanted = np.where(owners == BACKGROUND, VOID, owners)
    np.testing.assert_array_equal(painted.region_map[owners != VOID], wanted[owners != VOID])
    assert (painted.region_map[barred[0] & (owners != 0)] != 0).all()


def test_an_erased_hole_stays_and_nobody_is_sure_of_a_filled_one(tiny_model: dict[str, Any]) -> None:
    segmenter = RegionSegmenter(**{**tiny_model, "num_classes": 1, "least_part": 20}).eval()
    one = Annotations(np.array([[[5, 70], [140, 5], [275, 70], [140, 145]]], np.float32), [])
    owners = np.full(SIZE, VOID, np.int64)
    owners[100:110, 200:210] = BACKGROUND  # erased
    state = ImageState(segmenter, features_of(segmenter), SIZE, hold_scribbles=True, batched=False)
    with torch.inference_mode():
        state.update(one, {}, {}, partly=True)
        state.states.logits()[0].fill_(5)[3, 3] = -50  # the network's answer has a hole
        state.canvas.mark_all()
        state.update(one, {}, {}, Decisions(owners, {}), partly=True)
    hole = (state.canvas.region_map == VOID) & (owners == VOID)
    hole &= ndimage.binary_fill_holes(state.canvas.region_map == 0)
    assert hole.any()
    assert (state.region_map[hole] == 0).all()
    assert (state.certainty()[hole] == 0).all()
    assert (state.region_map[owners == BACKGROUND] == VOID).all()
