"""The run that is to be reproduced: what its folder says of it, and how this place differs from that one."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from fullseg.config.options import leaves
from fullseg.errors import ConfigError
from fullseg.reproduce.comparison import read_metrics
from fullseg.runs.checkpoints import problem_of
from fullseg.runs.provenance import Environment, read_environment

NEEDED = ("config.yaml", "environment.txt", "metrics.csv")
CHECKPOINTS = ("last.ckpt", "best.ckpt")
BEFORE = "environment_until_step_"  # how the environments of a resumed run begin
INPUTS = ("train_samples", "val_samples", "train_hash", "val_hash", "counterpart_weights")  # facts that are no place


class Original(NamedTuple):
    """A run folder, read."""

    folder: Path
    options: dict[str, Any]  # content of config.yaml
    environment: Environment
    last_step: int  # in metrics.csv
    finished: bool
    resumed: bool  # then it may have evaluated a step twice
    studies: dict[str, dict[str, Any]]  # content of study.json, of studies/*/study.json, by path in the folder


class Change(NamedTuple):
    """What is otherwise here than it was there."""

    name: str
    there: str
    here: str


def read_original(folder: Path) -> Original:
    """Read a run folder.

    Raises:
        ConfigError: for what is missing or damaged, before anything is trained.
    """
    missing = [name for name in NEEDED if not (folder / name).is_file()]
    if missing:
        raise ConfigError(
            f"{folder} can't be reproduced: there is no {', no '.join(missing)} in it; give the whole folder of a run "
            "of fullseg train, runs/EXPERIMENT/latest"
        )
    files = [path for name in CHECKPOINTS if (path := folder / "checkpoints" / name).is_file()]
    damaged = [f"{path} {problem}" for path in files if (problem := problem_of(path))]
    if damaged:
        raise ConfigError(f"{'; '.join(damaged)}: put it back, or remove it to leave its weights out")
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
        {str(path.relative_to(folder)): _json(path) for path in studies if path.is_file()},
    )


def changes(there: Environment, here: Environment) -> list[Change]:
    """Return how this place differs from that one: commit, machine, precision, ...; then packages. Inputs apart."""
    names = [name for name in dict.fromkeys((*there.facts, *here.facts)) if name not in (*INPUTS, "command")]
    facts = [Change(name, there.facts.get(name, "not recorded"), here.facts.get(name, "none")) for name in names]
    packages = [
        Change(f"package {name}", there.packages.get(name, "none"), here.packages.get(name, "none"))
        for name in sorted({**there.packages, **here.packages})
    ]
    return [change for change in (*facts, *packages) if change.there != change.here]


def other_inputs(there: Environment, here: Environment) -> list[Change]:
    """Return how the data and the counterpart differ, as far as the run has recorded them."""
    return [
        Change(name, there.facts[name], here.facts.get(name, "none"))
        for name in INPUTS
        if name in there.facts and there.facts[name] != here.facts.get(name, "none")
    ]


def history(original: Original, here: Environment) -> list[str]:
    """Say what in the course of the run keeps a reproduction from being the same, bit for bit."""
    notes = []
    if not original.finished:
        notes.append(f"that run did not finish: metrics.csv ends at step {original.last_step}; so far it is compared")
    for path in sorted(original.folder.glob(f"{BEFORE}*.txt")):
        earlier = ", ".join(f"{name} {there}" for name, there, _ in changes(read_environment(path), here))
        notes.append(f"that run was resumed at step {_step(path)}; before, it had {earlier or 'what is here'}")
    for path in sorted(original.folder.glob("config_until_step_*.yaml")):
        before, after = (dict(leaves(options)) for options in (_options(path), original.options))
        others = [f"{key} {before.get(key)} -> {value}" for key, value in after.items() if value != before.get(key)]
        others = [text for text in others if not text.startswith(("resume ", "run_id ", "runs "))]
        if others:
            notes.append(f"its options changed at step {_step(path)}: {', '.join(others)}; here all have the later")
    changed = original.environment.facts.get("uncommitted", "unknown")
    if original.environment.facts["commit"].endswith("-dirty") and changed != here.facts.get("uncommitted"):
        notes.append("that run's code had changes that are in no commit, and not here: it can't be had from git")
    kinds = [environment.facts.get("device", "unknown") for environment in (original.environment, here)]
    if "unknown" not in kinds and kinds[0] != kinds[1]:
        notes.append(f"that run was on {kinds[0]}, this one is on {kinds[1]}: they round differently, so bits differ")
    return notes


def _step(path: Path) -> str:
    return path.stem.rsplit("_", 1)[-1]


def _options(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is damaged: {error}; put it back as the run has written it") from error
    if not isinstance(content, dict) or "experiment" not in content:
        raise ConfigError(f"{path} is damaged: it names no experiment; put it back as the run has written it")
    return content


def _json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except ValueError as error:
        raise ConfigError(f"{path} is damaged: {error}; put it back, or remove it to leave it out") from error
    return content
