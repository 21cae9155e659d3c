import math
from pathlib import Path

import pytest

from fullseg.cli.tables import print_result
from fullseg.config.load import load_config
from fullseg.runs.folder import Result


def test_a_size_of_which_there_is_no_region_has_an_empty_cell(capsys: pytest.CaptureFixture[str]) -> None:
    before = {"iou": 0.25, "iou_box_filling": 0.4, "iou_small": math.nan, "iou_large": 0.5, "regions": 3}
    after = {"iou": 0.75, "iou_small": math.nan, "iou_large": 0.875, "regions": 3}
    print_result(Result(Path("run"), before, after, 60, {}), load_config(None, []))
    rows = {
        cells[1].strip(): [cell.strip() for cell in cells[2:5]]
        for line in capsys.readouterr().out.splitlines()
        if len(cells := line.split("│")) == 6
    }
    assert rows == {
        "mean IoU of all regions": ["40.0", "25.0", "75.0"],
        "small regions": ["", "", ""],
        "large regions": ["", "50.0", "87.5"],
    }
