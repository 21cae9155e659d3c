"""From a name to a run or a checkpoint: an experiment, a run folder or a file, the same for every command."""

from pathlib import Path

from fullseg.errors import ConfigError

BEST = Path("checkpoints") / "best.ckpt"  # of a run: the best by its evaluations
LAST = Path("checkpoints") / "last.ckpt"  # of a run: the newest
REPRODUCED = "reproduced"  # folder below runs/ of runs made again: they are nobody's newest run


def find_checkpoint(option: str, value: str, runs: str | Path, file: Path = BEST) -> Path:
    """Return the checkpoint that an option names.

    Args:
        option: its name, for the message.
        value: a checkpoint, a run folder, or an experiment (its newest run that has such a checkpoint).
        runs: folder of all run folders.
        file: which checkpoint of a run, ``BEST`` or ``LAST``.

    Returns:
        Its path, absolute and without links.

    Raises:
        ConfigError: if there is none.
    """
    path = Path(value)
    if path.is_file():
        return path.resolve()
    if (path / file).is_file():
        return (path / file).resolve()
    if newest := _newest_run(Path(runs) / value, file):
        return (newest / file).resolve()
    if path.suffix == ".ckpt" or path.exists():
        raise ConfigError(f"{option}={value}: {f'no {file} in it' if path.is_dir() else 'no such checkpoint'}")
    raise ConfigError(
        f"{option}={value}: no such checkpoint or run folder, and no trained run in {Path(runs) / value}; "
        f"train it first: make train EXPERIMENT={value}"
    )


def find_run(value: str, runs: str | Path) -> Path:
    """Return the folder that a run is named by.

    Args:
        value: a run folder (or a folder below one), or an experiment (its newest run with a checkpoint).
        runs: folder of all run folders.

    Raises:
        ConfigError: if there is neither.
    """
    path = Path(value)
    if path.is_dir():
        return path
    if newest := _newest_run(Path(runs) / value, BEST):
        return newest
    raise ConfigError(f"{value}: no such run folder, and no trained run in {Path(runs) / value}")


def newest_checkpoint(runs: Path) -> Path:
    """Return the best checkpoint of the newest run of all experiments.

    Raises:
        ConfigError: if there is none.
    """
    found = [path for path in runs.glob(f"**/{BEST}") if path.relative_to(runs).parts[0] != REPRODUCED]
    if not found:
        raise ConfigError(f"no checkpoint below {runs}/: name one, --checkpoint PATH, or train one, make train")
    return max(found, key=_age)


def _newest_run(experiment: Path, file: Path) -> Path | None:
    found = [run for run in experiment.glob("*") if not run.is_symlink() and (run / file).is_file()]
    return max(found, key=lambda run: _age(run / file), default=None)


def _age(checkpoint: Path) -> tuple[float, str]:
    """Order checkpoints by the time of writing, then by name: runs that were copied may all be of one time."""
    return checkpoint.stat().st_mtime, str(checkpoint)
