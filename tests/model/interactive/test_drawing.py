"""Sparse drawings against the dense maps of ``annotation_maps``."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from fullseg.model.annotation_maps import annotation_maps, draw_points, draw_scribbles
from fullseg.model.interactive.drawing import (
    Drawing,
    RegionDrawing,
    align_window,
    bounding_box,
    difference,
    draw_regions,
)

SIZE = (61, 83)
NOTHING = torch.zeros(0, dtype=torch.int64)


def dense(drawing: Drawing) -> Tensor:
    flat = torch.zeros(SIZE[0] * SIZE[1])
    flat[torch.from_numpy(drawing.pixels)] = torch.from_numpy(drawing.values)
    return flat.view(SIZE)


def random_region(rng: np.random.Generator) -> tuple[Tensor, Tensor, Tensor]:
    points = torch.from_numpy((rng.random((4, 2)) * (SIZE[1], SIZE[0])).astype(np.float32))
    lengths = torch.from_numpy(rng.integers(1, 4, rng.integers(0, 3)))
    strokes = torch.from_numpy((rng.random((int(lengths.sum()), 2)) * (SIZE[1], SIZE[0])).astype(np.float32))
    return points, strokes, lengths


def draw_region(points: Tensor, strokes: Tensor, lengths: Tensor, encoding: str, share: str) -> RegionDrawing:
    """Draw a region together with another one, which must not change the drawing."""
    other = np.full((4, 2), 7, np.float32)
    paths = [part.numpy() for part in strokes.split(lengths.tolist())] if len(lengths) else []
    quads = np.stack([other, points.numpy()])
    return draw_regions(quads, [[other[:2]], paths], SIZE, encoding=encoding, share=share)[1]


def maps_of(points: Tensor, strokes: Tensor, lengths: Tensor, encoding: str) -> tuple[Tensor, Tensor]:
    alone = draw_points(points[None], SIZE, encoding)
    return alone[0], draw_scribbles(alone.clone(), strokes, lengths, torch.zeros_like(lengths))[0]


@settings(max_examples=30, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from(["binary", "gaussian", "gaussian_box"]),
    st.sampled_from(["none", "points", "all"]),
)
def test_draws_what_the_dense_map_holds(seed: int, encoding: str, share: str) -> None:
    region = random_region(np.random.default_rng(seed))
    alone, both = maps_of(*region, encoding)
    drawing = draw_region(*region, encoding, share)
    torch.testing.assert_close(dense(drawing.own), both, rtol=0, atol=1e-8)
    shared = {"none": torch.zeros(SIZE), "points": alone, "all": both}[share]
    torch.testing.assert_close(dense(drawing.shared), shared, rtol=0, atol=1e-8)
    if encoding == "binary":
        assert torch.equal(dense(drawing.own), both)
    assert (np.diff(drawing.own.pixels) > 0).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["binary", "gaussian", "gaussian_box"]))
def test_difference_and_its_box(seed: int, encoding: str) -> None:
    rng = np.random.default_rng(seed)
    points, strokes, lengths = random_region(rng)
    more = torch.cat([strokes, torch.from_numpy((rng.random((2, 2)) * (SIZE[1], SIZE[0])).astype(np.float32))])
    before, after = (
        draw_region(points, *given_, encoding, "all").own
        for given_ in ((strokes, lengths), (more, torch.cat([lengths, lengths.new_tensor([2])])))
    )
    change = dense(after) - dense(before)
    torch.testing.assert_close(dense(difference(before, after)), change)
    y, x = change.nonzero(as_tuple=True)
    expected = (int(x.min()), int(y.min()), int(x.max()) + 1, int(y.max()) + 1) if len(x) else None
    assert bounding_box(difference(before, after), SIZE[1]) == expected
    assert bounding_box(difference(after, after), SIZE[1]) is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([3, 9, 41]), st.sampled_from(["binary", "gaussian", "gaussian_box"]))
def test_a_window_is_that_part_of_the_roi(seed: int, roi_size: int, encoding: str) -> None:
    rng = np.random.default_rng(seed)
    regions = [random_region(rng) for _ in range(3)]
    drawings = [draw_region(*region, encoding, "all") for region in regions]
    own = torch.stack([maps_of(*region, encoding)[1] for region in regions])
    low = rng.integers(0, (SIZE[1], SIZE[0]))
    box = (*low.tolist(), *rng.integers(low + 1, (SIZE[1] + 1, SIZE[0] + 1)).tolist())
    whole = annotation_maps(own, own, torch.tensor([box] * 3).float(), roi_size)[1]
    top, left = rng.integers(0, roi_size, 2).tolist()
    bottom, right = int(rng.integers(top + 1, roi_size + 1)), int(rng.integers(left + 1, roi_size + 1))
    part = align_window(drawings[1], own.sum(dim=0).numpy(), box, roi_size, (top, bottom, left, right))
    torch.testing.assert_close(part, whole[:, top:bottom, left:right], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("share", ["none", "points", "all"])
def test_without_scribbles_the_own_map_is_the_points(share: str) -> None:
    points = torch.tensor([[1.0, 5.0], [9.0, 0.0], [20.0, 6.0], [11.0, 12.0]])
    drawing = draw_region(points, torch.zeros(0, 2), NOTHING, "binary", share)
    assert isinstance(drawing, RegionDrawing)
    assert (len(drawing.shared.pixels) == 0) == (share == "none")
