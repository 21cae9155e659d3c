"""Loads the other models of a run: the counterpart, on whose errors scribbles are drawn, and models to study."""

from collections.abc import Callable
from pathlib import Path

import lightning as L
import torch
from torch import Tensor

from fullseg.config.schema import Config
from fullseg.data.scribbling import Scribbler
from fullseg.errors import ConfigError
from fullseg.model.factory import without_initial_weights
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.runs.find import find_checkpoint
from fullseg.training.module import SegmenterModule
from fullseg.types import Batch


def load_module(path: Path) -> tuple[SegmenterModule, int]:
    """Return the Lightning module of a checkpoint and its step. This loads no ImageNet weights.

    Raises:
        CheckpointError: if the file is not a checkpoint of fullseg.
    """
    Predictor.from_checkpoint(path)  # raises if something is wrong with the file
    checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    options = checkpoint["hyper_parameters"]
    module = SegmenterModule(without_initial_weights(options["model"]), options["config"], options["categories"])
    module.load_state_dict(checkpoint["state_dict"])
    return module, checkpoint["global_step"]


def find_counterpart(named: str | None, runs: str, checkpoint: Path, module: SegmenterModule) -> Path | None:
    """Return the checkpoint that predicts in round 0: the named one, or else the one that the model was trained with.

    If an experiment is named and the model was trained with one of its runs, this run is taken and not the newest one.

    Raises:
        ConfigError: if the checkpoint is missing.
    """
    if named == "none":
        return None
    trained_with = module.hparams["config"].get("counterpart")
    if named is None and trained_with is None:
        return None
    known = trained_with is not None and Path(trained_with).is_file()
    if named is not None:
        of_experiment = known and Path(trained_with).is_relative_to((Path(runs) / named).resolve())
        return Path(trained_with) if of_experiment else find_checkpoint("counterpart", named, runs)
    if not known:
        raise ConfigError(
            f"{checkpoint} was trained with counterpart={trained_with}, which is missing: put it back, name another, "
            "counterpart=CHECKPOINT, or leave round 0 to the model itself, counterpart=none"
        )
    return Path(trained_with)


def load_counterpart(config: Config) -> Segmenter | None:
    """Return the counterpart for training, or None if training needs none.

    Its path replaces the option ``counterpart`` in ``config``, so that the run's files name the checkpoint.

    Raises:
        ConfigError: if no counterpart is named, or if it is missing.
    """
    options = config.scribbles
    if options.max_scribbles == 0 or (options.predictor == "self" and config.counterpart is None):
        return None
    if config.counterpart is None:
        raise ConfigError(
            "scribbles.predictor=counterpart: name the non-interactive model, counterpart=EXPERIMENT, RUN_DIR or "
            "CHECKPOINT, or scribble on the model's own errors, scribbles.predictor=self"
        )
    path = find_checkpoint("counterpart", config.counterpart, config.runs)
    config.counterpart = str(path)
    return Predictor.from_checkpoint(path).segmenter


def start_from(module: SegmenterModule, counterpart: Segmenter, path: str) -> None:
    """Load the counterpart's weights into the model.

    Raises:
        ConfigError: if the weights do not fit.
    """
    try:
        module.segmenter.load_state_dict(counterpart.state_dict())
    except RuntimeError as error:
        raise ConfigError(
            f"counterpart={path}: its weights do not fit this model; train it with the same model options, or set "
            f"scribbles.start_from_counterpart=false: {str(error).splitlines()[1].strip()}"
        ) from error


def make_scribbler(
    config: Config, module: SegmenterModule, counterpart: Segmenter | None, trainer: L.Trainer
) -> Scribbler:
    """Return the scribbler, which adds scribbles to the training batches."""
    own = config.scribbles.predictor == "self" or counterpart is None
    segmenter = module.segmenter if own or counterpart is None else counterpart.to(trainer.strategy.root_device)
    return Scribbler(
        predict=_prediction(segmenter, trainer),
        move=lambda batch: trainer.strategy.batch_to_device(batch, trainer.strategy.root_device),
        max_scribbles=config.scribbles.max_scribbles,
        seed=config.seed,
        workers=config.scribbles.workers,
    )


def _prediction(segmenter: Segmenter, trainer: L.Trainer) -> Callable[[Batch], Tensor]:
    @torch.no_grad()
    def predict(batch: Batch) -> Tensor:
        with trainer.precision_plugin.forward_context():
            return segmenter.region_maps(batch)

    return predict
