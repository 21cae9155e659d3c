import errno
import os
import subprocess
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from fullseg.__main__ import main
from fullseg.errors import ConfigError, DataError


def test_wrong_options_are_one_message_and_cost_no_time() -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv[1:] = ['train', 'experiments/defalt.yaml']\n"
        "try: runpy.run_module('fullseg', run_name='__main__', alter_sys=True)\n"
        "except SystemExit as stop: print(stop.code, [name for name in ('torch', 'timm') if name in sys.modules])"
    )
    command = [sys.executable, "-c", code]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=Path(__file__).parent.parent)
    assert result.stdout == "2 []\n"
    assert result.stderr == (
        "error: no experiment file experiments/defalt.yaml; did you mean experiments/default.yaml?\n"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "600"}),
        ({"OMP_WAIT_POLICY": "ACTIVE"}, {"OMP_WAIT_POLICY": "ACTIVE"}),
        ({"GOMP_SPINCOUNT": "7"}, {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "7"}),
    ],
)
def test_threads_soon_sleep_while_they_wait_if_the_user_says_nothing_else(
    monkeypatch: pytest.MonkeyPatch, given: dict[str, str], expected: dict[str, str]
) -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    for name in names:
        monkeypatch.setenv(name, "x")  # so that the end of the test restores it
        monkeypatch.delenv(name)
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    assert main(["model", "list"]) == 0
    assert {name: os.environ[name] for name in names if name in os.environ} == expected


def test_help_describes_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert "model.roi_size=41  (at least 2)\n      Cells on each side of the RoI that the head receives" in text
    assert "model.share=all  (none, points, all)\n" in text
    assert "data.flip=0.5  (from 0 to 1)\n" in text
    assert "model.pretrained=True\n" in text


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (DataError("a.json: no such file"), "error: a.json: no such file\n"),
        (ConfigError("seed=-1: must be at least 0"), "error: seed=-1: must be at least 0\n"),
        (OSError(errno.ENOSPC, "No space left on device"), "error: [Errno 28] No space left on device\n"),
    ],
)
def test_mistakes_of_the_user_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    monkeypatch.setattr("fullseg.report.page.write_report", Mock(side_effect=error))
    assert main(["report", "."]) == 2
    assert capsys.readouterr().err == said


@pytest.mark.parametrize("error", [ValueError("2 regions but 1 boxes"), PermissionError(13, "no"), KeyError("iou")])
def test_faults_of_the_program_keep_their_traceback(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr("fullseg.report.page.write_report", Mock(side_effect=error))
    with pytest.raises(type(error)):
        main(["report", "."])
