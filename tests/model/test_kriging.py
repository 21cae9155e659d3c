"""Kriging: the sum over samples written down with loops, in double precision, and the samples themselves."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from fullseg.model.annotation_maps import walk_scribbles
from fullseg.model.base import Strokes
from fullseg.model.canvas import OUTSIDE_LOGIT
from fullseg.model.kriging import LARGEST_STEP, Kriging, sample_annotations
from fullseg.types import Scribble

CELL, GRID = 4, (5, 7)  # px; (h, w) in cells


def make(*, learned: bool, channels: int = 3) -> Kriging:
    """Return kriging whose numbers all differ from each other and from 1."""
    torch.manual_seed(0)
    kriging = Kriging(channels, stride=CELL, learned=learned)
    for name, value in {"margin": 1.7, "noise": 0.05, "reach": 9.0, "colour": 1.3}.items():
        kriging.logs[name].data.fill_(math.log(value))
    return kriging


def example(samples: int = 6, regions: int = 3) -> tuple[Tensor, Tensor, Tensor]:
    """Return residuals (N, S), points (S, 2) and an embedding (D, h, w)."""
    rng = torch.Generator().manual_seed(1)
    points = torch.rand(samples, 2, generator=rng) * torch.tensor([CELL * GRID[1] - 1.0, CELL * GRID[0] - 1.0])
    return torch.randn(regions, samples, generator=rng), points, torch.randn(4, *GRID, generator=rng) / 2


def dense(kriging: Kriging, residuals: Tensor, points: Tensor, embedding: Tensor) -> Tensor:
    """Compute delta cell by cell and sample by sample, in the precision of the arguments."""
    reach, noise = kriging.logs["reach"].double().exp(), kriging.logs["noise"].double().exp()
    cells = [(int(x // CELL), int(y // CELL)) for x, y in points.tolist()]

    def likeness(a: Tensor, at: Tensor, b: Tensor, other: Tensor) -> Tensor:
        return torch.exp(-((a - b) ** 2).sum() - ((at - other) ** 2).sum() / (2 * reach**2))

    of_samples = [embedding[:, row, column] for column, row in cells]
    among = torch.stack(
        [
            torch.stack([likeness(a, p, b, q) for b, q in zip(of_samples, points, strict=True)])
            for a, p in zip(of_samples, points, strict=True)
        ]
    )
    weights = torch.linalg.inv(among + noise * torch.eye(len(points), dtype=among.dtype)) @ residuals.T  # (S, N)
    rows = []
    for row in range(GRID[0]):
        for column in range(GRID[1]):
            centre = torch.tensor([CELL * column + (CELL - 1) / 2, CELL * row + (CELL - 1) / 2], dtype=points.dtype)
            here = [likeness(embedding[:, row, column], centre, b, q) for b, q in zip(of_samples, points, strict=True)]
            rows.append(torch.stack(here) @ weights)
    return torch.stack(rows).T.reshape(-1, *GRID)


def test_equals_a_dense_solve_with_the_same_gradients() -> None:
    kriging = make(learned=True)
    residuals, points, embedding = example()
    leaves = [residuals.requires_grad_(), embedding.requires_grad_()]
    doubles = [leaf.detach().double().requires_grad_() for leaf in leaves]
    trained = [kriging.logs["reach"], kriging.logs["noise"]]

    ours = kriging(residuals, points, embedding, CELL)
    plain = dense(kriging, doubles[0], points.double(), doubles[1])

    torch.testing.assert_close(ours.double(), plain, rtol=1e-4, atol=1e-5)
    cotangent = torch.randn(ours.shape, generator=torch.Generator().manual_seed(2))
    gradients = torch.autograd.grad(ours, [*leaves, *trained], cotangent)
    expected = torch.autograd.grad(plain, [*doubles, *trained], cotangent.double())
    for gradient, theirs in zip(gradients, expected, strict=True):
        assert theirs.abs().max() > 1e-3
        torch.testing.assert_close(gradient.double(), theirs.double(), rtol=1e-3, atol=1e-4)


def test_without_noise_the_residuals_are_met_where_a_sample_lies_on_the_centre_of_its_cell() -> None:
    kriging = make(learned=False)
    kriging.logs["noise"].data.fill_(math.log(1e-6))
    points = torch.tensor([[5.5, 1.5], [17.5, 9.5], [21.5, 17.5]])  # in cells (0, 1), (2, 4), (4, 5)
    residuals, _, embedding = example(samples=3)

    delta = kriging(residuals, points, embedding, CELL)

    torch.testing.assert_close(delta[:, [0, 2, 4], [1, 4, 5]], residuals, rtol=1e-3, atol=1e-3)


def test_two_samples_at_one_place_are_no_trouble_and_their_order_does_not_matter() -> None:
    residuals, points, embedding = example()
    points[1] = points[0]
    order = torch.tensor([3, 0, 5, 1, 4, 2])

    delta = make(learned=False)(residuals, points, embedding, CELL)

    assert delta.isfinite().all()
    again = make(learned=False)(residuals[:, order], points[order], embedding, CELL)
    torch.testing.assert_close(again, delta, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("background", [False, True])
def test_residuals_are_what_is_missing(background: bool) -> None:
    kriging = make(learned=False)
    margin = 1.7
    rng = np.random.default_rng(0)
    logits = rng.normal(0, 6, (4, 40))
    logits[rng.random((4, 40)) < 0.3] = OUTSIDE_LOGIT
    logits[:3, 0] = OUTSIDE_LOGIT  # no rival
    owners = rng.integers(0, 4, 40)
    logits[owners, np.arange(40)] = rng.normal(0, 6, 40)
    owners[0] = 3
    logits[3, 0] = -5

    expected = np.zeros((4, 40))
    for sample, owner in enumerate(owners):
        mine = logits[owner, sample]
        rivals = [logits[region, sample] for region in range(4) if region != owner]
        missing = min(max(margin - (mine - max(rivals)), 0), LARGEST_STEP)
        step = missing / 2
        if background:
            step = max(step, min(max(margin - mine, 0), LARGEST_STEP))
        for region in range(4):
            lead = mine + step - logits[region, sample]
            expected[region, sample] = step if region == owner else -min(max(margin - lead, 0), LARGEST_STEP)

    ours = kriging.residuals(torch.from_numpy(logits), torch.from_numpy(owners), background=background)

    np.testing.assert_allclose(ours.detach().numpy(), expected, rtol=1e-6, atol=1e-6)
    raised = logits + expected
    raised[owners, np.arange(40)] = -np.inf
    lead = (logits + expected)[owners, np.arange(40)] - raised.max(axis=0)
    within = np.abs(expected).max(axis=0) < LARGEST_STEP - 1e-6
    assert lead[within].min() > margin - 1e-5
    assert (expected[:, 0] != 0).any() == background


def test_the_margin_gets_the_gradient_of_the_residuals() -> None:
    kriging = make(learned=True)
    logits = torch.tensor([[0.0, 1.0], [3.0, 0.9], [-9.0, -9.0]], dtype=torch.float64)
    owners = torch.tensor([0, 0])

    def total(log_margin: float) -> Tensor:
        kriging.logs["margin"].data.fill_(log_margin)
        return kriging.residuals(logits, owners, background=False).square().sum()

    start = kriging.logs["margin"].item()
    (gradient,) = torch.autograd.grad(total(start), kriging.logs["margin"])
    step = 1e-3
    slope = (total(start + step) - total(start - step)) / (2 * step)
    torch.testing.assert_close(gradient.double(), slope.detach().double(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("learned", [False, True])
@pytest.mark.parametrize("size", [(20, 28), (18, 25), (40, 40)])
def test_embedding_is_the_unit_feature_beside_the_blurred_colour(learned: bool, size: tuple[int, int]) -> None:
    kriging = make(learned=learned)
    rng = torch.Generator().manual_seed(0)
    grid = tuple(8 * math.ceil(side / 32) for side in size)  # as the backbone pads
    features = torch.randn(1, 3, *grid, generator=rng)
    image = torch.randint(0, 256, (1, 3, *size), dtype=torch.uint8, generator=rng)

    ours = kriging.embed(features, image)[0]

    def colour(row: int, column: int) -> Tensor:
        """Return the mean of one cell; beyond the image its edge goes on."""
        y = (CELL * row + torch.arange(CELL)).clamp(max=size[0] - 1)
        x = (CELL * column + torch.arange(CELL)).clamp(max=size[1] - 1)
        return image[0][:, y][:, :, x].float().mean(dim=(1, 2)) / 255

    for row in range(grid[0]):
        for column in range(grid[1]):
            unit = features[0, :, row, column] / features[0, :, row, column].norm()
            said = unit * math.sqrt(2) if kriging.projection is None else kriging.projection.weight[:, :, 0, 0] @ unit
            near = [
                colour(r, c)
                for r in range(max(0, row - 1), min(grid[0], row + 2))
                for c in range(max(0, column - 1), min(grid[1], column + 2))
            ]
            expected = torch.cat([said, 1.3 * torch.stack(near).mean(dim=0)])
            torch.testing.assert_close(ours[:, row, column], expected, rtol=1e-4, atol=1e-5)


def test_a_random_projection_keeps_the_distances_of_the_fixed_form_on_average() -> None:
    fixed, learned = make(learned=False, channels=128), make(learned=True, channels=128)
    features = torch.randn(1, 128, 20, 20, generator=torch.Generator().manual_seed(0))
    image = torch.zeros(1, 3, 80, 80, dtype=torch.uint8)

    squares = [
        (e[:, :, 1:] - e[:, :, :-1]).square().sum(dim=1).mean().item()
        for e in (fixed.embed(features, image), learned.embed(features, image))
    ]

    assert squares[1] == pytest.approx(squares[0], rel=0.1)


def test_the_grid_of_a_large_image_is_pooled() -> None:
    kriging = make(learned=False, channels=2)
    assert [kriging.cell(*grid) for grid in ((256, 256), (264, 256), (752, 1000), (1, 70000))] == [4, 8, 16, 8]
    features = torch.rand(1, 2, 264, 256, generator=torch.Generator().manual_seed(0))
    image = torch.zeros(1, 3, 1050, 1024, dtype=torch.uint8)

    embedding = kriging.embed(features, image)

    assert embedding.shape == (1, 5, 132, 128)
    mean = features[0, :, 10:12, 20:22].mean(dim=(1, 2))
    torch.testing.assert_close(embedding[0, :2, 5, 10], math.sqrt(2) * mean / mean.norm())


def pack(*paths: list[list[float]]) -> Strokes:
    return Strokes.pack(Scribble(number, np.array(path, np.float32)) for number, path in enumerate(paths))


QUADS = torch.arange(24, dtype=torch.float32).reshape(3, 4, 2)


def test_samples_are_beside_the_extreme_points_and_points_2_px_apart_from_end_to_end() -> None:
    strokes = pack([[10, 10], [20, 10]], [[5, 5]], [[0, 0], [300, 0]])

    points, regions = sample_annotations(QUADS, strokes)

    middles = QUADS.mean(dim=1, keepdim=True)
    before, after = ((place.reshape(3, 4, 2) - middles).norm(dim=2) for place in (QUADS, points[:12]))
    torch.testing.assert_close(before - after, torch.minimum(torch.tensor(2.0), before / 2))  # 2 px further inside
    torch.testing.assert_close(points[:12].reshape(3, 4, 2).mean(dim=1), middles[:, 0])
    assert regions[:12].tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    first, dot, long = (points[12:][regions[12:] == region] for region in range(3))
    torch.testing.assert_close(first, torch.tensor([[10, 10], [12.5, 10], [15, 10], [17.5, 10], [20, 10]]))
    assert dot.tolist() == [[5, 5]]
    assert len(long) == 24
    assert long[0].tolist() == [0, 0]
    assert long[-1].tolist() == [300, 0]
    steps = long[1:, 0] - long[:-1, 0]
    assert steps.min() >= 2
    assert steps.max() - steps.min() <= 1  # whole steps of the walk


def test_samples_lie_on_the_scribbles() -> None:
    rng = np.random.default_rng(0)
    paths = [(50 + np.cumsum(rng.integers(-4, 5, (int(rng.integers(1, 12)), 2)), axis=0)).tolist() for _ in range(9)]
    strokes = pack(*paths)
    along, stroke = walk_scribbles(strokes.points, strokes.lengths)

    points, regions = sample_annotations(QUADS[:0], strokes)

    for region in range(9):
        distances = (points[regions == region][:, None] - along[stroke == region]).norm(dim=2)
        assert distances.min(dim=1).values.max() == 0
        assert len(distances) == max(1, min(24, int(0.25 * (stroke == region).sum())))


@pytest.mark.parametrize("count", [10, 40, 200, 600])
def test_scribbles_have_about_256_samples_and_none_is_left_out(count: int) -> None:
    strokes = pack(*(count * [[[0.0, 0.0], [200.0, 0.0]]]))

    points, regions = sample_annotations(QUADS, strokes)

    each = torch.bincount(regions)[3:]
    assert each.unique().tolist() == [{10: 24, 40: 6, 200: 1, 600: 1}[count]]
    assert len(points) == 12 + count * int(each[0])
    if count == 600:
        middle = points[12:]
        torch.testing.assert_close(middle, torch.tensor([[100.0, 0.0]]).expand(600, 2), atol=0.5, rtol=0)


def test_a_further_scribble_leaves_the_samples_of_the_others_or_every_second_one_of_them() -> None:
    rng = np.random.default_rng(0)
    paths = [(50 + np.cumsum(rng.integers(-9, 10, (12, 2)), axis=0)).tolist() for _ in range(90)]
    before: set[tuple[float, ...]] = set()
    halved = 0

    for count in range(1, 91):
        points, regions = sample_annotations(QUADS, pack(*paths[:count]))
        several = torch.bincount(regions)[regions] > 1  # a lone sample is in the middle of its scribble
        old = {tuple(point) for point in points[(regions < count - 1) & several].tolist()}
        assert old <= before or count == 1
        halved += len(old) < 0.7 * len(before)
        before = {tuple(point) for point in points.tolist()}
        assert len(points) <= 12 + 256
    assert halved == 4


def test_the_order_of_scribbles_changes_the_order_of_samples_only() -> None:
    paths = [[[1.0, 2.0], [30.0, 9.0]], [[4.0, 4.0]], [[9.0, 9.0], [9.0, 80.0], [40.0, 80.0]]]
    forward = pack(*paths)
    backward = Strokes.pack(
        Scribble(region, np.array(paths[region], np.float32)) for region in reversed(range(len(paths)))
    )

    found = []
    for strokes in (forward, backward):
        points, regions = sample_annotations(QUADS, strokes)
        found.append(sorted(zip(points.tolist(), regions.tolist(), strict=True)))
    assert found[0] == found[1]
