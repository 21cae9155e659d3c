"""The W&B workspace, without an account: its panels show metrics that runs really log."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from fullseg.errors import ConfigError
from fullseg.tracking import dashboard
from fullseg.tracking.dashboard import as_json, create, make_workspace


def keys_of(section: str) -> set[str]:
    """Return all metrics and media in the panels of a section, as the server would receive them."""
    bank = json.loads(as_json("team", "project"))["spec"]["section"]["panelBankConfig"]
    [found] = [part for part in bank["sections"] if part["name"] == section]
    configs = [panel["config"] for panel in found["panels"]]
    return {key for config in configs for key in (config.get("metrics") or []) + (config.get("mediaKeys") or [])}


def test_has_a_place_for_everything() -> None:
    workspace = make_workspace("team", "project")
    assert (workspace.entity, workspace.project) == ("team", "project")
    names = [section.name for section in workspace.sections]
    assert names == ["Corrections", "Table 2", "Quality", "Pictures", "Training", "System"]
    assert {"study/free/iou", "study/per_region/iou", "study/grabcut/boundary_iou"} <= keys_of("Corrections")
    assert {"study/frozen/eta", "study/free/error_at_boundary"} <= keys_of("Corrections")
    assert {"study/by_size", "study/by_class"} <= set(as_json("team", "project").split('"'))


def test_is_created_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    saved: list[str] = []

    def save(workspace: dashboard.workspaces.Workspace) -> SimpleNamespace:
        saved.append(f"{workspace.entity}/{workspace.project}")
        return SimpleNamespace(url=f"https://example.org/{len(saved)}")

    monkeypatch.setattr(dashboard.workspaces.Workspace, "save", save)
    monkeypatch.setattr(dashboard.wandb, "Api", lambda: SimpleNamespace(default_entity="me"))
    record = tmp_path / "runs" / "dashboard.json"
    assert create(None, "fullseg", record, again=False) == "https://example.org/1"
    assert create("me", "fullseg", record, again=False) == "https://example.org/1"
    assert create("team", "fullseg", record, again=False) == "https://example.org/2"
    assert create("team", "fullseg", record, again=True) == "https://example.org/3"
    assert saved == ["me/fullseg", "team/fullseg", "team/fullseg"]


def test_needs_a_key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with pytest.raises(ConfigError, match=r"needs a key \(wandb login, or WANDB_API_KEY\).*--show prints"):
        create(None, "fullseg", tmp_path / "dashboard.json", again=False)
    assert not (tmp_path / "dashboard.json").exists()
