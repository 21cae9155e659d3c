"""Studies the new run as the original was studied: the same strategies and the same plan."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fullseg.config.load import load_config
from fullseg.config.options import dotlist
from fullseg.errors import ConfigError, DataError
from fullseg.reproduce.original import Original
from fullseg.training.run_study import study

HEAD_OPTIONS = {  # option by its key in study.json
    "experiment": "experiment",
    "seed": "seed",
    "rounds": "study.rounds",
    "bootstrap": "study.bootstrap",
    "hold_scribbles": "study.hold_scribbles",
    "kriging": "study.kriging",
    "diffusion": "study.diffusion",
    "dataset": "data.format",
    "split": "data.val_split",
}


class Again(NamedTuple):
    """One study of the original and the new study that repeats it."""

    file: str  # the original's study.json, relative to its run folder
    folder: Path  # folder of the new study.json
    strategies: list[str]  # names of the strategies that both studies have
    left_out: list[str]  # strategies that cannot be studied again, each with its reason


def study_again(original: Original, folder: Path, own: Sequence[str], overrides: Sequence[str]) -> list[Again]:
    """Study a new run as the original was studied.

    Args:
        original: the original run.
        folder: folder of the new run.
        own: overrides with which the new run was trained.
        overrides: the user's overrides. They replace ``own`` and the paths of the study's models. The study's plan
            replaces them.
    """
    found = []
    for file, content in original.studies.items():
        if content["checkpoint"].startswith("step "):  # written during training, which writes it again
            found.append(Again(file, folder, list(content["strategies"]), []))
            continue
        models = _single_region(content, overrides)
        left_out = [f"{file}, {name}: its model {path} is not there; {remedy}" for name, path, remedy in models]
        strategies = [name for name in content["strategies"] if name not in [model[0] for model in models]]
        if not strategies:
            found.append(Again(file, folder, [], left_out))
            continue
        plan = _plan(original, content, folder, strategies, own, overrides)
        try:
            written, _ = study(load_config(original.folder / "config.yaml", plan))
        except (ConfigError, DataError) as error:  # the training can still be compared
            found.append(Again(file, folder, [], [*left_out, f"{file}: {error}"]))
        else:
            found.append(Again(file, written, strategies, left_out))
    return found


def _single_region(content: dict[str, Any], overrides: Sequence[str]) -> list[tuple[str, str, str]]:
    """Return name, path of the model and remedy for each strategy whose own model is missing."""
    if any(override.startswith("study.single_region=") for override in overrides):
        return []
    own = {name: entry["checkpoint"] for name, entry in content["strategies"].items() if "checkpoint" in entry}
    remedy = "name where it is now, study.single_region=CHECKPOINT"
    return [(name, path, remedy) for name, path in own.items() if not Path(path).is_file()]


def _plan(
    original: Original,
    content: dict[str, Any],
    folder: Path,
    strategies: list[str],
    own: Sequence[str],
    overrides: Sequence[str],
) -> list[str]:
    """Return the overrides of one study. Later ones replace earlier ones."""
    entries = [content["strategies"][name] for name in strategies]
    facts: dict[str, Any] = next((entry["provenance"] for entry in entries if "provenance" in entry), {})
    single_region = next((entry["checkpoint"] for entry in entries if "checkpoint" in entry), None)
    seconds: dict[str, float] = next((entry["seconds"] for entry in entries if "seconds" in entry), {})
    models = {"study.single_region": single_region} if single_region else {}
    precision = {"trainer.precision": facts["precision"]} if facts else {}
    plan: dict[str, Any] = {
        "checkpoint": str(folder / "checkpoints" / Path(content["checkpoint"]).name),
        "resume": None,
        "run_id": None,
        "study.strategies": strategies,
        **{option: content[key] for key, option in HEAD_OPTIONS.items() if key in content},
        **{f"study.noise.{kind}": value for kind, value in content["noise"].items()},
        **{f"study.seconds.{kind}": value for kind, value in seconds.items()},
        **_data(original, facts),
        **_counterpart(original, content),
    }
    return [*own, *dotlist({**models, **precision}), *overrides, *dotlist(plan)]


def _data(original: Original, facts: dict[str, Any]) -> dict[str, Any]:
    """Return the options of the evaluation set. The folder is among them only if training had another one."""
    options = {f"data.{key}": value for key, value in facts.get("evaluation_set", {}).items()}
    if options.get("data.root") == original.options["data"]["root"]:
        options.pop("data.root", None)
    return options


def _counterpart(original: Original, content: dict[str, Any]) -> dict[str, Any]:
    """Return the counterpart of round 0 as an override, if it is not the counterpart of the training."""
    asked, trained = content.get("counterpart"), original.options.get("counterpart")
    if asked == trained:
        return {}
    return {"counterpart": asked or "none"}


def ended_elsewhere(there: Path, here: Path) -> str | None:
    """Return a sentence if two studies are of models of different steps, else None."""
    steps = []
    for path in (there, here):
        content = json.loads(path.read_text())
        steps.append(f"step {content['step']}" if "step" in content else content["checkpoint"])
    return f"of {steps[0]} there, of {steps[1]} here" if steps[0] != steps[1] else None
