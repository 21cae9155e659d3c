"""``fullseg reproduce``: trains a run again from its folder, and lists every difference between the two."""

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch

from fullseg.config.load import load_config
from fullseg.config.options import dotlist
from fullseg.config.schema import Config, trains_with_scribbles
from fullseg.data.datamodule import InteractiveDataModule
from fullseg.errors import ConfigError
from fullseg.formats.atomic import write_json
from fullseg.reproduce.comparison import Comparison, compare_metrics, compare_study, compare_summaries, compare_weights
from fullseg.reproduce.original import CHECKPOINTS, Change, Original, changes, history, other_inputs, read_original
from fullseg.reproduce.studies import Again, ended_elsewhere, study_again
from fullseg.reproduce.tables import print_changes, print_reproduction
from fullseg.runs.provenance import Environment, environment_of, provenance
from fullseg.runs.ranks import is_rank_0, launched
from fullseg.runs.trainer import make_trainer, prepare_process, silence_advice
from fullseg.training.counterpart import load_counterpart
from fullseg.training.run import train


class Reproduction(NamedTuple):
    """The result of a reproduction; ``reproduce.json`` has the same content."""

    run: Path  # folder of the original run
    folder: Path  # folder of the new run
    changes: list[Change]  # differences of the environment; they do not count as differences of the result
    notes: list[str]  # sentences that say why some bits may differ
    comparisons: list[Comparison]
    not_compared: list[str]  # files or metrics, each with its reason

    @property
    def identical(self) -> bool:
        """Whether everything that was compared is the same, bit for bit."""
        return not any(comparison.different for comparison in self.comparisons)


def reproduce(run: Path, overrides: Sequence[str], *, runs: Path, anyway: bool) -> Reproduction | None:
    """Train a run again, study it again, and print and write every difference.

    Args:
        run: folder of the original run.
        overrides: ``key=value`` each. They replace options of the run, for example the folder of the data.
        runs: folder of all run folders for the new run.
        anyway: go on even if the data or the counterpart differs from the original's.

    Returns:
        The differences on rank 0, None on other ranks.

    Raises:
        ConfigError: if the run folder is damaged, or data, counterpart or device of the run are missing here.
        Interrupted: after Ctrl-C.
    """
    silence_advice()
    original = read_original(run.resolve())
    kept = _kept(original, overrides)
    own = {"experiment": original.options["experiment"], "resume": None, "run_id": None, "runs": str(runs), **kept}
    config = load_config(original.folder / "config.yaml", [*dotlist(own), *overrides])
    _check_machine(original, config)
    here = _environment(config)
    others = other_inputs(original.environment, here)
    if others and not anyway:
        raise ConfigError(_refusal(original, config, others))
    changed, notes = [*others, *changes(original.environment, here)], history(original, here)
    if kept:
        notes.append(f"taken from that run, because this command does not set them: {', '.join(dotlist(kept))}")
    if is_rank_0():
        print_changes(original.folder, changed, notes)
    folder = train(config).folder
    studies = study_again(original, folder, dotlist(own), overrides)
    if not is_rank_0():
        return None
    found = Reproduction(original.folder, folder, changed, notes, *_compare(original, folder, studies))
    _write(found)
    print_reproduction(found.folder, found.comparisons, found.not_compared)
    return found


def _kept(original: Original, overrides: Sequence[str]) -> dict[str, Any]:
    """Return the values that the original chose for options that leave the choice to the machine."""
    facts, trainer = original.environment.facts, original.options["trainer"]
    kept: dict[str, Any] = {}
    if trainer["precision"] == "auto" and "precision" in facts:
        kept["trainer.precision"] = facts["precision"]
    if not trainer.get("threads") and facts.get("device") == "cpu":
        kept["trainer.threads"] = int(facts["threads"])
    ranks = int(facts.get("ranks", 1))
    if not trainer["devices"] and ranks > 1 and not launched():
        kept["trainer.devices"] = ranks // trainer["num_nodes"]
    given = {override.partition("=")[0] for override in overrides}
    return {key: value for key, value in kept.items() if key not in given}


def _check_machine(original: Original, config: Config) -> None:
    """Raise ConfigError if data, counterpart, GPU or machines of the run are missing here."""
    file, trainer = original.folder / "config.yaml", config.trainer
    if config.data.root is not None and not Path(config.data.root).is_dir():
        raise ConfigError(
            f"{file}: data.root={config.data.root}: no such folder here; name the folder of the data, data.root=FOLDER"
        )
    counterpart, needed = config.counterpart, trains_with_scribbles(config.scribbles)
    moved = counterpart == original.options["counterpart"] and not Path(str(counterpart)).is_file()
    if needed and counterpart is not None and moved:
        raise ConfigError(
            f"{file}: counterpart={counterpart}: no such checkpoint here; name where it is now, "
            "counterpart=CHECKPOINT or counterpart=RUN_DIR"
        )
    if trainer.accelerator == "gpu" and not torch.cuda.is_available():
        raise ConfigError(
            f"{file}: trainer.accelerator=gpu: there is no GPU here; trainer.accelerator=cpu trains with other rounding"
        )
    if trainer.num_nodes > 1 and not launched():
        raise ConfigError(
            f"{file}: trainer.num_nodes={trainer.num_nodes}: start this command on each machine by srun or "
            "torchrun, or all ranks here: trainer.num_nodes=1 trainer.devices=RANKS"
        )


def _environment(config: Config) -> Environment:
    """Return the environment in which the new run is made."""
    prepare_process(config)
    counterpart = load_counterpart(config)
    data = InteractiveDataModule.from_config(config, counterpart)
    data.prepare_data()
    data.setup()
    return environment_of(provenance(make_trainer(config, trains=True), data, counterpart))


def _refusal(original: Original, config: Config, others: Sequence[Change]) -> str:
    differences = ", ".join(f"{name} is {here}, was {there}" for name, there, here in others)
    of_model = [name == "counterpart_weights" for name, _, _ in others]
    what = [f"data.root={config.data.root}"] * (not all(of_model))
    what += [f"counterpart={config.counterpart}"] * any(of_model)
    return (
        f"{' and '.join(what)} is not what {original.folder} was trained on: {differences}; name the original one, or "
        "go on with this one, --anyway"
    )


def _compare(original: Original, folder: Path, studies: Sequence[Again]) -> tuple[list[Comparison], list[str]]:
    there = original.folder
    whole = original.finished and not original.resumed
    compared = compare_metrics(there, folder, whole=whole)
    skipped = []
    if (there / "summary.json").is_file():
        compared += compare_summaries(there, folder, whole=whole)
    else:
        skipped.append("summary.json: that run has none")
    for name in CHECKPOINTS:
        file = f"checkpoints/{name}"
        if not (there / file).is_file():
            skipped.append(f"{file}: that run has none")
        elif not original.finished:
            skipped.append(f"{file}: that run did not finish")
        else:
            compared.append(compare_weights(there, folder, name))
    for again in studies:
        skipped += again.left_out
        apart = ended_elsewhere(there / again.file, again.folder / "study.json") if again.strategies else None
        if apart and not original.finished:
            skipped.append(f"{again.file}: {apart}")
        elif again.strategies:
            compared += compare_study((there / again.file).parent, again.folder, again.file, again.strategies)
    return compared, skipped


def _write(found: Reproduction) -> None:
    """Write ``reproduce.json`` into the new run's folder, whole or not at all."""
    content = {
        "command": f"fullseg {shlex.join(sys.argv[1:])}",
        "run": str(found.run),
        "identical": found.identical,
        "changes": [change._asdict() for change in found.changes],
        "notes": found.notes,
        "comparisons": [
            {key: value if value == value else None for key, value in comparison._asdict().items()}  # noqa: PLR0124
            for comparison in found.comparisons  # JSON has no NaN
        ],
        "not_compared": found.not_compared,
    }
    write_json(found.folder / "reproduce.json", content)
