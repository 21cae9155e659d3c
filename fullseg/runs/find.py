"""Finds the run or the checkpoint that a name means: an experiment, a run folder, a file or a released model."""

from pathlib import Path

from fullseg.errors import ConfigError
from fullseg.model.released import released_file

BEST = Path("checkpoints") / "best.ckpt"  # in a run folder: the checkpoint with the best evaluation
LAST = Path("checkpoints") / "last.ckpt"  # in a run folder: the newest checkpoint


def find_checkpoint(option: str, value: str, runs: str | Path, file: Path = BEST) -> Path:
    """Return the checkpoint that an option names.

    Args:
        option: name of the option, for messages.
        value: a checkpoint, a run folder, an experiment, which means its newest run with this kind of checkpoint, or
            the name of a released model.
        runs: folder of all run folders.
        file: the kind of checkpoint, ``BEST`` or ``LAST``.

    Returns:
        The path of the checkpoint, absolute and without links.

    Raises:
        ConfigError: if there is no such checkpoint.
        CheckpointError: if it is a released model that has not been downloaded yet.
    """
    path = Path(value)
    if path.is_file():
        return path.resolve()
    if (path / file).is_file():
        return (path / file).resolve()
    if newest := _newest_run(Path(runs) / value, file):
        return (newest / file).resolve()
    if released := released_file(value):
        return released
    if path.suffix == ".ckpt" or path.exists():
        raise ConfigError(f"{option}={value}: {f'no {file} in it' if path.is_dir() else 'no such checkpoint'}")
    raise ConfigError(
        f"{option}={value}: no such checkpoint or run folder, and no trained run in {Path(runs) / value}; "
        f"train it first: make train EXPERIMENT={value}, or name a model of fullseg model list"
    )


def find_run(value: str, runs: str | Path) -> Path:
    """Return the folder of the run that a name means.

    Args:
        value: a run folder, a folder below one, or an experiment, which means its newest run with a checkpoint.
        runs: folder of all run folders.

    Raises:
        ConfigError: if there is no such run.
    """
    path = Path(value)
    if path.is_dir():
        return path
    if newest := _newest_run(Path(runs) / value, BEST):
        return newest
    raise ConfigError(f"{value}: no such run folder, and no trained run in {Path(runs) / value}")


def trained_experiments(runs: str | Path) -> list[str]:
    """Return the names of all experiments below the folder of all run folders that have a run with a checkpoint."""
    found = (path.parents[1] for path in Path(runs).rglob(str(BEST)))
    return sorted({run.parent.relative_to(runs).as_posix() for run in found if not run.is_symlink()} - {"."})


def _newest_run(experiment: Path, file: Path) -> Path | None:
    found = [run for run in experiment.glob("*") if not run.is_symlink() and (run / file).is_file()]
    return max(found, key=lambda run: _age(run / file), default=None)


def _age(checkpoint: Path) -> tuple[float, str]:
    """Return a key that sorts checkpoints by age: time of writing, then name, as copies may have equal times."""
    return checkpoint.stat().st_mtime, str(checkpoint)
