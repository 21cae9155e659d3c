"""The command model: the list of the models that are known by name, and their download."""

import hashlib
import http.server
import json
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

import fullseg.model.released
from fullseg.__main__ import main
from fullseg.model.released import MODELS, released_file

CONTENT = b"weights" * 1000


@pytest.fixture
def address(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "far.ckpt").write_bytes(CONTENT)
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(tmp_path / "served"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


@pytest.fixture
def known(address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """Return the list's only entry, of a model on a server."""
    entry: dict[str, object] = {
        "name": "far",
        "about": "A model from far away.",
        "size": len(CONTENT),
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "url": f"{address}/far.ckpt",
    }
    (tmp_path / MODELS).write_text(json.dumps([entry]))
    monkeypatch.setattr(fullseg.model.released, "WEIGHTS", tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return entry


@pytest.mark.usefixtures("known")
def test_a_model_is_listed_downloaded_and_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "list"]) == 0
    assert "to download: fullseg model get far\n    A model from far away." in capsys.readouterr().out
    assert main(["model", "get", "far"]) == 0
    file = tmp_path / "cache" / "fullseg" / "models" / "far.ckpt"
    assert file.read_bytes() == CONTENT
    assert released_file("far") == file
    assert main(["model", "get", "far"]) == 0
    assert main(["model", "list"]) == 0
    said = capsys.readouterr().out
    assert "far: there already" in said
    assert "0.0 MB  on this machine" in said


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sha256": "0" * 64}, "has sha256"),
        ({"url": "http://127.0.0.1:1/far.ckpt"}, "connect this machine to the network"),
    ],
)
def test_nothing_is_kept_of_a_download_that_fails(
    known: dict[str, object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr("fullseg.data.download.http.RETRIES", 0)
    monkeypatch.setattr("fullseg.data.download.http.FIRST_PAUSE", 0)
    (tmp_path / MODELS).write_text(json.dumps([{**known, **change}]))
    assert main(["model", "get", "far"]) == 2
    assert message in capsys.readouterr().err
    assert not list((tmp_path / "cache").rglob("*.ckpt"))


@pytest.mark.usefixtures("known")
def test_an_unknown_model_is_named_with_those_that_exist(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "get", "near"]) == 2
    assert "model get near: no such model; there are far" in capsys.readouterr().err
