"""Compiling and checkpointing change the cost of a step, but not its gradients and not the names of the weights."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch._dynamo.utils import counters

from fullseg.errors import ConfigError
from fullseg.model.region_segmenter import RegionSegmenter
from fullseg.training import step_cost
from fullseg.training.step_cost import checkpoint_activations, compile_backbone
from fullseg.types import Batch

RESNET = {"backbone": "resnet50", "features": "c4", "stride": 16}


def batch_of(images: int, regions: int, side: int) -> Batch:
    generator = torch.Generator().manual_seed(0)
    low = torch.randint(0, side // 2, (images * regions, 2), generator=generator).float()
    high = low + side // 3
    corners = torch.stack([low, low, high, high], dim=1)  # (M, 4, 2): any four points span a box
    none = torch.zeros(0, dtype=torch.int64)
    return Batch(
        keys=torch.zeros(images, 2, dtype=torch.int64),
        images=torch.randint(0, 256, (images, 3, side, side), generator=generator).to(torch.uint8),
        region_maps=torch.zeros(images, side, side, dtype=torch.int64),
        partly=torch.zeros(images, dtype=torch.bool),
        regions_per_image=torch.full((images,), regions),
        extreme_points=corners,
        scribble_points=torch.zeros(0, 2),
        scribble_lengths=none,
        scribble_regions=none,
        classes=torch.zeros(images * regions, dtype=torch.int64),
        names=images * ("",),
        skipped=(),
    )


def gradients_and_saved_bytes(segmenter: RegionSegmenter, batch: Batch) -> tuple[dict[str, Tensor], int]:
    """Run a step; count what the forward pass keeps for the backward pass, shared memory once, weights not at all."""
    kept: dict[int, Tensor] = {}
    constant = {tensor.untyped_storage().data_ptr() for tensor in [*segmenter.parameters(), *segmenter.buffers()]}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in constant:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    segmenter.zero_grad()
    torch.manual_seed(0)  # a Swin leaves blocks out at random
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = segmenter(batch, batch.classes).logits.square().mean()
    saved = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    kept.clear()
    loss.backward()
    return {name: weight.grad for name, weight in segmenter.named_parameters() if weight.grad is not None}, saved


OTHERS = [
    {"backbone": name} for name in ("test_convnext", "test_vit", "swin_tiny_patch4_window7_224", "sam2_hiera_tiny")
]


@pytest.mark.parametrize("changes", [{}, RESNET, *OTHERS], ids=lambda changes: changes.get("backbone", "lite0"))
def test_checkpointing_keeps_less_and_gives_the_same_gradients(tiny_model: dict[str, Any], changes: Any) -> None:
    segmenter, batch = RegionSegmenter(**{**tiny_model, **changes}).train(), batch_of(images=2, regions=3, side=96)
    names = list(segmenter.state_dict())
    expected, before = gradients_and_saved_bytes(segmenter, batch)

    checkpoint_activations(segmenter)
    gradients, after = gradients_and_saved_bytes(segmenter, batch)

    assert after < before / 2
    assert list(gradients) == list(expected)
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, expected[name], rtol=1e-6, atol=1e-9, msg=name)
    assert list(segmenter.state_dict()) == names


def test_checkpointing_drops_what_the_head_keeps_too(tiny_model: dict[str, Any]) -> None:
    wide = {**tiny_model, "head_channels": 64, "head_dilations": 6 * [1]}
    segmenter, batch = RegionSegmenter(**wide).train(), batch_of(images=1, regions=40, side=32)
    _, before = gradients_and_saved_bytes(segmenter, batch)
    checkpoint_activations(segmenter)
    _, after = gradients_and_saved_bytes(segmenter, batch)

    assert before - after > 5 * 40 * 64 * 9 * 9 * 4  # bytes of the outputs of five layers


@pytest.fixture
def graphs() -> Any:
    """Return a function that counts the graphs that were compiled since the test began."""
    torch._dynamo.reset()
    counters.clear()
    yield lambda: counters["stats"]["unique_graphs"]
    torch._dynamo.reset()


def test_one_graph_whatever_the_number_of_regions_and_none_without_gradient(
    tiny_model: dict[str, Any], graphs: Any
) -> None:
    segmenter = RegionSegmenter(**tiny_model).train()
    names = list(segmenter.state_dict())
    batches = [batch_of(images=1, regions=regions, side=64) for regions in (1, 3, 7, 12)]
    expected = [gradients_and_saved_bytes(segmenter, batch)[0] for batch in batches]

    compile_backbone(segmenter, backend="eager")
    with torch.no_grad():
        for side in (64, 96):
            segmenter(batch_of(images=1, regions=2, side=side), None)
    assert graphs() == 0
    for batch, wanted in zip(batches, expected, strict=True):
        gradients, _ = gradients_and_saved_bytes(segmenter, batch)
        torch.testing.assert_close(gradients, wanted)

    assert graphs() == 1
    assert list(segmenter.state_dict()) == names


def test_both_together_give_the_same_gradients(tiny_model: dict[str, Any], graphs: Any) -> None:
    segmenter, batch = RegionSegmenter(**{**tiny_model, **RESNET}).train(), batch_of(images=1, regions=3, side=64)
    expected, before = gradients_and_saved_bytes(segmenter, batch)

    checkpoint_activations(segmenter)
    compile_backbone(segmenter, backend="aot_eager")
    gradients, after = gradients_and_saved_bytes(segmenter, batch)

    assert graphs() >= 1
    torch.testing.assert_close(gradients, expected)
    assert after < before


def test_no_compiler_is_named_before_training(tiny_model: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_cost.shutil, "which", lambda _: None)
    with pytest.raises(ConfigError, match=r"trainer.compile=true: no C\+\+ compiler is on PATH .*leave the option out"):
        compile_backbone(RegionSegmenter(**tiny_model), backend="inductor")


@pytest.mark.parametrize("backbone", ["tf_efficientnet_lite0", "test_convnext", "test_vit", "resnet10t"])
def test_a_frozen_backbone_keeps_no_activations(tiny_model: dict[str, Any], backbone: str) -> None:
    segmenter = RegionSegmenter(**tiny_model | {"backbone": backbone}).train()
    batch = batch_of(images=2, regions=3, side=96)
    before, kept = gradients_and_saved_bytes(segmenter, batch)
    body = {key: value.clone() for key, value in segmenter.backbone.body.state_dict().items()}

    segmenter.freeze_backbone()
    after, kept_frozen = gradients_and_saved_bytes(segmenter, batch)

    assert kept_frozen < kept / 2
    assert {name for name in before if name not in after} == {n for n in before if n.startswith("backbone.body.")}
    for name, gradient in after.items():
        torch.testing.assert_close(gradient, before[name], rtol=1e-5, atol=1e-7, msg=name)
    assert all(torch.equal(value, body[key]) for key, value in segmenter.backbone.body.state_dict().items())


def test_a_frozen_backbone_leaves_nothing_out_at_random(tiny_model: dict[str, Any]) -> None:
    segmenter = RegionSegmenter(**tiny_model | {"backbone": "swin_tiny_patch4_window7_224"}).train()
    images = batch_of(images=2, regions=1, side=64).images
    with torch.no_grad():
        expected = segmenter.eval().features(images).coarse
        segmenter.train()
        assert not torch.allclose(segmenter.features(images).coarse, expected)
        segmenter.freeze_backbone()
        for _ in range(2):
            torch.testing.assert_close(segmenter.features(images).coarse, expected)
            segmenter.train()  # as at the start of an epoch
    assert segmenter.convolutions.training
