"""Replays finished images to several models, and writes what each would have needed."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from fullseg.config.load import plain
from fullseg.config.schema import Config
from fullseg.config.strategies import REPLAY
from fullseg.data.progress import with_progress
from fullseg.errors import ConfigError
from fullseg.formats.atomic import write_json, write_text
from fullseg.journals.courses import Course
from fullseg.journals.replay import Needed, replay, strokes_needed
from fullseg.journals.times import Times, times
from fullseg.model.predictor import Predictor
from fullseg.report.page import write_report
from fullseg.runs.checkpoints import load_checkpoint
from fullseg.runs.provenance import commit, machine
from fullseg.simulation.noise import NO_NOISE
from fullseg.study.records import ImageRecord, write_records, write_scribbles
from fullseg.study.summary import RULES, summarise, write_study
from fullseg.types import Category

BOOTSTRAP = 1000  # resamplings of the images for the 95 % bands
REGION = Category(1, "region", isthing=False)  # the class of all regions: replays know none


class Model(NamedTuple):
    """A model and its name in tables."""

    name: str
    checkpoint: Path


class Comparison(NamedTuple):
    """What replays say about models."""

    studies: dict[str, dict[str, Any]]  # content of ``study.json`` by the model's name
    needed: list[Needed]  # of each image
    times: Times  # of the person
    page: Path  # the report


def compare(
    courses: Sequence[Course], models: Sequence[Model], folder: Path, *, rounds: int, device: str
) -> Comparison:
    """Replay finished images to models, and write a folder for each model, which ``fullseg report`` reads.

    Args:
        courses: of the images.
        models: with different names.
        folder: of all that is written. A model has ``<its name>/`` in it.
        rounds: parts of the strokes after which the quality is measured.
        device: torch device.

    Raises:
        ConfigError: if two models have one name.
    """
    names = [model.name for model in models]
    if len(set(names)) < len(names):
        raise ConfigError(f"--checkpoint {', '.join(names)}: name every model once")
    studies, records = {}, []
    predictors = [Predictor.from_checkpoint(model.checkpoint, device) for model in models]  # errors come first
    for model, predictor in zip(models, predictors, strict=True):
        label = f"replay to {model.name}"
        found = [
            replay(course, index, predictor, rounds)
            for index, course in enumerate(with_progress(courses, label, len(courses)))
        ]
        records.append(found)
        studies[model.name] = _write(folder / model.name, model, found, rounds)
    needed = strokes_needed(records)
    write_json(folder / "replay.json", {"models": names, "images": [one._asdict() for one in needed]})
    page = write_report([folder / name for name in names], folder / "report.html")
    return Comparison(studies, needed, times(courses), page)


def _write(folder: Path, model: Model, records: Sequence[ImageRecord], rounds: int) -> dict[str, Any]:
    """Write the folder of one model as that of a study, and return the content of its ``study.json``."""
    folder.mkdir(parents=True, exist_ok=True)
    hyper = load_checkpoint(model.checkpoint)["hyper_parameters"]
    options = {**plain(Config()), **hyper.get("config", {}), "experiment": model.name}
    write_text(folder / "config.yaml", yaml.safe_dump(options, sort_keys=False))
    entry = summarise(records, [REGION], rounds=rounds, resamplings=BOOTSTRAP, seed=0)
    entry["per_image"], entry["per_scribble"] = f"study_{REPLAY}.parquet", f"study_{REPLAY}_scribbles.parquet"
    write_records(folder / entry["per_image"], records, [REGION])
    write_scribbles(folder / entry["per_scribble"], records)
    header = {
        "checkpoint": str(model.checkpoint),
        "experiment": model.name,
        "dataset": "finished images",
        "split": "annotator",
        "seed": 0,
        "rules": RULES,
        "rounds": rounds,
        "noise": NO_NOISE._asdict(),
        "hold_scribbles": True,
        "kriging": "trained",
        "diffusion": "trained",
        "bootstrap": BOOTSTRAP,
        "commit": commit(),
        "machine": machine(),
        "images": len(records),
        "regions": sum(len(record.classes) for record in records),
    }
    (folder / "study.json").unlink(missing_ok=True)  # a folder has the last replay alone
    return write_study(folder / "study.json", header, {REPLAY: entry})


def mean_needed(needed: Sequence[Needed]) -> list[float]:
    """Return the mean number of strokes per image of each model."""
    return [float(mean) for mean in np.mean([one.strokes for one in needed], axis=0)]
