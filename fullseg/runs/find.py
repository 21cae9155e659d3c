"""From a name to a checkpoint."""

import os
from pathlib import Path

from fullseg.errors import ConfigError


def newest_checkpoint(runs: Path) -> Path:
    """Return the best checkpoint of the newest run; raise FileNotFoundError if there is none."""
    found = sorted(runs.glob("**/checkpoints/best.ckpt"), key=os.path.getmtime)
    if not found:
        raise FileNotFoundError(f"no checkpoint below {runs}/: name one, --checkpoint PATH, or train one, make train")
    return found[-1]


def find_checkpoint(option: str, value: str, runs: str) -> Path:
    """Return the checkpoint that an option names.

    Args:
        option: its name, for the message.
        value: a checkpoint, a run folder (its best checkpoint), or an experiment (its newest run that has one).
        runs: folder of all run folders.

    Raises:
        ConfigError: if there is none.
    """
    path, best = Path(value), Path("checkpoints") / "best.ckpt"
    if path.is_file():
        return path.resolve()
    if (path / best).is_file():
        return (path / best).resolve()
    found = sorted(
        run / best for run in (Path(runs) / value).glob("*") if not run.is_symlink() and (run / best).is_file()
    )
    if found:
        return found[-1].resolve()
    if path.suffix == ".ckpt" or path.exists():
        raise ConfigError(f"{option}={value}: {'no checkpoint in it' if path.is_dir() else 'no such checkpoint'}")
    raise ConfigError(
        f"{option}={value}: no such checkpoint or run folder, and no trained run in {Path(runs) / value}; "
        f"train it first: make train EXPERIMENT={value}"
    )
