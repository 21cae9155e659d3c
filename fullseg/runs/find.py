"""From a name to a run or a checkpoint. Every command takes an experiment, a run folder or a file."""

from pathlib import Path

from fullseg.errors import ConfigError

BEST = Path("checkpoints") / "best.ckpt"  # of a run: the best by its evaluations
LAST = Path("checkpoints") / "last.ckpt"  # of a run: the newest
REPRODUCED = "reproduced"  # folder below runs/ where `fullseg reproduce` puts its runs; they never count as the newest


def find_checkpoint(option: str, value: str, runs: str | Path, file: Path = BEST) -> Path:
    """Return the checkpoint that an option names.

    Args:
        option: name of the option, for the message.
        value: a checkpoint, a run folder, or an experiment (its newest run that has such a checkpoint).
        runs: folder of all run folders.
        file: which checkpoint of a run is wanted, ``BEST`` or ``LAST``.

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
    """Return the folder of the run that is named.

    Args:
        value: a run folder (or a folder below one), or an experiment (its newest run with a checkpoint).
        runs: folder of all run folders.

    Raises:
        ConfigError: if it is neither.
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
    """Return what orders checkpoints by age: the time of writing, then the name, since copies may share one time."""
    return checkpoint.stat().st_mtime, str(checkpoint)
