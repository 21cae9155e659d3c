"""Ends a training whose loss is no number any more, instead of going on to its end with weights that are none."""

from typing import Any

import lightning as L
import torch
from torch import Tensor

from fullseg.errors import UserError
from fullseg.types import Batch

LISTED = 8  # images in the message


class DivergedError(UserError, ArithmeticError):
    """A training whose loss became infinite or NaN."""


class StopWhenDiverged(L.Callback):
    """Raises DivergedError at the first step whose loss is infinite or NaN, before its weights are saved.

    On a GPU the loss of a step is looked at one step later, so that nobody waits for it.
    """

    def __init__(self) -> None:
        self._unseen: tuple[Tensor, str] | None = None  # loss of a step, and what to say if it is no number

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        module: L.LightningModule,  # noqa: ARG002  Lightning's signature
        outputs: Any,  # noqa: ANN401
        batch: Batch,
        batch_idx: int,
    ) -> None:
        """Look at the loss of a step."""
        rates = {group.get("name", "all"): group["lr"] for each in trainer.optimizers for group in each.param_groups}
        images = ", ".join(batch.names[:LISTED]) + (", ..." if len(batch.names) > LISTED else "")
        listed = ", ".join(f"{name} {rate:.3g}" for name, rate in rates.items())
        where = f"step {trainer.global_step} (epoch {trainer.current_epoch}, batch {batch_idx})"
        before, self._unseen = self._unseen, (outputs["loss"].detach(), f"{where}, images {images}, rates: {listed}")
        if self._unseen[0].device.type == "cpu":
            before = self._unseen
        if before is not None:
            self._check(*before)

    def on_save_checkpoint(self, *_: Any) -> None:  # noqa: ANN401
        """Do not let the weights of such a step replace good ones."""
        if self._unseen is not None:
            self._check(*self._unseen)

    def on_validation_start(self, trainer: L.Trainer, module: L.LightningModule) -> None:  # noqa: ARG002
        """Do not evaluate the weights of such a step."""
        self.on_save_checkpoint()

    def _check(self, loss: Tensor, where: str) -> None:
        if not torch.isfinite(loss).all():
            raise DivergedError(
                f"the loss is {float(loss):g} at {where}. The checkpoints are from before this step. Lower "
                "optimizer.learning_rate, limit optimizer.gradient_clip, or look at these images"
            )
