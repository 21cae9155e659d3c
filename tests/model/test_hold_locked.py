"""Locked regions in the canvas."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from fullseg.model.canvas import hold_locked, probabilities_of, project_to_canvas, region_map_of


@given(st.integers(0, 2**32 - 1), st.integers(0, 3))
def test_a_locked_region_has_its_pixels_for_certain_and_the_others_share_the_rest_as_if_it_were_not_there(
    seed: int, locked: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    corners = torch.rand((4, 2), generator=generator) * torch.tensor([10.0, 6.0])
    boxes = torch.cat([corners, corners + 1 + torch.rand((4, 2), generator=generator) * 8], dim=1)
    logits = torch.randn((4, 5, 5), generator=generator)
    pixels = torch.rand((12, 16), generator=generator) < 0.3
    canvas = hold_locked(project_to_canvas(logits, boxes, (12, 16)), {locked: pixels})
    region_map, probabilities = region_map_of(canvas), probabilities_of(canvas)
    assert torch.equal(region_map == locked, pixels)
    assert (probabilities[locked] == pixels).all()
    others = [region for region in range(4) if region != locked]
    alone = project_to_canvas(logits[others], boxes[others], (12, 16))
    torch.testing.assert_close(probabilities[others][:, ~pixels], probabilities_of(alone)[:, ~pixels])
    expected = torch.tensor([*others, -1])[region_map_of(alone)]
    assert torch.equal(region_map[~pixels], expected[~pixels])
