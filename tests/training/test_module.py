"""The Lightning module: classes that it asks for, optimiser, clipping, and ways to train that give the same model."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from fullseg.config.load import load_config, plain
from fullseg.training import run as run_module
from fullseg.training.model_options import model_arguments
from fullseg.training.module import SegmenterModule
from fullseg.training.run import train
from fullseg.training.step_cost import compile_backbone
from fullseg.types import BACKGROUND
from tests.model.test_segmenter import POINTS, SIZE, make_batch


@pytest.fixture
def module(tiny_model: dict[str, Any], tiny_options: list[str]) -> SegmenterModule:
    return SegmenterModule({"name": "region", **tiny_model}, plain(load_config(None, tiny_options)), [])


def trained(options: list[str], data: Path, runs: Path) -> dict[str, torch.Tensor]:
    config = load_config(None, [*options, f"data.root={data}", f"runs={runs}", "tracking.wandb=disabled"])
    result = train(config)
    state: dict[str, torch.Tensor] = torch.load(result.folder / "checkpoints" / "last.ckpt", weights_only=True)
    return state["state_dict"]  # type: ignore[return-value]


def on_trainer(module: SegmenterModule, images: int, ranks: int = 1, accumulated: int = 1) -> SegmenterModule:
    """Let a module believe that it is in a run of 20 batches of these images per rank, in 2 epochs."""
    state = {"world_size": ranks, "num_training_batches": 10, "accumulate_grad_batches": accumulated}
    loader, loop = SimpleNamespace(batch_size=images), SimpleNamespace(setup_data=lambda: None)
    steps = 20 // accumulated
    module._trainer = SimpleNamespace(  # type: ignore[assignment]
        train_dataloader=loader, fit_loop=loop, estimated_stepping_batches=steps, **state
    )
    return module


class _AskedError(Exception):
    """Keeps the classes that the network was given."""


@pytest.mark.parametrize(("maps", "given"), [("mixed", False), ("picked", True), ("one", True)])
def test_picked_maps_are_trained_with_the_true_class_and_mixed_ones_as_they_are_used(
    maps: str, tiny_options: list[str], monkeypatch: pytest.MonkeyPatch, *, given: bool
) -> None:
    config = load_config(None, [*tiny_options, f"model.class_maps={maps}"])
    module = SegmenterModule(model_arguments(config, 3, background=False), plain(config), [])
    batch = SimpleNamespace(classes=torch.tensor([2, 0]))

    def forward(_batch: object, classes: torch.Tensor | None) -> None:
        raise _AskedError(classes)

    monkeypatch.setattr(module.segmenter, "forward", forward)
    with pytest.raises(_AskedError) as asked:
        module.training_step(batch, 0)  # type: ignore[arg-type]
    assert asked.value.args[0] is (batch.classes if given else None)


@pytest.mark.parametrize("spread", ["none", "learned"])
def test_the_background_competes_in_images_that_are_partly_annotated(spread: str, tiny_options: list[str]) -> None:
    options = ["loss=pixelwise", "model.class_maps=one", f"model.kriging={spread}", f"model.diffusion={spread}"]
    config = load_config(None, [*tiny_options, *options, "model.sharp_channels=4"])
    modules = {
        background: SegmenterModule(model_arguments(config, 1, background=background), plain(config), [])
        for background in (False, True)
    }
    modules[True].load_state_dict(modules[False].state_dict())
    truth = torch.from_numpy(np.random.default_rng(0).integers(BACKGROUND, 3, (2, *SIZE)))
    both = make_batch([(POINTS, []), (POINTS, [])])._replace(region_maps=truth, partly=torch.tensor([False, True]))
    alone = [make_batch([(POINTS, [])], both.images[[k]])._replace(region_maps=truth[[k]]) for k in range(2)]
    expected = [modules[bool(k)].training_step(batch, 0)["loss"] for k, batch in enumerate(alone)]
    torch.testing.assert_close(modules[False].training_step(both, 0)["loss"], torch.stack(expected).mean())
    complete = modules[False].training_step(alone[1], 0)["loss"]
    assert abs(float(complete - expected[1])) > 0.1


def test_adamw_is_fused_and_steps_as_the_plain_one(module: SegmenterModule) -> None:
    fused = on_trainer(module, 4).configure_optimizers()["optimizer"]  # type: ignore[index,call-overload]
    assert fused.defaults["fused"]
    rates = [group["lr"] for group in fused.param_groups]
    before = {name: weight.detach().clone() for name, weight in module.segmenter.named_parameters()}
    torch.manual_seed(0)
    gradients = {name: torch.randn_like(weight) for name, weight in before.items()}
    for name, weight in module.segmenter.named_parameters():
        weight.grad = gradients[name] if weight.requires_grad else None
    fused.step()

    groups = [{"params": [], "lr": rate} for rate in rates]
    expected = {name: value.clone() for name, value in before.items()}
    for name, weight in module.segmenter.named_parameters():
        if weight.requires_grad:
            expected[name].grad = gradients[name]
            groups["backbone.body" in name]["params"].append(expected[name])  # type: ignore[union-attr]
    torch.optim.AdamW(groups, weight_decay=module.options["weight_decay"], fused=False, foreach=False).step()
    for name, weight in module.segmenter.named_parameters():
        torch.testing.assert_close(weight.detach(), expected[name], rtol=1e-6, atol=1e-7, msg=name)


def test_a_rate_of_0_freezes_the_backbone(tiny_options: list[str]) -> None:
    config = load_config(None, [*tiny_options, "optimizer.backbone_learning_rate=0"])
    module = SegmenterModule(model_arguments(config, 1, background=False), plain(config), [])
    trained = [name for name, weight in module.segmenter.named_parameters() if weight.requires_grad]
    assert trained
    assert not any("backbone.body" in name for name in trained)
    module.training_step(make_batch([(POINTS, [])])._replace(region_maps=torch.zeros(1, *SIZE).long()), 0)[
        "loss"
    ].backward()
    optimizers: Any = on_trainer(module, 4).configure_optimizers()
    optimizers["optimizer"].step()


@pytest.mark.parametrize(
    ("base", "images", "ranks", "accumulated", "growth"),
    [
        (4, 4, 1, 1, 1),
        (4, 64, 1, 1, 4),
        (4, 8, 8, 1, 4),
        (4, 4, 16, 1, 4),
        (4, 4, 8, 2, 4),
        (8, 2, 1, 1, 0.5),
        (0, 64, 1, 1, 1),
    ],
)
def test_rates_grow_with_the_root_of_the_images_per_step(
    module: SegmenterModule, base: int, images: int, ranks: int, accumulated: int, growth: float
) -> None:
    module.options = {**module.options, "base_batch": base, "warmup_steps": 0}
    found = on_trainer(module, images, ranks, accumulated).configure_optimizers()
    rates = [group["lr"] for group in found["optimizer"].param_groups]  # type: ignore[index,call-overload]
    assert rates == pytest.approx([growth * 1e-3, growth * 2e-4])


@pytest.mark.parametrize(
    ("options", "accumulated", "steps"),
    [
        ({"warmup_epochs": 0.5}, 1, 5),
        ({"warmup_epochs": 0.5}, 2, 2),  # of 5 steps an epoch, 2.5 rounded to even
        ({"warmup_epochs": 1.5}, 1, 15),
        ({"warmup_epochs": 0.5, "warmup_steps": 3}, 1, 3),
    ],
)
def test_warmup_is_given_in_epochs_and_reaches_the_peak(
    module: SegmenterModule, options: dict[str, float], accumulated: int, steps: int
) -> None:
    module.options = {**module.options, "warmup_steps": None, **options}
    found: Any = on_trainer(module, 4, accumulated=accumulated).configure_optimizers()
    rate = found["lr_scheduler"]["scheduler"].lr_lambdas[0]
    assert rate(steps) == 1
    assert [rate(step) for step in range(steps)] == pytest.approx([(k + 1) / (steps + 1) for k in range(steps)])


def test_options_of_version_0_1_0_have_steps_of_warmup_alone(module: SegmenterModule) -> None:
    module.options = {key: value for key, value in module.options.items() if key != "warmup_epochs"}
    module.options["warmup_steps"] = 4
    found: Any = on_trainer(module, 4).configure_optimizers()
    assert found["lr_scheduler"]["scheduler"].lr_lambdas[0].keywords["warmup"] == 4


def test_gradient_is_clipped_to_its_norm_over_all_weights(module: SegmenterModule) -> None:
    optimizer = torch.optim.AdamW(module.segmenter.parameters(), fused=True)
    for weight in module.segmenter.parameters():
        weight.grad = torch.ones_like(weight)
    module.configure_gradient_clipping(optimizer, 5.0, "norm")
    squares = sum(float(weight.grad.square().sum()) for weight in module.segmenter.parameters())  # type: ignore[union-attr]
    assert squares**0.5 == pytest.approx(5, rel=1e-4)

    for clip in (0.0, None):
        weight.grad = torch.full_like(weight, 100.0)
        module.configure_gradient_clipping(optimizer, clip, None)
        assert torch.equal(weight.grad, torch.full_like(weight, 100.0))


@pytest.mark.slow
def test_trains_in_bf16_with_clipping(tiny_options: list[str], tiny_data: Path, tmp_path: Path) -> None:
    """Lightning itself refuses to clip for a fused optimiser in mixed precision, which a GPU trains with."""
    options = [*tiny_options, "trainer.precision=bf16-mixed", "optimizer.gradient_clip=1", "trainer.epochs=1"]
    assert all(value.isfinite().all() for value in trained(options, tiny_data, tmp_path).values())


@pytest.mark.slow
def test_checkpointing_and_compiling_train_the_same_model(
    tiny_options: list[str], tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled = []

    def compile_quickly(segmenter: Any, backend: str) -> None:
        compiled.append(backend)
        compile_backbone(segmenter, backend="eager")

    monkeypatch.setattr(run_module, "compile_backbone", compile_quickly)
    options = [*tiny_options, "trainer.epochs=2"]
    plainly = trained(options, tiny_data, tmp_path / "plain")
    cheaply = trained([*options, "trainer.checkpoint_activations=true"], tiny_data, tmp_path / "checkpointed")
    assert compiled == []
    quickly = trained([*options, "trainer.compile=true"], tiny_data, tmp_path / "compiled")

    assert compiled == ["inductor"]
    assert list(cheaply) == list(plainly) == list(quickly)
    for name, value in plainly.items():
        torch.testing.assert_close(cheaply[name], value, rtol=1e-5, atol=1e-7, msg=name)
        torch.testing.assert_close(quickly[name], value, rtol=1e-5, atol=1e-7, msg=name)
