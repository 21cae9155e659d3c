"""The model of the commands that only predict: the option that names it, and how it is loaded."""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fullseg.model.released import DEFAULT

if TYPE_CHECKING:
    from fullseg.model.predictor import Predictor


def add_checkpoint(command: argparse.ArgumentParser) -> None:
    """Add the option that names the model."""
    command.add_argument(
        "--checkpoint", default=DEFAULT, help=f"experiment, run folder, file or released model (default: {DEFAULT})"
    )


def load_predictor(checkpoint: Path, device: str, *, kriging: str | None, diffusion: str | None) -> "Predictor":
    """Import PyTorch and load a model, without W&B; arguments as in ``Predictor.from_checkpoint``."""
    hidden = "wandb" not in sys.modules
    if hidden:  # timm imports it wherever it is installed
        sys.modules["wandb"] = None  # type: ignore[assignment]
    try:
        from fullseg.model.predictor import Predictor
    finally:
        if hidden:
            del sys.modules["wandb"]
    return Predictor.from_checkpoint(checkpoint, device, kriging=kriging, diffusion=diffusion)
