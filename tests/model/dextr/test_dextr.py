"""DEXTR: its crops, the network on them, and the logits that are cut to a region's box."""

from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from fullseg.model.base import Features, Strokes
from fullseg.model.canvas import project_to_canvas
from fullseg.model.dextr.dextr import Dextr
from fullseg.types import Batch

SIZE = (90, 120)
NO_STROKES = Strokes.pack([])
QUADS = torch.tensor(
    [
        [[30, 40], [50, 20], [79, 40], [50, 69]],
        [[0, 10], [20, 0], [39, 10], [20, 24]],
        [[60, 50], [90, 45], [119, 60], [90, 89]],
    ],
    dtype=torch.float32,
)  # boxes (30, 20, 80, 70), (0, 0, 40, 25), (60, 45, 120, 90)


def make(**changes: Any) -> Dextr:
    arguments: dict[str, Any] = {
        "backbone": "tf_efficientnet_lite0",
        "pretrained": False,
        "input_size": 64,
        "relax": 14,
        "weights": None,
        "published": False,
        "annotation_encoding": "gaussian",
        "background": False,
    }
    torch.manual_seed(0)
    return Dextr(**arguments | changes).eval()


def as_features(image: Tensor) -> Features:
    """Return an image (3, H, W) float as DEXTR's features."""
    return Features(image, None, image.to(torch.uint8))


def batch_of(images: Tensor, quads: list[Tensor]) -> Batch:
    """Return images (B, 3, H, W) whose regions have these extreme points."""
    counts = torch.tensor([len(mine) for mine in quads])
    none = torch.zeros(0, dtype=torch.int64)
    return Batch(
        keys=torch.zeros(len(images), 2, dtype=torch.int64),
        images=images,
        region_maps=torch.zeros(len(images), *SIZE, dtype=torch.int64),
        partly=torch.zeros(len(images), dtype=torch.bool),
        regions_per_image=counts,
        extreme_points=torch.cat(quads),
        scribble_points=torch.zeros(0, 2),
        scribble_lengths=none,
        scribble_regions=none,
        classes=torch.zeros(int(counts.sum()), dtype=torch.int64),
        names=("",) * len(images),
        skipped=(),
    )


def test_a_crop_reaches_beyond_the_box_by_the_same_pixels_on_every_side() -> None:
    dextr = make(input_size=96, relax=23)  # 50 + 2 * 23 = 96: one pixel of the image is one of the crop
    image = torch.from_numpy(np.random.default_rng(0).standard_normal((3, *SIZE)).astype(np.float32))
    crops, boxes = dextr.region_inputs(as_features(image), QUADS[:1], NO_STROKES, SIZE)

    assert boxes.tolist() == [[30, 20, 80, 70]]
    padded = F.pad(image, (23, 23, 23, 23))  # beyond the image a crop is 0
    torch.testing.assert_close(crops[0, :3], padded[:, 20 : 20 + 96, 30 : 30 + 96], atol=1e-5, rtol=0)


def test_a_larger_region_is_averaged_not_sampled() -> None:
    dextr = make(input_size=32, relax=7)  # 50 + 14 = 64: two pixels of the image are one of the crop
    image = torch.from_numpy(np.random.default_rng(0).standard_normal((3, *SIZE)).astype(np.float32))
    crops, _ = dextr.region_inputs(as_features(image), QUADS[:1], NO_STROKES, SIZE)

    torch.testing.assert_close(crops[0, :3], F.avg_pool2d(image[:, 13:77, 23:87], 2), atol=1e-5, rtol=0)


def test_heatmaps_peak_at_the_extreme_points_in_the_crop() -> None:
    dextr = make(input_size=96, relax=23)
    heatmap = dextr.region_inputs(as_features(torch.zeros(3, *SIZE)), QUADS[:1], NO_STROKES, SIZE)[0][0, 3]

    y, x = np.indices((96, 96))
    places = [(30 - 7, 40 + 3), (50 - 7, 20 + 3), (79 - 7, 40 + 3), (50 - 7, 69 + 3)]
    expected = np.max([np.exp(-((x - a) ** 2 + (y - b) ** 2) / 200) for a, b in places], axis=0)  # sigma 10 px
    np.testing.assert_allclose(heatmap.numpy(), expected, atol=1e-5)


def test_scribbles_are_drawn_where_they_lie_in_their_own_regions_crop() -> None:
    dextr = make(input_size=96, relax=23, annotation_encoding="binary")
    strokes = Strokes(torch.tensor([[60.0, 50.0]]), torch.tensor([1]), torch.tensor([0]))
    with_dot = dextr.region_inputs(as_features(torch.zeros(3, *SIZE)), QUADS, strokes, SIZE)[0][:, 3]
    without = dextr.region_inputs(as_features(torch.zeros(3, *SIZE)), QUADS, NO_STROKES, SIZE)[0][:, 3]

    changed = (with_dot != without).nonzero()
    assert set(changed[:, 0].tolist()) == {0}
    assert (changed[:, 1:] - torch.tensor([50 + 3, 60 - 7])).square().sum(dim=1).max() <= 1.5**2
    assert len(changed) == 9  # a disc of 1.5 px around a pixel


def test_in_training_logits_are_those_of_the_crop_and_else_of_the_box() -> None:
    dextr = make()
    image = torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    batch = batch_of(image, [QUADS])
    with torch.no_grad():
        in_box = dextr(batch, None)
        in_crop = dextr.train()(batch, None)

    assert in_crop.boxes.tolist() == (in_box.boxes + torch.tensor([-14, -14, 14, 14])).tolist()
    assert in_crop.logits.shape == (3, 64, 64)
    tight = project_to_canvas(in_box.logits, in_box.boxes, SIZE)
    whole = project_to_canvas(in_crop.logits, in_crop.boxes, SIZE)
    spread = float(in_crop.logits.max() - in_crop.logits.min())
    assert spread > 0
    for region, (x0, y0, x1, y1) in enumerate(in_box.boxes.int().tolist()):
        inside = (slice(y0, y1), slice(x0, x1))
        gap = (tight[region][inside] - whole[region][inside]).abs().max()
        assert gap < 0.05 * spread  # both are resized from the same 8 x 8 cells
        outside = torch.ones(SIZE, dtype=torch.bool)
        outside[inside] = False
        assert (tight[region][outside] == -1e4).all()


def test_a_region_does_not_see_its_neighbours_nor_other_images() -> None:
    dextr = make()
    images = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        together = dextr(batch_of(images, [QUADS, QUADS[1:]]), None).logits
        alone = dextr(batch_of(images[1:], [QUADS[2:]]), None).logits

    torch.testing.assert_close(together[4:], alone, atol=1e-5, rtol=1e-4)


def test_no_region_is_no_error() -> None:
    dextr = make()
    with torch.no_grad():
        regions = dextr(batch_of(torch.zeros(1, 3, *SIZE, dtype=torch.uint8), [QUADS[:0]]), None)
    assert regions.logits.shape == (0, 16, 16)
    assert len(regions.boxes) == 0


@pytest.mark.parametrize("training", [False, True])
def test_batch_norm_keeps_its_statistics(training: bool) -> None:
    dextr = make().train(training)
    before = {key: value.clone() for key, value in dextr.state_dict().items() if "running" in key}
    dextr(batch_of(torch.randint(0, 256, (1, 3, *SIZE), dtype=torch.uint8), [QUADS]), None)
    assert all(torch.equal(value, dextr.state_dict()[key]) for key, value in before.items())
    assert len(before) > 50
