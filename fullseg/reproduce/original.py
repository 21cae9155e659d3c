"""Reads the run folder of an original, and compares the environment of that run with the one here."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fullseg.config.options import leaves
from fullseg.errors import ConfigError
from fullseg.reproduce.comparison import read_metrics
from fullseg.runs.checkpoints import why_not_resumable
from fullseg.runs.provenance import Environment, read_environment
from fullseg.study.summary import read_study

NEEDED = ("config.yaml", "environment.txt", "metrics.csv")
CHECKPOINTS = ("last.ckpt", "best.ckpt")
BEFORE = "environment_until_step_"  # beginning of the names of files that describe earlier parts of a resumed run
# Recorded facts about the data and the counterpart.
INPUTS = ("train_samples", "val_samples", "train_hash", "val_hash", "counterpart_weights")


class Original(NamedTuple):
    """The content of the original's run folder."""

    folder: Path
    options: dict[str, Any]  # content of config.yaml
    environment: Environment
    last_step: int  # in metrics.csv
    finished: bool
    resumed: bool  # whether it was resumed; a resumed run may have evaluated a step twice
    studies: dict[str, dict[str, Any]]  # content of study.json and studies/*/study.json, by path in the run folder


class Change(NamedTuple):
    """One difference between the original's environment and the one here."""

    name: str
    there: str
    here: str


def read_original(folder: Path) -> Original:
    """Read the run folder of an original.

    Raises:
        ConfigError: if a file is missing or damaged.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder} cannot be reproduced: it has no {', no '.join(missing)}; name the whole folder of a run of "
            "fullseg train, for example runs/EXPERIMENT/latest"
        )
    files = [path for name in CHECKPOINTS if (path := folder / "checkpoints" / name).is_file()]
    damaged = [f"{path} {problem}" for path in files if (problem := why_not_resumable(path))]
    if damaged:
        raise ConfigError(f"{'; '.join(damaged)}: restore it, or remove it to leave its weights out")
    steps = [int(step.split()[1]) for column in read_metrics(folder / "metrics.csv").values() for step in column]
    summary = _json(folder / "summary.json") if (folder / "summary.json").is_file() else {"after": {}}
    studies = [folder / "study.json", *sorted((folder / "studies").glob("*/study.json"))]
    return Original(
        folder,
        _options(folder / "config.yaml"),
        read_environment(folder / "environment.txt"),
        max(steps, default=0),
        summary.get("after") is not None,
        _options(folder / "config.yaml").get("resume") is not None or any(folder.glob(f"{BEFORE}*")),
        {str(path.relative_to(folder)): _study(path) for path in studies if path.is_file()},
    )


def changes(there: Environment, here: Environment) -> list[Change]:
    """Return the differences of two environments: first commit, machine, precision and so on, then packages."""
    names = [name for name in dict.fromkeys((*there.facts, *here.facts)) if name not in (*INPUTS, "command")]
    facts = [Change(name, there.facts.get(name, "not recorded"), here.facts.get(name, "none")) for name in names]
    packages = [
        Change(f"package {name}", there.packages.get(name, "none"), here.packages.get(name, "none"))
        for name in sorted({**there.packages, **here.packages})
    ]
    return [change for change in (*facts, *packages) if change.there != change.here]


def other_inputs(there: Environment, here: Environment) -> list[Change]:
    """Return the differences of data and counterpart that the original has recorded."""
    return [
        Change(name, there.facts[name], here.facts.get(name, "none"))
        for name in INPUTS
        if name in there.facts and there.facts[name] != here.facts.get(name, "none")
    ]


def history(original: Original, here: Environment) -> list[str]:
    """Return sentences that say why a reproduction may differ in some bits."""
    notes = []
    if not original.finished:
        notes.append(
            f"that run did not finish: it is compared up to step {original.last_step}, where its metrics.csv ends"
        )
    for path in sorted(original.folder.glob(f"{BEFORE}*.txt")):
        earlier = ", ".join(f"{name} {there}" for name, there, _ in changes(read_environment(path), here))
        had = earlier or "the same environment as here"
        notes.append(f"that run was resumed at step {_step(path)}; before this step it had {had}")
    for path in sorted(original.folder.glob("config_until_step_*.yaml")):
        before, after = (dict(leaves(options)) for options in (_options(path), original.options))
        others = [f"{key} {before.get(key)} -> {value}" for key, value in after.items() if value != before.get(key)]
        others = [text for text in others if not text.startswith(("resume ", "run_id ", "runs "))]
        if others:
            notes.append(
                f"its options changed at step {_step(path)}: {', '.join(others)}; here the whole run has the later ones"
            )
    changed = original.environment.facts.get("uncommitted", "unknown")
    if original.environment.facts["commit"].endswith("-dirty") and changed != here.facts.get("uncommitted"):
        notes.append("that run's code had uncommitted changes that are not here, so the code differs")
    kinds = [environment.facts.get("device", "unknown") for environment in (original.environment, here)]
    if "unknown" not in kinds and kinds[0] != kinds[1]:
        notes.append(f"that run was on {kinds[0]}, this one is on {kinds[1]}: they round differently")
    return notes


def _step(path: Path) -> str:
    return path.stem.rsplit("_", 1)[-1]


def _options(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged: {error}; restore the file that the run wrote") from error
    if not isinstance(content, dict) or "experiment" not in content:
        raise ConfigError(f"{path} is damaged: it names no experiment; restore the file that the run wrote")
    return content


def _study(path: Path) -> dict[str, Any]:
    _json(path)  # an error names the file
    return read_study(path)


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: {error}; restore it, or remove it to leave it out") from error
    return content
