import numpy as np
import pytest
import torch

from fullseg.model.canvas import OUTSIDE_LOGIT, hold_scribbles, probabilities_of, region_map_of

LINE = torch.tensor([[2.0, 3.0], [9.0, 3.0], [12.0, 8.0]])


def test_line_is_its_regions_for_certain_and_all_else_is_as_before() -> None:
    canvas = torch.randn(3, 12, 15, generator=torch.Generator().manual_seed(0))
    held = hold_scribbles(canvas.clone(), LINE, torch.tensor([3]), torch.tensor([1]))
    changed = (held != canvas).any(dim=0)
    assert changed[3, 2:10].all()
    assert changed[8, 12]
    assert not changed[:3].any()
    y, x = changed[4:].nonzero().T
    across = (5 * (x - 9.0) - 3 * (y + 1.0)) / 34**0.5  # from the line through (9, 3) and (12, 8)
    assert across.abs().max() <= 0.5**0.5
    assert set((y + 4).tolist()) == {4, 5, 6, 7, 8}
    assert (region_map_of(held)[changed] == 1).all()
    assert (probabilities_of(held)[1][changed] == 1).all()
    torch.testing.assert_close(held[:, ~changed], canvas[:, ~changed], rtol=0, atol=0)


def test_the_later_scribble_holds_where_two_cross() -> None:
    canvas = torch.zeros(2, 12, 15)
    points = torch.tensor([[0.0, 5.0], [10.0, 5.0], [5.0, 0.0], [5.0, 10.0]])
    first_0 = region_map_of(hold_scribbles(canvas.clone(), points, torch.tensor([2, 2]), torch.tensor([0, 1])))
    first_1 = region_map_of(hold_scribbles(canvas.clone(), points, torch.tensor([2, 2]), torch.tensor([1, 0])))
    assert (first_0[5, 5], first_0[5, 4], first_0[4, 5]) == (1, 0, 1)
    assert (first_1[5, 5], first_1[5, 4], first_1[4, 5]) == (0, 1, 0)


def test_each_pixel_of_a_simulated_path_is_held_and_no_other() -> None:
    rng = np.random.default_rng(0)
    steps = rng.integers(-1, 2, (60, 2))
    path = (30 + np.cumsum(steps, axis=0)).clip(0, 59).astype(np.float32)
    canvas = torch.stack([torch.ones(60, 60), torch.zeros(60, 60)])
    held = region_map_of(hold_scribbles(canvas, torch.from_numpy(path), torch.tensor([60]), torch.tensor([1])))
    assert {(int(x), int(y)) for y, x in held.nonzero()} == {(int(x), int(y)) for x, y in path}


@pytest.mark.parametrize("edge", [(14.4, 11.4), (-0.5, -0.5)])
def test_a_dot_at_the_edge_of_the_image(edge: tuple[float, float]) -> None:
    held = hold_scribbles(torch.zeros(2, 12, 15), torch.tensor([edge]), torch.tensor([1]), torch.tensor([1]))
    assert int((held[0] == OUTSIDE_LOGIT).sum()) == 1


def test_no_scribble_changes_nothing() -> None:
    canvas = torch.randn(2, 4, 5)
    nothing = torch.zeros(0, dtype=torch.int64)
    assert torch.equal(hold_scribbles(canvas.clone(), torch.zeros(0, 2), nothing, nothing), canvas)
