"""The learning rates of layers and of steps."""

import math
from typing import Any

import pytest

from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.training.schedule import growth_with_batch, parameter_groups, warmup_then_cosine


def rates(warmup: int, total: int) -> list[float]:
    return [warmup_then_cosine(step, warmup=warmup, total=total) for step in range(total + 3)]


def test_rises_linearly_then_falls_as_a_cosine_to_0() -> None:
    found = rates(4, 12)
    assert found[:5] == pytest.approx([1 / 5, 2 / 5, 3 / 5, 4 / 5, 1])
    assert found[4:13] == pytest.approx([(1 + math.cos(math.pi * done / 8)) / 2 for done in range(9)])
    assert found[12:] == [0, 0, 0]


def test_without_warmup_the_first_step_has_the_whole_rate() -> None:
    assert rates(0, 10)[0] == 1


def test_a_run_that_ends_in_its_warmup_never_falls() -> None:
    assert rates(5, 3)[:5] == pytest.approx([1 / 6, 2 / 6, 3 / 6, 4 / 6, 5 / 6])


@pytest.mark.parametrize(("images", "base", "growth"), [(4, 4, 1), (64, 4, 4), (2, 8, 0.5), (64, 0, 1)])
def test_grows_with_the_root_of_the_batch(images: int, base: int, growth: float) -> None:
    assert growth_with_batch(images, base) == growth


OPTIONS = {"learning_rate": 1e-3, "backbone_learning_rate": 2e-4}


def groups_of(
    tiny_model: dict[str, Any], backbone: str, **options: float
) -> tuple[RegionSegmenter, list[dict[str, Any]]]:
    segmenter = RegionSegmenter(**tiny_model | {"backbone": backbone})
    return segmenter, parameter_groups(segmenter, OPTIONS | options, growth=2)


@pytest.mark.parametrize("options", [{}, {"layer_decay": 1.0}])
def test_without_a_decay_the_backbone_is_one_group(tiny_model: dict[str, Any], options: dict[str, float]) -> None:
    segmenter, groups = groups_of(tiny_model, "test_vit", **options)
    assert [(group["name"], group["lr"]) for group in groups] == [("head", 2e-3), ("backbone", 4e-4)]
    assert {id(weight) for weight in groups[1]["params"]} == {
        id(weight) for weight in segmenter.backbone.body.parameters()
    }


@pytest.mark.parametrize("backbone", ["test_vit", "test_convnext", "resnet10t", "sam2_hiera_tiny"])
def test_each_layer_has_a_fraction_of_the_rate_of_the_next(tiny_model: dict[str, Any], backbone: str) -> None:
    segmenter, groups = groups_of(tiny_model, backbone, layer_decay=0.5)
    rate_of = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    trained = [weight for weight in segmenter.parameters() if weight.requires_grad]
    assert sum(len(group["params"]) for group in groups) == len(rate_of) == len(trained)  # each once
    assert len({group["name"] for group in groups}) == len(groups)  # the monitor of the rates asks for this
    rates = [group["lr"] for group in groups[1:]]
    assert rates == pytest.approx([4e-4 * 0.5**distance for distance in range(len(rates))])
    assert len(rates) > 3
    assert groups[1]["name"] == "backbone"
    weights = [weight for weight in segmenter.backbone.body.parameters() if weight.requires_grad]
    assert rate_of[id(weights[0])] == pytest.approx(rates[-1])  # next to the image
    assert rate_of[id(weights[-1])] == pytest.approx(rates[0])
    if backbone == "test_vit":
        blocks = segmenter.backbone.body.model.blocks
        found = [rate_of[id(block.attn.qkv.weight)] for block in blocks]
        assert found == pytest.approx([4e-4 * 0.5**distance for distance in (5, 4, 3, 2, 1, 0)])


def test_a_frozen_backbone_is_not_among_the_trained_weights(tiny_model: dict[str, Any]) -> None:
    segmenter = RegionSegmenter(**tiny_model | {"backbone": "test_vit"})
    segmenter.freeze_backbone()
    head, backbone = parameter_groups(segmenter, OPTIONS | {"layer_decay": 0.5}, growth=1)
    assert backbone["params"] == []
    assert {id(w) for w in head["params"]} == {id(w) for w in segmenter.parameters()} - {
        id(w) for w in segmenter.backbone.body.parameters()
    }
