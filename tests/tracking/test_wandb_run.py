"""W&B runs are offline without a key. Each job has one, with an id of its own."""

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest

from fullseg.config.schema import TrackingConfig
from fullseg.errors import ConfigError
from fullseg.tracking import wandb_run as tracking
from fullseg.tracking.wandb_run import wandb_logger

CONFIG = {"experiment": "bsds500/full_image", "seed": 0}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    """Return the list of the arguments of all runs that are opened. No key is set."""
    calls: list[dict[str, Any]] = []

    def init(**arguments: Any) -> Mock:
        calls.append(arguments)
        return Mock()

    monkeypatch.setattr(tracking.wandb, "init", init)
    for variable in ("WANDB_API_KEY", "WANDB_MODE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    return calls


def test_offline_without_a_key(opened: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")
    assert tracking.os.environ["WANDB_MODE"] == "offline"
    assert opened[0]["config"] == CONFIG
    assert (opened[0]["group"], opened[0]["id"], opened[0]["dir"]) == (
        "bsds500/full_image",
        "bsds500-full_image-run",
        tmp_path / "run",
    )
    monkeypatch.delenv("WANDB_MODE")


@pytest.mark.parametrize(("named", "mode"), [("OFFLINE", "offline"), (" Online ", "online"), ("dryrun", "offline")])
def test_the_mode_of_the_environment_may_be_written_in_any_way(
    opened: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, named: str, mode: str
) -> None:
    monkeypatch.setenv("WANDB_MODE", named)
    wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")
    assert opened[0]["mode"] == mode
    monkeypatch.setenv("WANDB_MODE", "of")
    with pytest.raises(ConfigError, match="WANDB_MODE=of: choose one of online, offline, disabled"):
        wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")


@pytest.mark.parametrize("where", ["variable", "netrc"])
def test_online_with_a_key(
    opened: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    if where == "variable":
        monkeypatch.setenv("WANDB_API_KEY", 40 * "0")
    else:
        (tmp_path / "netrc").write_text("machine api.wandb.ai\n  login user\n  password 0\n")
    wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")
    assert tracking.os.environ["WANDB_MODE"] == "online"
    assert opened[0]["resume"] == "allow"
    monkeypatch.delenv("WANDB_MODE")


def test_offline_when_the_network_is_out_of_reach(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    modes: list[str | None] = []

    def init(mode: str | None = None, **_: Any) -> Mock:
        modes.append(mode)
        if mode != "offline":
            raise tracking.wandb.errors.CommError("no route to host")
        return Mock()

    monkeypatch.setattr(tracking.wandb, "init", init)
    monkeypatch.setenv("WANDB_MODE", "online")
    with pytest.warns(UserWarning, match="logged offline; `wandb sync` uploads it later: no route to host"):
        wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")
    assert modes == ["online", "offline"]


@pytest.mark.parametrize(
    ("place", "name"),
    [("", "bsds500-full_image-run-study"), ("studies/points=2", "bsds500-full_image-run-studies-points-2-study")],
)
def test_no_two_studies_share_an_id(
    opened: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, name: str
) -> None:
    wandb_logger(TrackingConfig(), tmp_path / "run" / place, CONFIG, job="study")
    assert opened[0]["id"] == name
    monkeypatch.delenv("WANDB_MODE")


def test_a_sweeps_cells_are_one_group_and_no_two_share_an_id(
    opened: list[dict[str, Any]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cells that begin in the same second have run folders with the same name, but W&B runs with different ids."""
    monkeypatch.setenv("WANDB_RUN_GROUP", "sweeps/loss")
    monkeypatch.setenv("WANDB_RUN_ID", "loss-1a2b3c4d-1")
    wandb_logger(TrackingConfig(), tmp_path / "run", CONFIG, job="train")
    assert (opened[0]["group"], opened[0]["id"]) == ("sweeps/loss", "loss-1a2b3c4d-1")
    monkeypatch.delenv("WANDB_MODE")


def test_disabled_opens_nothing(opened: list[dict[str, Any]], tmp_path: Path) -> None:
    assert wandb_logger(TrackingConfig(wandb="disabled"), tmp_path, CONFIG, job="train") is None
    assert opened == []
