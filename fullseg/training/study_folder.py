"""The folder of a study, and what its ``study.json`` says first."""

import json
from pathlib import Path
from typing import Any

from fullseg.config.load import plain
from fullseg.config.schema import Config

# If a study differs from the model's training in one of these options (group, name), it has a folder of its own.
PLAN_OPTIONS = (
    ("", "seed"),
    ("study", "rounds"),
    ("study", "bootstrap"),
    ("data", "format"),
    ("data", "val_split"),
    ("data", "val_annotators"),
    ("data", "val_fraction"),
    ("data", "min_region_area"),
)
SPREADING = ("kriging", "diffusion")  # options of the study that replace parts of the model


def study_folder(checkpoint: Path, config: Config, trained: dict[str, Any], data: str) -> Path:
    """Return the folder of a study, and make it.

    It is the checkpoint's run folder; for a file that lies in none, as a released model, ``runs/<name of the file>``.
    If the study differs from the training in the plan or the data, it is ``studies/<differences>/`` in this folder. So
    a study replaces only results of the same model, data and plan.

    Args:
        checkpoint: the model that is studied.
        config: configuration of the study.
        trained: configuration of the model's training, as plain values.
        data: fingerprint of the evaluation set, because the data may differ although the options do not.
    """
    in_run = checkpoint.parent.name == "checkpoints"
    run = checkpoint.parent.parent if in_run else Path(config.runs) / checkpoint.stem
    studied = plain(config)
    differences = [f"{key}={value:g}" for key, value in studied["study"]["noise"].items() if value]
    differences += ["hold_scribbles=false"] * (not config.study.hold_scribbles)
    differences += [f"{key}={studied['study'][key]}" for key in SPREADING if studied["study"][key] != "trained"]
    differences += ["counterpart=none"] * (config.counterpart == "none" and trained["counterpart"] is not None)
    for group, key in PLAN_OPTIONS:
        mine, theirs = (options[group][key] if group else options[key] for options in (studied, trained))
        differences += [f"{key}={mine}"] * (mine != theirs)
    name = ",".join(differences).replace("/", "-")
    folder = run / "studies" / name if name else run
    earlier = folder / "study.json"
    if earlier.is_file() and json.loads(earlier.read_text()).get("data", data) != data:
        folder = run / "studies" / ",".join(filter(None, (name, f"data={data[:8]}")))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def study_header(config: Config) -> dict[str, Any]:
    """Return what ``study.json`` says about the experiment, the data and the plan."""
    return {
        "experiment": config.experiment,
        "dataset": config.data.format,
        "split": config.data.val_split,
        "seed": config.seed,
        "rounds": config.study.rounds,
        "noise": dict(vars(config.study.noise)),
        "hold_scribbles": config.study.hold_scribbles,
        "kriging": config.study.kriging,
        "diffusion": config.study.diffusion,
        "bootstrap": config.study.bootstrap,
    }
