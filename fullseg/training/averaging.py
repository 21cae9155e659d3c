"""The average of the weights over the steps of training, which is what is evaluated and kept."""

from functools import partial
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor


class AveragedWeights(WeightAveraging):
    """Averages the weights of training exponentially; evaluations and checkpoints use the average.

    A checkpoint's ``state_dict`` has the average, and ``current_model_state`` the weights in training, so that a
    resumed run goes on exactly. Buffers are those of the model in training, not averages. Callbacks that use the model
    in an evaluation must come before this one, and those that write a checkpoint after a step behind it.

    Args:
        decay: in (0, 1): the part of the average that a step keeps, once there were enough steps, see ``warmed_decay``.
    """

    def __init__(self, decay: float) -> None:
        super().__init__(use_buffers=False, multi_avg_fn=partial(_move_average, decay=decay))

    def setup(self, trainer: L.Trainer, pl_module: L.LightningModule, stage: str) -> None:
        """Make the average when training begins."""
        self._device = trainer.strategy.root_device  # the model itself is moved there later
        super().setup(trainer, pl_module, stage)
        if stage == "fit" and self._average_model is not None:
            # torch compares this number in Python at every step. On a GPU each step would wait for it.
            self._average_model.n_averaged = self._average_model.n_averaged.cpu()


def warmed_decay(averaged: Tensor, decay: float) -> Tensor:
    """Return the part of the average that a step keeps: (1 + n) / (10 + n) after n steps, but at most ``decay``.

    So the average does not hold on to the first weights in a short training.

    Args:
        averaged: n, scalar tensor, at least 0.
        decay: in [0, 1].
    """
    return ((1 + averaged) / (10 + averaged)).clamp(max=decay)


@torch.no_grad()
def _move_average(average: Any, current: Any, averaged: Tensor, *, decay: float) -> None:  # noqa: ANN401  torch's types
    """Move lists of averages in place towards the current weights, after ``averaged`` steps."""
    gaps = torch._foreach_sub(current, average)
    torch._foreach_mul_(gaps, 1 - warmed_decay(averaged, decay))
    torch._foreach_add_(average, gaps)
