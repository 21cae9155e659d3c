"""What spreads on the whole canvas: the same as in the predictor's tiles, never an overlap or a hole."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from fullseg.model.base import Features, Strokes, Window
from fullseg.model.canvas import OUTSIDE_LOGIT, project_to_canvas
from fullseg.model.predictor import Predictor
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.model.spreading import add_cells, line_owners
from fullseg.types import VOID, Annotations, Batch, Scribble
from tests.model.interactive.test_image_state import IMAGE, SIZE, random_quad, random_scribble

FORMS = [("fixed", "none"), ("learned", "none"), ("none", "fixed"), ("none", "learned"), ("fixed", "fixed")]
FORMS += [("learned", "learned")]


def spreading_model(tiny_model: dict[str, Any], kriging: str, diffusion: str, **changes: Any) -> RegionSegmenter:
    """Return an untrained network whose logits and offsets differ as those of a trained one."""
    torch.manual_seed(0)
    options = {"sharp_channels": 4, "diffusion_dilations": [4, 2, 1], "num_classes": 1, "roi_size": 15, "mask_size": 15}
    segmenter = RegionSegmenter(**tiny_model | options | {"kriging": kriging, "diffusion": diffusion} | changes).eval()
    for convolution in segmenter.convolutions:
        nn.init.normal_(convolution.bias)  # type: ignore[arg-type]
    segmenter.maps.shared.weight.data *= 5
    assert segmenter.spreading is not None
    if segmenter.spreading.diffusion is not None and diffusion == "learned":
        for bias in segmenter.spreading.diffusion.biases:
            nn.init.normal_(bias)
    return segmenter


def annotated(seed: int = 0, regions: int = 5, scribbles: int = 9) -> Annotations:
    rng = np.random.default_rng(seed)
    points = np.stack([random_quad(rng) for _ in range(regions)])
    return Annotations(points, [random_scribble(int(rng.integers(regions)), rng) for _ in range(scribbles)])


def as_batch(annotations: Annotations, *, partly: bool = False) -> Batch:
    strokes, count = Strokes.pack(annotations.scribbles), len(annotations.extreme_points)
    return Batch(
        keys=torch.zeros(1, 2, dtype=torch.int64),
        images=torch.from_numpy(IMAGE).permute(2, 0, 1)[None],
        region_maps=torch.full((1, *SIZE), VOID),
        partly=torch.tensor([partly]),
        regions_per_image=torch.tensor([count]),
        extreme_points=torch.from_numpy(annotations.extreme_points),
        scribble_points=strokes.points,
        scribble_lengths=strokes.lengths,
        scribble_regions=strokes.regions,
        classes=torch.zeros(count, dtype=torch.int64),
        names=("image",),
        skipped=(),
    )


def canvas_of(segmenter: RegionSegmenter, annotations: Annotations, *, partly: bool = False) -> Tensor:
    batch = as_batch(annotations, partly=partly)
    with torch.no_grad():
        return next(segmenter.canvases(segmenter(batch, None), batch)).whole()


def clear(canvas: Tensor, *, background: bool) -> Tensor:
    """Return where (H, W) the winner of a canvas leads by more than rounding, or no box covers the pixel."""
    everyone = torch.cat([canvas, torch.zeros(1, *SIZE)]) if background else canvas
    best = everyone.topk(2, dim=0).values
    return (best[0] - best[1] > 1e-3) | (best[0] == OUTSIDE_LOGIT)


@pytest.mark.parametrize("background", [False, True])
@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_the_whole_canvas_equals_the_predictors_tiles(
    kriging: str, diffusion: str, background: bool, tiny_model: dict[str, Any]
) -> None:
    segmenter, annotations = spreading_model(tiny_model, kriging, diffusion, background=background), annotated()
    predictor = Predictor(segmenter, [], "cpu", hold_scribbles=diffusion != "none")  # diffusion holds them anyway
    predictor.set_image(IMAGE)

    ours = predictor.predict(annotations)

    with torch.no_grad():
        [whole] = segmenter.region_maps(as_batch(annotations))
    canvas = canvas_of(segmenter, annotations)
    sure = clear(canvas, background=background)
    assert sure.float().mean() > 0.98
    np.testing.assert_array_equal(ours[sure], whole[sure])
    everyone = torch.cat([canvas, torch.zeros(1, *SIZE)]) if background else canvas
    expected = torch.where(canvas > OUTSIDE_LOGIT, everyone.softmax(dim=0)[: len(canvas)], 0)
    np.testing.assert_allclose(predictor.probabilities(), expected, atol=5e-4)


@pytest.mark.parametrize(("kriging", "diffusion"), [*FORMS[::3], FORMS[-1]])
def test_an_image_that_is_partly_annotated_is_one_with_a_background(
    kriging: str, diffusion: str, tiny_model: dict[str, Any]
) -> None:
    segmenter, annotations = spreading_model(tiny_model, kriging, diffusion), annotated()
    other = spreading_model(tiny_model, kriging, diffusion, background=True)  # of the same weights
    with torch.no_grad():
        [whole], [partly] = (segmenter.region_maps(as_batch(annotations, partly=partly)) for partly in (False, True))
        [expected] = other.region_maps(as_batch(annotations))
    assert partly.equal(expected)
    assert ((whole != VOID) & (partly == VOID)).sum() > 1000


@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_it_changes_labels_but_makes_no_overlap_and_no_hole(
    kriging: str, diffusion: str, tiny_model: dict[str, Any]
) -> None:
    segmenter, annotations = spreading_model(tiny_model, kriging, diffusion), annotated()
    batch = as_batch(annotations)
    with torch.no_grad():
        [ours] = segmenter.region_maps(batch)
        regions = segmenter(batch, None)
    plain = project_to_canvas(regions.logits, regions.boxes, SIZE)

    canvas = canvas_of(segmenter, annotations)

    assert (canvas > OUTSIDE_LOGIT).equal(plain > OUTSIDE_LOGIT)  # a region has no say outside its box
    assert (ours != VOID).equal((plain > OUTSIDE_LOGIT).any(dim=0))
    assert (ours != plain.argmax(dim=0))[ours != VOID].float().mean() > 0.001


@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_the_order_of_annotations_does_not_matter(kriging: str, diffusion: str, tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, kriging, diffusion)
    points, scribbles = annotated(1, scribbles=4)
    rows = [100.0, 20.0, 60.0, 130.0]  # so that no two scribbles cross
    scribbles = [
        Scribble(s.region, np.array([[30 * k + 5, y], [30 * k + 25, y + 9]], np.float32))
        for k, (s, y) in enumerate(zip(scribbles, rows, strict=True))
    ]
    order = np.array([3, 0, 4, 2, 1])
    place = np.argsort(order)
    other = Annotations(points[order], [s._replace(region=int(place[s.region])) for s in reversed(scribbles)])

    canvas, again = (canvas_of(segmenter, each) for each in (Annotations(points, scribbles), other))

    torch.testing.assert_close(again, canvas[order], rtol=1e-3, atol=1e-3)


def test_labels_flow_from_the_lines_of_scribbles(tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, "none", "learned")
    assert segmenter.spreading is not None
    assert segmenter.spreading.diffusion is not None
    segmenter.spreading.diffusion.log_colour.data.fill_(-3)  # the image is noise
    points = np.array([[[5, 70], [100, 5], [280, 70], [100, 140]]] * 2, np.float32)
    line = Scribble(1, np.array([[50, 60], [200, 60]], np.float32))
    batch = as_batch(Annotations(points, [line]))
    with torch.no_grad():
        regions = segmenter(batch, None)
        canvas = next(segmenter.canvases(regions, batch)).whole()
        unheld = next(segmenter.canvases(regions, as_batch(Annotations(points, [])))).whole()
    share, before = canvas.softmax(dim=0)[1], unheld.softmax(dim=0)[1]

    assert share[60, 50:201].min() > 0.999
    assert (share - before)[59, 52:199].min() > 0.01
    torch.testing.assert_close(share[80:140], before[80:140], rtol=1e-4, atol=1e-5)  # 20 px away: out of reach


def test_of_crossing_scribbles_the_later_one_owns_the_pixel() -> None:
    rng = np.random.default_rng(0)
    scribbles = [random_scribble(int(rng.integers(4)), rng) for _ in range(20)]
    expected = np.full(SIZE, VOID)
    for scribble in scribbles:
        for start, end in zip(scribble.points, [*scribble.points[1:], scribble.points[-1]], strict=True):
            steps = max(1, int(np.ceil(2 * np.linalg.norm(end - start))))
            for step in range(steps):
                x, y = np.floor(start + np.float32(step) / np.float32(steps) * (end - start) + 0.5).astype(int)
                expected[y, x] = scribble.region

    np.testing.assert_array_equal(line_owners(Strokes.pack(scribbles), SIZE), expected)
    assert line_owners(Strokes.pack([]), SIZE).eq(VOID).all()


@pytest.mark.parametrize("cell", [4, 8])
def test_cells_added_to_windows_are_those_added_to_the_whole(cell: int) -> None:
    rng = torch.Generator().manual_seed(0)
    grid = (-(-SIZE[0] // cell) + 1, -(-SIZE[1] // cell) + 2)  # the backbone pads: there are cells beyond the image
    cells, canvas = torch.randn(3, *grid, generator=rng), torch.randn(3, *SIZE, generator=rng)
    canvas[0, :50] = OUTSIDE_LOGIT
    height, width = SIZE
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    v, u = ((axis + 0.5) / cell - 0.5 for axis in (y, x))
    resized = torch.zeros_like(canvas)
    for down in (0, 1):
        for right in (0, 1):
            row, column = v.floor().long() + down, u.floor().long() + right
            weight = (1 - (v - row).abs()) * (1 - (u - column).abs())
            resized += weight * cells[:, row.clamp(0, grid[0] - 1), column.clamp(0, grid[1] - 1)]
    expected = torch.where(canvas > OUTSIDE_LOGIT, canvas + resized, OUTSIDE_LOGIT)

    for window in (Window(0, 0, 290, 150), Window(37, 50, 101, 75), Window(3, 1, 4, 2), Window(270, 130, 290, 150)):
        rows, columns = slice(window.top, window.bottom), slice(window.left, window.right)
        ours = add_cells(canvas[:, rows, columns], cells, cell, window)
        torch.testing.assert_close(ours, expected[:, rows, columns])


@pytest.mark.parametrize(("kriging", "diffusion"), FORMS)
def test_what_is_learned_gets_a_gradient_and_what_is_fixed_none(
    kriging: str, diffusion: str, tiny_model: dict[str, Any]
) -> None:
    segmenter, batch = spreading_model(tiny_model, kriging, diffusion), as_batch(annotated())
    regions = segmenter(batch, None)
    cotangent = torch.randn(5, *SIZE, generator=torch.Generator().manual_seed(0))

    canvas = next(segmenter.canvases(regions, batch)).whole()
    (canvas.softmax(dim=0) * cotangent).sum().backward()

    assert segmenter.spreading is not None
    for name, parameter in segmenter.spreading.named_parameters():
        learned = (kriging if name.startswith("kriging") else diffusion) == "learned"
        assert parameter.requires_grad == learned, name
        assert (parameter.grad is not None and bool(parameter.grad.abs().max() > 0)) == learned, name


def test_features_of_a_batch_belong_to_their_images(tiny_model: dict[str, Any]) -> None:
    segmenter = spreading_model(tiny_model, "learned", "learned")
    images = torch.randint(0, 256, (2, 3, 40, 60), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert segmenter.spreading is not None

    with torch.no_grad():
        both: Features = segmenter.spreading.embed(segmenter.features(images))
        alone = segmenter.spreading.embed(segmenter.features(images[1:]))

    for part, other in zip(both.of(1), alone.of(0), strict=True):
        assert part is not None
        torch.testing.assert_close(part, other, rtol=1e-4, atol=1e-4)
