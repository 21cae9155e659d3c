"""The segmenter: regions do not depend on batch or order, see what is shared, and all parameters get a gradient."""

import math
from typing import Any

import pytest
import timm
import torch
import torch.nn.functional as F
import torchvision
from torch import Tensor, nn

from fullseg.model.base import PREDICTED, Features, Regions, Strokes
from fullseg.model.boxes import geometry_maps
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.types import VOID, Batch, Scribble

SIZE = (45, 59)  # (H, W), both odd

# Three overlapping regions: left, top, right and bottom of each.
POINTS = torch.tensor(
    [
        [[2.0, 20.0], [25.0, 3.0], [50.0, 18.0], [22.0, 40.0]],
        [[10.0, 15.0], [20.0, 8.0], [33.0, 14.0], [24.0, 30.0]],
        [[20.0, 25.0], [35.0, 12.0], [58.0, 26.0], [40.0, 44.0]],
    ]
)
STROKE = torch.tensor([[24.0, 16.0], [29.0, 22.0], [31.0, 27.0]])  # in all three boxes
Scribbles = list[Scribble]


def make(seed: int = 0, **changes: Any) -> RegionSegmenter:
    arguments: dict[str, Any] = {
        "backbone": "tf_efficientnet_lite0",
        "pretrained": False,
        "features": "fpn",
        "stride": 4,
        "feature_channels": 8,
        "roi_size": 7,
        "mask_size": 7,
        "head": "light",
        "head_channels": 8,
        "head_dilations": [1, 2, 1],
        "box_maps": True,
        "share": "all",
        "annotation_encoding": "binary",
        "background": False,
        "num_classes": 1,
        "mix_classes": True,
    }
    torch.manual_seed(seed)
    segmenter = RegionSegmenter(**arguments | changes).eval()
    if segmenter.maps.own is not None:  # they start at 0
        nn.init.normal_(segmenter.maps.own.weight)
        nn.init.normal_(segmenter.maps.own.bias)
    return segmenter


def make_batch(images: list[tuple[Tensor, Scribbles]], pixels: Tensor | None = None) -> Batch:
    """Return a batch of images, given as extreme points (N, 4, 2) and scribbles whose regions are in [0, N)."""
    counts = [len(points) for points, _ in images]
    if pixels is None:
        generator = torch.Generator().manual_seed(0)
        pixels = torch.randint(0, 256, (len(images), 3, *SIZE), dtype=torch.uint8, generator=generator)
    firsts = [sum(counts[:i]) for i in range(len(counts))]
    strokes = [
        (torch.as_tensor(s.points), s.region + first)
        for first, (_, of_image) in zip(firsts, images, strict=True)
        for s in of_image
    ]
    return Batch(
        keys=torch.zeros(len(images), 2, dtype=torch.int64),
        images=pixels,
        region_maps=torch.full((len(images), *SIZE), VOID),
        partly=torch.zeros(len(images), dtype=torch.bool),
        regions_per_image=torch.tensor(counts),
        extreme_points=torch.cat([points for points, _ in images]),
        scribble_points=torch.cat([torch.zeros(0, 2), *(path for path, _ in strokes)]),
        scribble_lengths=torch.tensor([len(path) for path, _ in strokes], dtype=torch.int64),
        scribble_regions=torch.tensor([region for _, region in strokes], dtype=torch.int64),
        classes=torch.zeros(sum(counts), dtype=torch.int64),
        names=tuple(f"image {i}" for i in range(len(images))),
        skipped=(),
    )


def scribble(region: int, path: Tensor = STROKE) -> Scribble:
    return Scribble(region, path.numpy())


def run(segmenter: RegionSegmenter, *images: tuple[Tensor, Scribbles], pixels: Tensor | None = None) -> Regions:
    with torch.no_grad():
        regions: Regions = segmenter(make_batch(list(images), pixels), None)
    return regions


def assert_close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("share", ["none", "points", "all"])
@pytest.mark.parametrize("encoding", ["binary", "gaussian_box"])
def test_batch_of_two_equals_the_two_alone(share: str, encoding: str) -> None:
    segmenter = make(share=share, annotation_encoding=encoding, num_classes=3)
    images = [(POINTS, [scribble(1), scribble(0)]), (POINTS[:2].flip(0) + 1, [scribble(1, STROKE + 2)])]
    pixels = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))

    both = run(segmenter, *images, pixels=pixels)

    alone = [run(segmenter, image, pixels=pixels[i : i + 1]) for i, image in enumerate(images)]
    assert both.logits.shape == (5, 7, 7)
    assert both.logits.dtype == torch.float32
    assert both.class_logits is not None
    assert_close(both.logits, torch.cat([each.logits for each in alone]))
    assert_close(both.class_logits, torch.cat([each.class_logits for each in alone if each.class_logits is not None]))
    assert torch.equal(both.boxes, torch.cat([each.boxes for each in alone]))
    swapped = run(segmenter, *images, pixels=pixels.flip(0))
    assert (swapped.logits - both.logits).abs().amax(dim=(1, 2)).min() > 1e-3  # the pixels matter to every region


def test_boxes_hold_points_and_scribbles() -> None:
    regions = run(make(), (POINTS, [scribble(1, torch.tensor([[12.0, 2.0], [40.0, 20.0]]))]))

    assert regions.boxes.tolist() == [[2, 3, 51, 41], [10, 2, 41, 31], [20, 12, 59, 45]]


@pytest.mark.parametrize("share", ["none", "points", "all"])
def test_order_of_regions_does_not_matter(share: str) -> None:
    segmenter, order = make(share=share), [2, 0, 1]

    plain = run(segmenter, (POINTS, [scribble(0), scribble(2, STROKE + 3)]))
    permuted = run(segmenter, (POINTS[order], [scribble(0, STROKE + 3), scribble(1)]))

    assert_close(permuted.logits, plain.logits[order])
    assert torch.equal(permuted.boxes, plain.boxes[order])
    assert (plain.logits[0] - plain.logits[1]).abs().max() > 1e-2


def test_image_without_region_among_others() -> None:
    segmenter = make(num_classes=3, mask_size=5)
    pixels = torch.randint(0, 256, (2, 3, *SIZE), dtype=torch.uint8, generator=torch.Generator().manual_seed(3))

    both = run(segmenter, (POINTS[:0], []), (POINTS, [scribble(1)]), pixels=pixels)

    assert_close(both.logits, run(segmenter, (POINTS, [scribble(1)]), pixels=pixels[1:]).logits)
    nothing = run(segmenter, (POINTS[:0], []))
    assert nothing.logits.shape == (0, 5, 5)
    assert nothing.boxes.shape == (0, 4)


def last_hidden(segmenter: RegionSegmenter, batch: Batch, classes: Tensor | None) -> tuple[Tensor, Regions]:
    """Run the segmenter; return the output of the last 3 x 3 convolution after ReLU, and the regions."""
    caught: list[Tensor] = []
    last = segmenter.convolutions[-1]
    assert isinstance(last, nn.Module)
    handle = last.register_forward_hook(lambda _module, _inputs, output: caught.append(F.relu(output)))
    with torch.no_grad():
        regions = segmenter(batch, classes)
    handle.remove()
    return caught[0], regions


@pytest.mark.parametrize("mixed", [False, True])
@pytest.mark.parametrize("classes", [None, [4, 0, 2], [PREDICTED, 0, PREDICTED]])
def test_a_region_takes_its_class_map_or_the_mean_of_all_by_probability(
    classes: list[int] | None, *, mixed: bool
) -> None:
    segmenter = make(num_classes=5, mask_size=9, mix_classes=mixed)
    given = None if classes is None else torch.tensor(classes)

    hidden, regions = last_hidden(segmenter, make_batch([(POINTS, [])]), given)

    class_logits = segmenter.maps.classifier(hidden.mean(dim=(2, 3)))  # type: ignore[misc]
    assert regions.class_logits is not None
    assert_close(regions.class_logits, class_logits)
    shared, own = segmenter.maps.shared, segmenter.maps.own
    assert own is not None
    all_maps = F.conv2d(hidden, (shared.weight + own.weight)[:, :, None, None], shared.bias + own.bias)
    for region, wanted in enumerate(classes or 3 * [PREDICTED]):
        probabilities = class_logits[region].softmax(dim=0)
        likeliest = all_maps[region, int(probabilities.argmax())]
        guessed = torch.einsum("c,cyx->yx", probabilities, all_maps[region]) if mixed else likeliest
        assert_close(regions.logits[region], guessed if wanted == PREDICTED else all_maps[region, wanted])


def test_all_classes_start_from_the_map_that_they_share(tiny_model: dict[str, Any]) -> None:
    segmenter = RegionSegmenter(**tiny_model).eval()
    batch = make_batch([(POINTS, [])])
    with torch.no_grad():
        first, second = (segmenter(batch, torch.full((3,), number)).logits for number in (0, 1))
    assert torch.equal(first, second)


def test_one_class_has_no_classification_head() -> None:
    hidden, regions = last_hidden(make(), make_batch([(POINTS, [])]), None)

    assert regions.class_logits is None
    assert hidden.shape == (3, 8, 7, 7)


@pytest.mark.parametrize("mask_size", [5, 7, 15])
def test_logits_have_mask_size(mask_size: int) -> None:
    assert run(make(mask_size=mask_size), (POINTS, [])).logits.shape == (3, mask_size, mask_size)


def input_maps(segmenter: RegionSegmenter, *images: tuple[Tensor, Scribbles]) -> Tensor:
    """Run the segmenter; return the annotation maps (M, 2, roi_size, roi_size) in the input of the head."""
    caught: list[Tensor] = []
    first = segmenter.convolutions[0]
    assert isinstance(first, nn.Module)
    handle = first.register_forward_pre_hook(lambda _module, inputs: caught.append(inputs[0][:, 8:10]))
    run(segmenter, *images)
    handle.remove()
    return caught[0]


@pytest.mark.parametrize(
    ("share", "points_matter", "scribbles_matter"),
    [("none", False, False), ("points", True, False), ("all", True, True)],
)
def test_what_regions_see_of_each_other(share: str, points_matter: bool, scribbles_matter: bool) -> None:
    segmenter = make(share=share)
    moved = POINTS.clone()
    moved[1] = POINTS[1] + torch.tensor([6.0, 3.0])

    before = run(segmenter, (POINTS, [])).logits
    with_moved_points = run(segmenter, (moved, [])).logits
    with_scribble = run(segmenter, (POINTS, [scribble(1)])).logits

    for after, matters in ((with_moved_points, points_matter), (with_scribble, scribbles_matter)):
        assert (after[1] - before[1]).abs().max() > 1e-3  # the region itself always sees it
        for other in (0, 2):
            if matters:
                assert (after[other] - before[other]).abs().max() > 1e-3
            else:
                assert_close(after[other], before[other])


@pytest.mark.parametrize("with_box_maps", [False, True])
@pytest.mark.parametrize("stride", [4, 8])
def test_head_is_given_the_features_at_the_boxes_and_the_geometry_maps(stride: int, with_box_maps: bool) -> None:
    features = torch.randn(8, 64 // stride, 64 // stride, generator=torch.Generator().manual_seed(0))
    given = Features(features, None, torch.zeros(3, *SIZE, dtype=torch.uint8))
    rois, boxes = make(stride=stride, box_maps=with_box_maps).region_inputs(given, POINTS, Strokes.pack([]), SIZE)

    expected = torchvision.ops.roi_align(features[None], [boxes], 7, 1 / stride, sampling_ratio=0, aligned=True)
    assert rois.shape == (3, 14 if with_box_maps else 10, 7, 7)
    assert_close(rois[:, :8], expected)
    if with_box_maps:
        assert_close(rois[:, 10:], geometry_maps(boxes, 7))


def test_convolutions_of_the_head_have_the_given_dilations_and_keep_the_size() -> None:
    segmenter = make(head_dilations=[1, 2, 4])

    assert [convolution.dilation for convolution in segmenter.convolutions] == [(1, 1), (2, 2), (4, 4)]
    assert run(segmenter, (POINTS, [])).logits.shape == (3, 7, 7)


def test_own_annotations_are_no_negatives_of_the_region() -> None:
    maps = input_maps(make(), (POINTS[1:2], [scribble(0)]))

    assert maps[0, 0].max() > 0.5
    assert_close(maps[0, 1], torch.zeros(7, 7))


def test_gaussian_encoding_reaches_the_head() -> None:
    points = torch.tensor([[[0.0, 20.0], [20.0, 0.0], [40.0, 20.0], [20.0, 40.0]]])

    maps = input_maps(make(annotation_encoding="gaussian", roi_size=41, mask_size=41), (points, []))

    assert maps[0, 0, 20, 0] == pytest.approx(1, abs=1e-5)  # the box is 41 px wide: one cell per pixel
    assert maps[0, 0, 20, 10] == pytest.approx(math.exp(-0.5), abs=1e-5)


@pytest.mark.parametrize(
    ("features", "stride", "head"),
    [("fpn", 4, "light"), ("fpn", 8, "light"), ("c4", 8, "light"), ("c4", 16, "light"), ("c4", 8, "two_stage")],
)
def test_gradient_reaches_every_trainable_parameter_and_batch_norm_stays(features: str, stride: int, head: str) -> None:
    segmenter = make(num_classes=3, features=features, stride=stride, head=head).train()
    frozen = {
        name: (norm, {key: value.clone() for key, value in norm.state_dict().items()})
        for name, norm in segmenter.named_modules()
        if isinstance(norm, nn.BatchNorm2d)
    }

    regions = segmenter(make_batch([(POINTS, [scribble(1)])]), torch.tensor([0, 1, 2]))
    (regions.logits.square().sum() + F.cross_entropy(regions.class_logits, torch.tensor([0, 1, 2]))).backward()

    without = [
        name
        for name, parameter in segmenter.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.any())
    ]
    assert without == []
    assert segmenter.training
    assert len(frozen) > 10
    for norm, before in frozen.values():
        assert not norm.training
        assert not any(parameter.requires_grad for parameter in norm.parameters())
        for key, value in norm.state_dict().items():
            assert torch.equal(value, before[key])


def test_training_and_evaluation_give_the_same_logits() -> None:
    segmenter = make()
    evaluated = run(segmenter, (POINTS, []))

    assert_close(run(segmenter.train(), (POINTS, [])).logits, evaluated.logits)


def test_same_seed_same_segmenter() -> None:
    first, again, other = (run(make(seed), (POINTS, [])).logits for seed in (0, 0, 1))

    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(
    ("backbone", "channels"), [("tf_efficientnet_lite0", (112, 320)), ("resnet26", (1024, 2048))], ids=str
)
def test_two_stage_head_runs_the_last_stage_on_every_roi_then_convolutions_at_the_masks_size(
    backbone: str, channels: tuple[int, int]
) -> None:
    segmenter = make(backbone=backbone, features="c4", stride=8, head="two_stage", roi_size=7, mask_size=15)
    stage, seen = segmenter.second_stage, []
    assert stage is not None
    whole = timm.create_model(backbone, output_stride=16).eval()
    last = nn.Sequential(whole.layer4) if backbone == "resnet26" else nn.Sequential(*whole.blocks[5:])
    last.load_state_dict(stage.stage.blocks.state_dict())
    rois = torch.randn(3, channels[0] + 6, 7, 7)
    expected = last(rois[:, : channels[0]] + F.conv2d(rois[:, channels[0] :], stage.maps.weight, stage.maps.bias))
    assert expected.shape == (3, channels[1], 7, 7)
    with torch.no_grad():
        assert_close(stage(rois), expected)
    segmenter.convolutions[0].register_forward_pre_hook(lambda _module, given: seen.append(given[0].shape))
    logits = run(segmenter, (POINTS, [])).logits
    assert seen == [(3, channels[1], 15, 15)]
    assert logits.shape == (3, 15, 15)
