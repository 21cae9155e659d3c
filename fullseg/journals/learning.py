"""Learns from finished images: training goes on from a model, and the result is compared on images held back."""

import math
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from fullseg.annotator.learnt import FOLDER, Learnt, read_models, write_models
from fullseg.config.load import load_config, plain
from fullseg.config.schema import Config, DataConfig
from fullseg.config.strategies import REPLAY
from fullseg.data.dataset import EvaluationSet
from fullseg.data.prepare import prepare
from fullseg.data.progress import with_progress
from fullseg.data.splits import open_split
from fullseg.errors import CheckpointError, DataError
from fullseg.formats.atomic import write_text
from fullseg.formats.locks import locked
from fullseg.journals.comparison import Comparison, Model, compare, mean_needed
from fullseg.journals.courses import finished_images, read_courses
from fullseg.journals.snapshot import Snapshot, write_snapshot
from fullseg.model.predictor import Predictor
from fullseg.runs.checkpoints import load_checkpoint
from fullseg.runs.folder import Result
from fullseg.runs.stopping import Interrupted
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.models import network_model
from fullseg.study.plan import Plan
from fullseg.study.records import study_image
from fullseg.training.run import train

EXPERIMENT = "learnt"
EVALUATIONS, STEPS = 6, 20  # at most so many evaluations, each after so many steps
REMEMBERED = 20  # images of the data that the model was made from, on which it is scored before and after
PARTS = 8  # of the strokes in a replay
ROUNDS = 2  # of scribbles, in these scores and in those that choose the best step


class Source(NamedTuple):
    """The model that training goes on from."""

    name: str  # as the user called it
    checkpoint: Path
    config: dict[str, Any]  # options of its training


def learn(images: Path, out: Path, start: Source, overrides: Sequence[str], *, device: str = "cpu") -> Learnt:
    """Train a model on finished images, compare it with its start, and add it to the folder's models.

    The run is an ordinary run folder. After an interruption the same call goes on, if the finished images are the same.

    Args:
        images: folder of the images.
        out: the annotator's folder of journal and exports.
        start: the model that training goes on from.
        overrides: ``key=value`` each, options that replace those of the training.
        device: torch device of the comparison.

    Raises:
        DataError: if there are too few finished images, or if another process learns from this folder.
        ConfigError: if an option is wrong.
        Interrupted: after Ctrl-C.
    """
    folder = out.resolve() / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder / ".lock", f"{folder}: another process learns from these images", wait=False):
        finished, _ = finished_images(images, out)
        before = Predictor.from_checkpoint(start.checkpoint)
        knows = before.segmenter.knows_classes and len(before.categories) > 1
        snapshot = write_snapshot(folder / "data", out, finished, before.categories, with_classes=knows)
        config = configuration(folder, snapshot, start, overrides)
        result = _train(config)
        checkpoint = result.folder / "checkpoints" / "best.ckpt"
        found = _compare(images, out, snapshot, start, checkpoint, result.folder / "replay", device)
        learnt = Learnt(
            name=snapshot.name,
            checkpoint=str(checkpoint),
            start=start.name,
            images=len(snapshot.train),
            held_back=len(snapshot.held_back),
            iou=_both([study["strategies"][REPLAY]["iou"][0] for study in found.studies.values()]),
            strokes=_both(mean_needed(found.needed)),
            remembered=_remembered(config, start.checkpoint, checkpoint),
        )
        write_models(out, read_models(out).adding(learnt))
    return learnt


def _train(config: Config) -> Result:
    try:
        return train(config)
    except Interrupted as stop:  # its message names the run, which nobody has to name here
        raise Interrupted("Stopped. The same command goes on from there", stop.status) from stop


def _both(values: Sequence[float]) -> tuple[float, float]:
    before, after = values
    return before, after


def configuration(folder: Path, snapshot: Snapshot, start: Source, overrides: Sequence[str]) -> Config:
    """Return the configuration of a training that goes on from a model.

    Args:
        folder: of all that is learnt.
        snapshot: the training data.
        start: the model; its training's options hold where nothing else is said.
        overrides: ``key=value`` each, which replace all others.
    """
    file = folder / f"{snapshot.name}.yaml"
    write_text(file, yaml.safe_dump(start.config, sort_keys=False))
    batch = min(start.config["data"]["batch_size"], len(snapshot.train))
    mix = _second_data(start.config["data"], overrides)
    steps = STEPS if mix else min(STEPS, len(snapshot.train) // batch)  # of an epoch; a mixture has enough
    between = math.ceil(STEPS / steps)  # epochs between evaluations
    options: dict[str, Any] = {
        "experiment": EXPERIMENT,
        "runs": folder,
        "run_id": snapshot.name,
        "resume": "auto",
        "checkpoint": "null",
        "counterpart": start.checkpoint,
        "data.format": "coco_panoptic",
        "data.root": snapshot.folder,
        "data.cache": folder / "cache",
        "data.batch_size": batch,
        **dict.fromkeys(("data.train_fraction", "data.val_fraction"), "1/1"),
        **dict.fromkeys(("data.train_annotators", "data.val_annotators"), "all"),
        "data.train_split": "train",
        "data.val_split": "val",
        **mix,
        "scribbles.max_scribbles": 0,
        "scribbles.rounds": start.config["scribbles"]["rounds"] or 4,
        "scribbles.start_from_counterpart": "true",
        "trainer.epochs": EVALUATIONS * between,
        "trainer.limit_train_batches": steps,
        "trainer.validate_every": between,
        "trainer.patience": 2,
        "trainer.checkpoint_minutes": 1,
        "optimizer.learning_rate": 3e-4,
        "optimizer.backbone_learning_rate": 6e-5,
        "optimizer.warmup_epochs": 0,
        "optimizer.warmup_steps": 5,
        "study.every": 1,
        "study.rounds": ROUNDS,
        "study.strategies": "[free]",
        "tracking.artifacts": "false",
    }
    return load_config(file, [*(f"{key}={value}" for key, value in options.items()), *overrides])


def _second_data(data: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """Return the options of the data that the model was made from, if it is at hand or named; else none."""
    if any(override.startswith("data.mix.root=") for override in overrides):
        return {"data.mix.part": 0.5}
    known = data["format"] in ("bsds500", "coco_panoptic") and data["root"] and Path(data["root"]).is_dir()
    if not known and data["format"] != "scenes":
        return {}
    root = {"data.mix.root": Path(data["root"]).resolve()} if known else {}
    keys = {"format": data["format"], "split": data["train_split"], "annotators": data["train_annotators"]}
    return {"data.mix.part": 0.5, **root, **{f"data.mix.{key}": value for key, value in keys.items()}}


def source_of(name: str, checkpoint: Path) -> Source:
    """Read the options of a model's training; raise CheckpointError if the file does not have them."""
    hyper = load_checkpoint(checkpoint)["hyper_parameters"]
    if "config" not in hyper:
        raise CheckpointError(f"{checkpoint} does not say how it was trained: name a model of fullseg train or release")
    config = {**plain(Config()), **hyper["config"]}
    config["model"] = {**config["model"], "least_part": hyper["model"].get("least_part", 0)}
    return Source(name, checkpoint, config)


def _compare(
    images: Path, out: Path, snapshot: Snapshot, start: Source, checkpoint: Path, folder: Path, device: str
) -> Comparison:
    """Replay the person's strokes on the images held back to both models."""
    courses = [one for one in read_courses(images, out)[0] if one.name in snapshot.held_back]
    if not courses:
        raise DataError(
            f"none of the images held back ({', '.join(snapshot.held_back)}) was marked by hand, so models cannot be "
            "compared: finish more images"
        )
    models = [Model("before", start.checkpoint), Model("after", checkpoint)]
    return compare(courses, models, folder, rounds=PARTS, device=device)


def _remembered(config: Config, before: Path, after: Path) -> tuple[float, float] | None:
    """Return the scores of both models on evaluation images of the second data set; None: there is none."""
    mix = config.data.mix
    if not mix.part:
        return None
    data = DataConfig(format=mix.format, root=mix.root, cache=config.data.cache)
    partitions = open_split(data, prepare(data), "val")
    images = EvaluationSet(partitions, min_region_area=1, seed=config.seed)
    return _both([_score(Predictor.from_checkpoint(path), images, config.seed) for path in (before, after)])


def _score(predictor: Predictor, images: EvaluationSet, seed: int) -> float:
    """Return the mean IoU of some images, averaged over 0 to ``ROUNDS`` rounds of scribbles."""
    model = network_model(predictor.segmenter, None, "cpu", nullcontext, hold_scribbles=True)
    plan = Plan(ROUNDS, NO_NOISE, seed)
    chosen = np.linspace(0, len(images) - 1, min(REMEMBERED, len(images))).round().astype(int).tolist()
    samples = [images[index].sample for index in with_progress(chosen, "the model's own data", len(chosen))]
    found = [study_image(sample, model(sample.image), "free", plan).iou for sample in samples]
    return float(np.nanmean(np.concatenate(found, axis=1)))
