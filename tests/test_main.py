import subprocess
import sys
from pathlib import Path

import pytest

from fullseg.__main__ import main


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


def test_help_describes_every_option(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = capsys.readouterr().out
    assert "model.roi_size=41  (at least 2)\n      Cells on each side of the RoI that the head receives" in text
    assert "model.share=all  (none, points, all)\n" in text
    assert "data.flip=0.5  (from 0 to 1)\n" in text
    assert "model.pretrained=True\n" in text
