"""Loads the other models of a run: the counterpart, and the models to study."""

from pathlib import Path

from fullseg.config.schema import Config, trains_with_scribbles
from fullseg.data.annotated import check_counterpart
from fullseg.errors import CheckpointError, ConfigError
from fullseg.model.factory import change_spreading, weights_for
from fullseg.model.predictor import Predictor
from fullseg.model.segmenter import Segmenter
from fullseg.runs.checkpoints import load_checkpoint
from fullseg.runs.find import find_checkpoint
from fullseg.training.module import SegmenterModule


def load_module(path: Path) -> tuple[SegmenterModule, int]:
    """Return the Lightning module of a checkpoint and its step. This loads no initial weights.

    Raises:
        CheckpointError: if the file is not a checkpoint of fullseg.
    """
    Predictor.from_checkpoint(path)  # raises if something is wrong with the file
    module = SegmenterModule.load_from_checkpoint(path, map_location="cpu", weights_only=True)
    return module, load_checkpoint(path)["global_step"]


def spread_as(segmenter: Segmenter, checkpoint: Path, config: Config) -> None:
    """Let the annotations of a model that is studied spread as the study's options say.

    Raises:
        ConfigError: if the model cannot do this.
    """
    forms = {"kriging": config.study.kriging, "diffusion": config.study.diffusion}
    wanted = {name: None if form == "trained" else form for name, form in forms.items()}
    try:
        change_spreading(segmenter, **wanted)
    except CheckpointError as error:
        raise ConfigError(f"study.{error}; the model is {checkpoint}") from error


def find_counterpart(named: str | None, runs: str, checkpoint: Path, module: SegmenterModule) -> Path | None:
    """Return the checkpoint that predicts in round 0: the named one, or else the one that the model was trained with.

    If an experiment is named and the model was trained with one of its runs, this run is taken and not the newest one.

    Raises:
        ConfigError: if the checkpoint is missing.
    """
    if named == "none":
        return None
    options = module.hparams["config"]
    # A model that was trained in sessions knows round 0 itself: its counterpart has only given it its first weights.
    trained_with: str | None = None if options["scribbles"].get("rounds") else options.get("counterpart")
    if named is None and trained_with is None:
        return None
    theirs = Path(trained_with) if trained_with is not None and Path(trained_with).is_file() else None
    if named is not None:
        of_experiment = theirs is not None and theirs.is_relative_to((Path(runs) / named).resolve())
        return theirs if of_experiment else find_checkpoint("counterpart", named, runs)
    if theirs is None:
        raise ConfigError(
            f"{checkpoint} was trained with counterpart={trained_with}, which is missing: put it back, name another, "
            "counterpart=CHECKPOINT, or leave round 0 to the model itself, counterpart=none"
        )
    return theirs


def load_counterpart(config: Config) -> Segmenter | None:
    """Return the counterpart for training, or None if training needs none.

    Its path replaces the option ``counterpart`` in ``config``, so that the run's files name the checkpoint.

    Raises:
        ConfigError: if no counterpart is named, or if it is missing.
    """
    options = config.scribbles
    own = options.predictor == "self" or options.rounds > 0
    if not trains_with_scribbles(options) or (own and config.counterpart is None):
        return None
    check_counterpart(options, named=config.counterpart is not None)
    path = find_checkpoint("counterpart", str(config.counterpart), config.runs)
    config.counterpart = str(path)
    return Predictor.from_checkpoint(path).segmenter


def start_from(module: SegmenterModule, counterpart: Segmenter, path: str) -> None:
    """Load the counterpart's weights into the model. If only the model has ``second_look``, it ignores it at first.

    Raises:
        ConfigError: if the weights do not fit.
    """
    try:
        module.segmenter.load_state_dict(weights_for(module.segmenter, counterpart))
    except RuntimeError as error:
        raise ConfigError(
            f"counterpart={path}: its weights do not fit this model; train it with the same model options, or set "
            f"scribbles.start_from_counterpart=false: {str(error).splitlines()[1].strip()}"
        ) from error
