"""The command annotate, until the server runs: the files that it finds, and its messages about mistakes."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import fullseg.annotator.serve
import fullseg.runs.find
from fullseg.__main__ import main


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []

    def serve(workspace: Any, model: Any, **options: Any) -> None:
        options["announce"]("http://x/")
        model.result()
        workspace.journal.close()
        calls.append({"workspace": workspace, "model": model, **options})

    monkeypatch.setattr(fullseg.annotator.serve, "serve", serve)
    monkeypatch.chdir(tmp_path)
    return calls


def test_without_arguments_it_takes_photographs_and_the_released_model(
    served: list[dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["annotate"]) == 0
    workspace = served[0]["workspace"]
    assert workspace.names == ["astronaut.jpg", "cat.jpg", "coffee.jpg", "rocket.jpg"]
    assert served[0]["model"].result().trained_partly
    assert (served[0]["host"], served[0]["port"]) == ("127.0.0.1", 8765)
    assert workspace.out == tmp_path / "datasets" / "photographs" / "fullseg"
    said = capsys.readouterr().err
    assert "Open http://x/ in a browser" in said
    assert "The model photos is loaded." in said
    changed = tmp_path / "datasets" / "photographs" / "cat.jpg"
    changed.write_bytes(b"changed")
    assert main(["annotate"]) == 0
    assert changed.read_bytes() == b"changed"


def test_a_model_that_cannot_be_loaded_ends_the_server_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "broken.ckpt").write_bytes(b"no checkpoint")
    command = ["annotate", str(tmp_path), "--checkpoint", str(tmp_path / "broken.ckpt"), "--port", "0"]
    assert main(command) == 2
    assert "broken.ckpt is no whole checkpoint of fullseg train" in capsys.readouterr().err


def test_the_page_comes_without_pytorch() -> None:
    code = (
        "import sys, fullseg.cli.annotate, fullseg.annotator.workspace, fullseg.annotator.serve, fullseg.runs.find;"
        "print([name for name in ('torch', 'lightning', 'wandb') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_checkpoint_may_be_an_experiment(served: list[dict[str, Any]], tiny_checkpoint: Path, tmp_path: Path) -> None:
    path = tmp_path / "runs" / "scribble" / "1" / "checkpoints" / "best.ckpt"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_checkpoint.read_bytes())
    assert main(["annotate", "--checkpoint", "scribble"]) == 0
    assert len(served) == 1


def test_exports_among_the_images_are_no_images(
    served: list[dict[str, Any]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    arguments = ["annotate", str(tmp_path / "images"), "--checkpoint", str(tiny_checkpoint)]
    (tmp_path / "images" / "fullseg" / "export").mkdir(parents=True)
    for name in ("a.jpg", "fullseg/export/a.jpg.png"):
        (tmp_path / "images" / name).write_bytes(b"")
    assert main(arguments) == 0
    assert served[0]["workspace"].names == ["a.jpg"]


def test_the_work_may_go_to_a_folder_above_the_images(
    served: list[dict[str, Any]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "images").mkdir(parents=True)
    (tmp_path / "data" / "images" / "a.jpg").touch()
    command = ["annotate", "data/images", "--checkpoint", str(tiny_checkpoint), "--out", "data"]
    assert main(command) == 0
    assert served[0]["workspace"].names == ["a.jpg"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "no folder"),
        (["empty"], "holds no image"),
        (["empty", "--checkpoint", "none.ckpt"], "--checkpoint=none.ckpt: no such checkpoint"),
        (["empty", "--categories", "none.json"], "--categories none.json: no such file"),
    ],
)
def test_names_what_is_missing(
    served: list[dict[str, Any]],
    tiny_checkpoint: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    (tmp_path / "empty").mkdir()
    given = arguments if "--checkpoint" in arguments else [*arguments, "--checkpoint", str(tiny_checkpoint)]
    assert main(["annotate", *given]) == 2
    assert message in capsys.readouterr().err
    assert served == []


def test_ctrl_c_while_it_starts_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fullseg.runs.find, "find_checkpoint", interrupted)
    assert main(["annotate"]) == 130
    assert capsys.readouterr().err == "Stopped.\n"


def test_an_address_that_is_taken_is_named_with_the_remedy(
    tiny_checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["annotate", str(tmp_path), "--checkpoint", str(tiny_checkpoint), "--port", port]) == 2
    assert f"--port {port}: cannot listen there" in (error := capsys.readouterr().err)
    assert "choose another --port" in error
    assert main(["annotate", str(tmp_path), "--checkpoint", str(tiny_checkpoint), "--port", "99999"]) == 2
    assert "cannot listen there" in capsys.readouterr().err
