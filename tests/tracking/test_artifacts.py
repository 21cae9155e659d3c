"""W&B artifacts. Those of whole runs are in test_wandb_run_offline.py."""

import wandb

from fullseg.tracking import artifacts


def test_the_same_data_is_the_same_artifact() -> None:
    first, same, other = (artifacts.data_artifact("scenes", {"val_hash": mark}) for mark in ("a", "a", "b"))
    assert name_of(first) == name_of(same) != name_of(other)


def name_of(artifact: wandb.Artifact) -> str:
    return f"{artifact.name}@{artifact.digest}"
