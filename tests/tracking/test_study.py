"""The tables of a study in W&B."""

import numpy as np
import pytest

from fullseg.study.records import ImageRecord
from fullseg.tracking.study import by_class, by_size
from fullseg.types import Category


def test_tables_by_size_and_class() -> None:
    def record(classes: list[int], area: list[int], iou: list[list[float]]) -> ImageRecord:
        numbers = np.array(iou)
        return ImageRecord(
            0, "", np.array(classes), np.array(area), numbers, numbers, np.zeros_like(numbers), [], [], [], np.zeros(2)
        )

    images = [
        record([0, 1], [10, 5000], [[0.2, 0.4], [0.3, 0.6]]),
        record([1], [20000], [[0.8], [np.nan]]),
    ]
    summary = {
        "free": {"scribbles_per_region": [0, 1.25], "iou_small": [0.5, 1], "iou_medium": [1, 2], "iou_large": [1, None]}
    }
    rows = by_class(summary, {"free": images}, [Category(0, name, isthing=True) for name in ("cat", "sky", "sea")])
    # At 0 and at 1 scribbles per region, which is 0.8 of the way to the first round.
    assert rows == [["free", "cat", 1, 0.2, pytest.approx(0.28)], ["free", "sky", 2, *2 * [pytest.approx(0.6)]]]
    assert [row[1:] for row in by_size(summary, {"free": images})] == [
        ["small", 1, 0.5, pytest.approx(0.9)],
        ["medium", 1, 1, pytest.approx(1.8)],
        ["large", 1, 1, None],
    ]
