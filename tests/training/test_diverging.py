"""A training whose loss is no number ends at once, says where, and keeps its last good weights."""

from pathlib import Path

import pytest
import torch

from fullseg.config.load import load_config
from fullseg.training.diverging import DivergedError
from fullseg.training.module import SegmenterModule
from fullseg.training.run import train
from tests.training.test_run import ROOT


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_it_ends_at_the_step_and_the_checkpoint_is_of_before(
    value: float, tiny_options: list[str], tiny_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, seen = SegmenterModule.training_step, []

    def spoiled(module: SegmenterModule, batch: object, batch_idx: int) -> dict[str, torch.Tensor]:
        result = step(module, batch, batch_idx)  # type: ignore[arg-type]
        seen.append(batch)
        return {**result, "loss": result["loss"] * value} if len(seen) == 3 else result

    monkeypatch.setattr(SegmenterModule, "training_step", spoiled)
    options = [*tiny_options, f"data.root={tiny_data}", f"runs={tmp_path}", "run_id=a", "trainer.checkpoint_every=1"]

    options += ["trainer.epochs=9", "tracking.wandb=disabled"]
    with pytest.raises(DivergedError, match=r"the loss is (nan|inf) at step 3 .* images .*rates: ") as caught:
        train(load_config(ROOT / "experiments" / "default.yaml", options))

    assert all(name in str(caught.value) for name in seen[-1].names)
    [folder] = tmp_path.rglob("checkpoints")
    last = torch.load(folder / "last.ckpt", weights_only=True)
    assert last["global_step"] == 2
    assert all(torch.isfinite(value).all() for value in last["state_dict"].values() if value.is_floating_point())
