"""Chooses how the batches of training get scribbles: all at once, in sessions, or not at all."""

from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils.data import DataLoader

from fullseg.config.schema import ScribblesConfig
from fullseg.data.dataset import Item
from fullseg.data.scribbling import ScribbledLoader, Scribbler
from fullseg.data.sessions import SessionLoader, Sessions
from fullseg.errors import ConfigError
from fullseg.types import Batch

AHEAD, SESSIONS = "scribbles_ahead", "sessions"  # in a checkpoint: the states of ScribbledLoader and of SessionLoader


def needs_counterpart(options: ScribblesConfig) -> bool:
    """Return whether scribbles are drawn on the errors of another model than the one in training."""
    return options.max_scribbles > 0 and options.predictor == "counterpart"


def check_counterpart(options: ScribblesConfig, *, named: bool) -> None:
    """Raise ConfigError if the scribbles need a counterpart and none is named."""
    if needs_counterpart(options) and not named:
        raise ConfigError(
            "scribbles.predictor=counterpart: name the non-interactive model, counterpart=EXPERIMENT, RUN_DIR or "
            "CHECKPOINT, or scribble on the model's own errors, scribbles.predictor=self"
        )


def annotated_loader(
    loader: DataLoader[Item],
    options: ScribblesConfig,
    *,
    move: Callable[[Batch], Batch],
    predict: Callable[[Batch], Tensor],
    kept: dict[str, Any],
    taken: Callable[[], int],
    seed: int,
) -> ScribbledLoader | SessionLoader | None:
    """Return a loader that adds scribbles to the batches of another, or None without scribbles.

    Args:
        loader: of batches without scribbles.
        options: the scribbles of training.
        move: moves a batch to the model's device.
        predict: returns the region maps (B, H, W) int64 of a batch on that device, on whose errors scribbles are drawn.
        kept: states of the loaders of the run that is resumed, by ``AHEAD`` or ``SESSIONS``.
        taken: returns the number of batches that the run has had.
        seed: of the run.
    """
    workers = options.workers
    if options.rounds:
        sessions = Sessions(move=move, rounds=options.rounds, short=options.short, seed=seed, workers=workers)
        return SessionLoader(loader, sessions, kept.get(SESSIONS), taken)
    if options.max_scribbles:
        most = options.max_scribbles
        scribbler = Scribbler(predict=predict, move=move, max_scribbles=most, seed=seed, workers=workers)
        return ScribbledLoader(loader, scribbler, kept.get(AHEAD))
    return None
